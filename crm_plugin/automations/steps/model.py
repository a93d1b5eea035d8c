"""The steps as merchants write them. They are in one file because some of them hold steps of every kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, field_validator, model_validator

from crm_plugin.activity import INTERNAL_KINDS
from crm_plugin.audience import What
from crm_plugin.automations.fields import MAX_WAIT_SECONDS, ClockTime, Name, StepId, Strict, Weekday, Zone
from crm_plugin.conf import settings
from crm_plugin.contacts import ChannelKind
from crm_plugin.messaging import MessageClass
from crm_plugin.shop import FactKind

MAX_ARMS = 8
MAX_FALLBACKS = 4
_AttributeName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
_Words = Annotated[tuple[Name, ...], Field(max_length=20)]


class WaitStep(Strict):
    """Do nothing for a while."""

    type: Literal["wait"]
    id: StepId
    seconds: int = Field(ge=1, le=MAX_WAIT_SECONDS)


class WaitUntilStep(Strict):
    """Go on at the next moment at which the clock stands at ``at`` or, with ``to``, between the two.

    Attributes:
        at, to: times of day; ``to`` is not included, and lies on the next day when it is earlier than ``at``.
        weekdays: on which days the moment (the beginning of the stretch) may be; empty: any.
        zone: whose clocks.
    """

    type: Literal["wait_until"]
    id: StepId
    at: ClockTime
    to: ClockTime | None = None
    weekdays: tuple[Weekday, ...] = Field((), max_length=7)
    zone: Zone = Zone.CONTACT

    @model_validator(mode="after")
    def _ends_at_another_time(self) -> WaitUntilStep:
        if self.to == self.at:
            raise ValueError("`to` is another time than `at`")
        return self


class WaitForStep(Strict):
    """Go on as soon as the person does something; when they have not within the time, go the other way.

    Attributes:
        activity, what: what is waited for. It counts from the moment at which the run came to this step.
        is_same_subject: only when it is about the order, the cart or a product that the run is about.
        then, otherwise: what to do in either case before going on behind this step.
    """

    type: Literal["wait_for"]
    id: StepId
    activity: FactKind
    what: What = What()
    is_same_subject: bool = False
    timeout_seconds: int = Field(ge=60, le=MAX_WAIT_SECONDS)
    then: tuple[AnyStep, ...] = ()
    otherwise: tuple[AnyStep, ...] = ()

    @field_validator("activity")
    @classmethod
    def _can_happen(cls, value: FactKind) -> FactKind:
        if value in INTERNAL_KINDS:
            raise ValueError(f"{value.value} is nothing that a person does; it would never come")
        return value


class Fallback(Strict):
    """Another channel, with a content of its own, for those whom the message did not reach before."""

    channel: ChannelKind
    template: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One way of a Send step to reach the person.

    Attributes:
        template: the contents by language.
        path: where that stands, seen from the step.
        key: under which the version keeps the compiled template.
    """

    channel: ChannelKind
    template: dict[str, Any]
    path: str
    key: str


