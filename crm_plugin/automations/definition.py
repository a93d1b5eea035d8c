"""What a campaign does: the typed form of the JSON that merchants save.

A definition is data; ``matching`` and ``stepping`` interpret it. Adding a trigger or a step is one class here and one
case there. Errors carry the dotted path of the wrong field, as the client sent it.
"""

from __future__ import annotations

from datetime import time
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NaiveDatetime,
    ValidationError,
    field_validator,
    model_validator,
)

from crm_plugin.activity import INTERNAL_KINDS, DropRule, Source
from crm_plugin.contacts import ChannelKind
from crm_plugin.errors import InvalidInput
from crm_plugin.messaging import MessageClass
from crm_plugin.shop import FactKind

MAX_STEPS = 50
MAX_WAIT_SECONDS = 400 * 24 * 3600


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PriceDropTrigger(_Strict):
    """A product the person is interested in became cheaper. ``settle_seconds`` gathers an import into one digest."""

    type: Literal["price_drop"]
    sources: tuple[Source, ...] = Field(tuple(Source), min_length=1)
    min_percent: Decimal = Field(Decimal(10), ge=1, le=99)
    min_amount: dict[Annotated[str, Field(pattern=r"^[A-Z]{3}$")], Annotated[Decimal, Field(ge=0)]] = {}
    lookback_days: int = Field(60, ge=1, le=365)
    min_views: int = Field(2, ge=1, le=100)
    cooldown_days: int = Field(14, ge=0, le=365)
    settle_seconds: int = Field(60, ge=0, le=3600)
    audience: dict[str, Any] | None = None

    def rule(self) -> DropRule:
        """Return the rule in the words of the activity room."""
        return DropRule(
            sources=frozenset(self.sources),
            min_percent=self.min_percent,
            min_amount=self.min_amount,
            lookback_days=self.lookback_days,
            min_views=self.min_views,
            cooldown_days=self.cooldown_days,
        )


class Reentry(StrEnum):
    """How often the same contact may run through a campaign."""

    ONCE = "once"
    PER_SUBJECT = "per_subject"
    ALWAYS = "always"


class ActivityTrigger(_Strict):
    """The person did something. ``audience``: only who is in it at this moment enters."""

    type: Literal["activity"]
    activity: FactKind
    reentry: Reentry = Reentry.PER_SUBJECT
    audience: dict[str, Any] | None = None

    @field_validator("activity")
    @classmethod
    def _becomes_an_activity(cls, value: FactKind) -> FactKind:
        if value in INTERNAL_KINDS:
            raise ValueError(f"{value.value} is nothing that a person does; it would never start the campaign")
        return value


class OnceSchedule(_Strict):
    """One moment, by the clocks of the shop."""

    type: Literal["once"]
    at: NaiveDatetime


class DailySchedule(_Strict):
    """The same time every day, by the clocks of the shop."""

    type: Literal["daily"]
    at: time = Field(description="HH:MM")

    @field_validator("at")
    @classmethod
    def _is_local(cls, value: time) -> time:
        if value.tzinfo is not None:
            raise ValueError("a time of day has no zone; it is the shop's")
        return value


class AudienceTrigger(_Strict):
    """Everybody who is in the audience at a moment of the schedule: a broadcast, or a daily cohort.

    ``reentry``: ``once`` enters a person at most once ever, ``always`` at every moment that finds them in the audience
    with no run under way.
    """

    type: Literal["audience"]
    audience: dict[str, Any]
    schedule: Annotated[OnceSchedule | DailySchedule, Field(discriminator="type")]
    reentry: Literal[Reentry.ONCE, Reentry.ALWAYS] = Reentry.ONCE


class WaitStep(_Strict):
    """Do nothing for a while."""

    type: Literal["wait"]
    id: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")
    seconds: int = Field(ge=1, le=MAX_WAIT_SECONDS)


class SendStep(_Strict):
    """Send one message."""

    type: Literal["send"]
    id: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")
    channel: ChannelKind = ChannelKind.EMAIL
    message_class: MessageClass = MessageClass.MARKETING
    template: dict[str, Any]


class ExitStep(_Strict):
    """End here."""

    type: Literal["exit"]
    id: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")


class ExitCondition(StrEnum):
    """What ends a run early: the person bought one of its products, or ordered anything."""

    BOUGHT_ITEM = "bought_item"
    ORDERED = "ordered"


Trigger = Annotated[PriceDropTrigger | ActivityTrigger | AudienceTrigger, Field(discriminator="type")]
Step = Annotated[WaitStep | SendStep | ExitStep, Field(discriminator="type")]


class Definition(_Strict):
    """A campaign's trigger, exit conditions and steps.

    The audiences in it are kept as the merchant wrote them; ``audiences`` names them with their paths. Whether they can
    be understood depends on what the merchant declared, so that is asked when a campaign is saved (``campaigns``).
    """

    trigger: Trigger
    exit_when: tuple[ExitCondition, ...] = (ExitCondition.BOUGHT_ITEM,)
    exit_audience: dict[str, Any] | None = None
    steps: tuple[Step, ...] = Field(min_length=1, max_length=MAX_STEPS)

    @model_validator(mode="after")
    def _step_ids_are_unique(self) -> Definition:
        ids = [step.id for step in self.steps]
        if len(set(ids)) != len(ids):
            raise ValueError("every step needs an id of its own")
        return self

    @model_validator(mode="after")
    def _a_price_is_advertised(self) -> Definition:
        classes = {step.message_class for _place, step in self.sends()}
        if isinstance(self.trigger, PriceDropTrigger) and MessageClass.TRANSACTIONAL in classes:
            raise ValueError("a price drop is an advertisement; its messages are of the class marketing")
        return self

    @classmethod
    def parse(cls, value: Any) -> Definition:
        """Read a definition as a client sends it.

        Raises:
            InvalidInput: with the path of the first wrong field, such as ``steps.0.seconds``.
        """
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            first = error.errors()[0]
            path = ".".join(map(str, _without_tag(first["loc"])))
            raise InvalidInput(first["msg"], field=f"definition.{path}".rstrip(".")) from error

    def audiences(self) -> dict[str, dict[str, Any]]:
        """Return the audiences of the definition by their paths."""
        found = {"definition.trigger.audience": self.trigger.audience, "definition.exit_audience": self.exit_audience}
        return {path: audience for path, audience in found.items() if audience is not None}

    def sends(self) -> list[tuple[int, SendStep]]:
        """Return the Send steps with their places."""
        return [(place, step) for place, step in enumerate(self.steps) if isinstance(step, SendStep)]


def _without_tag(path: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Leave out the tags that pydantic puts behind a member of a union; the client never sent them as keys."""
    place = {"trigger": 1, "steps": 2}.get(str(path[0]), len(path)) if path else 0
    plain = path[:place] + path[place + 1 :]
    return plain[:2] + plain[3:] if plain[:2] == ("trigger", "schedule") else plain