class SendStep(Strict):
    """Send one message, over the first channel that reaches the person.

    ``fallbacks`` are tried in turn, only when it is certain that the message did not arrive: the person cannot be
    written to on the channel, or the provider confirmed that it failed (features rows 60 and 61).
    ``offers``: the products in it are offered, so what cannot be bought at that moment is left out, and a message of
    which nothing is left is not sent. A message about what somebody bought (a review request) offers nothing.
    ``is_review_request``: the products in it are those of which the person may be asked for a review now, each with the
    way to its form; without any, the message is not sent.
    """

    type: Literal["send"]
    id: StepId
    channel: ChannelKind = ChannelKind.EMAIL
    message_class: MessageClass = MessageClass.MARKETING
    offers: bool = True
    is_review_request: bool = False
    template: dict[str, Any]
    fallbacks: tuple[Fallback, ...] = Field((), max_length=MAX_FALLBACKS)

    @model_validator(mode="after")
    def _tries_each_channel_once(self) -> SendStep:
        tried = [attempt.channel for attempt in self.attempts]
        if len(set(tried)) != len(tried):
            raise ValueError("each channel is tried once")
        return self

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The channels in the order in which they are tried."""
        others = (
            Attempt(one.channel, one.template, f"fallbacks.{index}.template", f"{self.id}/{one.channel}")
            for index, one in enumerate(self.fallbacks)
        )
        return (Attempt(self.channel, self.template, "template", self.id), *others)


class BranchStep(Strict):
    """Go one way or the other, by whether the person is in the audience at this moment."""

    type: Literal["branch"]
    id: StepId
    audience: dict[str, Any]
    then: tuple[AnyStep, ...] = ()
    otherwise: tuple[AnyStep, ...] = ()


class Arm(Strict):
    """One way of a split. A holdout gets nothing, and its run ends: who would have been written to, to compare with."""

    name: StepId
    weight: int = Field(ge=1, le=1000)
    is_holdout: bool = False
    steps: tuple[AnyStep, ...] = ()

    @model_validator(mode="after")
    def _holdout_gets_nothing(self) -> Arm:
        if self.is_holdout and self.steps:
            raise ValueError("a holdout has no steps")
        return self


class Winner(Strict):
    """How a split finds the arm that does best, and then goes only that way.

    Attributes:
        metric: what is counted: who clicked or opened, among those who were sent the arm's first message; or who ended
            converted, among all who went the arm.
        after_seconds: not before so long after the first person came to the split.
        test_percent: how many take part in the test; the others wait for its end and go the winner's way.
        min_per_arm: how many must have been counted in every arm.
        min_probability: how probable it must be that the best arm is better than each other one.
        deadline_seconds: then the best arm so far wins in any case; the first one when nobody was counted.
    """

    metric: Literal["clicks", "opens", "conversions"] = "clicks"
    after_seconds: int = Field(4 * 3600, ge=60, le=30 * 86_400)
    test_percent: int = Field(100, ge=1, le=100)
    min_per_arm: int = Field(50, ge=1, le=1_000_000)
    min_probability: float = Field(0.9, gt=0.5, lt=1)
    deadline_seconds: int = Field(7 * 86_400, ge=60, le=60 * 86_400)

    @model_validator(mode="after")
    def _deadline_comes_later(self) -> Winner:
        if self.deadline_seconds < self.after_seconds:
            raise ValueError("the deadline is not before the decision")
        return self


class SplitStep(Strict):
    """Divide people by chance: the same person always goes the same way (A/B/n, a holdout)."""

    type: Literal["split"]
    id: StepId
    arms: tuple[Arm, ...] = Field(min_length=1, max_length=MAX_ARMS)
    winner: Winner | None = None

    @model_validator(mode="after")
    def _arms_can_be_told_apart(self) -> SplitStep:
        if len({arm.name for arm in self.arms}) != len(self.arms):
            raise ValueError("every arm needs a name of its own")
        if len(self.arms) == 1 and self.winner is not None:
            raise ValueError("one arm cannot win against itself")
        if self.winner is not None and any(arm.is_holdout for arm in self.arms):
            raise ValueError("a holdout takes no part in a test; put it into a split of its own")
        return self


class IssueCouponStep(Strict):
    """Give the person a code of their own.

    Attributes:
        coupon: the id of the coupon (``CouponTemplate``) that says what the code is worth.
        expires_in_days: the code is good until the end of the day so many days from now; None: as the coupon says.
        for_items: the code is good for the products of the run only.
        per: one code for a person, however often they run through the campaign, or one for each run.
        on_failure: when no code can be had, or it is gone when a message would show it, the run ends and that message
            is left out; or everything goes on without one.
    """

    type: Literal["issue_coupon"]
    id: StepId
    coupon: int = Field(ge=1)
    expires_in_days: int | None = Field(None, ge=1, le=3650)
    for_items: bool = False
    per: Literal["person", "run"] = "person"
    on_failure: Literal["exit", "go_on"] = "exit"


class SetAttributeStep(Strict):
    """Set a declared attribute of the contact: to ``value`` (null takes it away), or to what the event says.

    ``from_event`` names a key of the data of the activity that started the run; when it is not there, nothing is set.
    """

    type: Literal["set_attribute"]
    id: StepId
    name: _AttributeName
    value: str | int | float | bool | None = None
    from_event: str = Field("", max_length=60)


class TagStep(Strict):
    """Put words to a declared attribute of the kind tags, or take them away."""

    type: Literal["tag"]
    id: StepId
    name: _AttributeName
    add: _Words = ()
    remove: _Words = ()

    @model_validator(mode="after")
    def _changes_something(self) -> TagStep:
        if not self.add and not self.remove:
            raise ValueError("say what to add or to remove")
        return self


class ListStep(Strict):
    """Put the person on a hand-made list, or take them off it."""

    type: Literal["list"]
    id: StepId
    segment: int = Field(ge=1)
    is_member: bool = True


def _is_web_address(value: str) -> str:
    parts = urlsplit(value)
    schemes = ("https", "http") if settings().webhook_allow_private else ("https",)
    if parts.scheme not in schemes or not parts.hostname or parts.username or parts.password:
        raise ValueError("an address that begins with https://, without a user name")
    return value


class WebhookStep(Strict):
    """Tell another system, signed (Standard Webhooks), retried, never at an address inside the operator's network."""

    type: Literal["webhook"]
    id: StepId
    url: Annotated[str, StringConstraints(max_length=500), AfterValidator(_is_web_address)]
    data: dict[Annotated[str, Field(max_length=60)], Annotated[str, Field(max_length=500)]] = Field({}, max_length=50)


class ExitStep(Strict):
    """End here."""

    type: Literal["exit"]
    id: StepId


Step = (
    WaitStep
    | WaitUntilStep
    | WaitForStep
    | SendStep
    | BranchStep
    | SplitStep
    | IssueCouponStep
    | SetAttributeStep
    | TagStep
    | ListStep
    | WebhookStep
    | ExitStep
)
AnyStep = Annotated[Step, Field(discriminator="type")]

for _holder in (WaitForStep, BranchStep, Arm, SplitStep):
    _holder.model_rebuild()
