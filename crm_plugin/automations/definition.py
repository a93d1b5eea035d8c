"""What a campaign does: the typed form of the JSON that merchants save.

A definition is data: what can start a campaign is in ``triggers``, what it can do in ``steps``. Errors carry the dotted
path of the wrong field, as the client sent it.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any

from pydantic import Field, ValidationError, model_validator

from crm_plugin.automations.fields import ClockTime, Strict, Zone
from crm_plugin.automations.program import Op, Program, walk
from crm_plugin.automations.steps import AnyStep, BranchStep, SendStep
from crm_plugin.automations.triggers import AnyTrigger, BackInStockTrigger, PriceDropTrigger
from crm_plugin.errors import InvalidInput
from crm_plugin.messaging import CampaignCap, GateTerms, MessageClass

MAX_STEPS = 100
#: Of steps inside steps.
MAX_DEPTH = 5
#: Of JSON inside JSON, before anything of it is read.
MAX_NESTING = 64


class ExitCondition(StrEnum):
    """What ends a run early, counted from the moment at which it began.

    ``bought_item``: bought every one of its products. ``ordered``: ordered anything. Both convert. The others exit:
    ``order_undone``: the order that it is about was cancelled or refunded; ``receipt_confirmed``: the person said that
    this order arrived; ``reviewed_item``: reviewed every one of its products; ``unsubscribed``: withdrew consent;
    ``checkout_started``; ``visited``: came back to the shop.
    """

    BOUGHT_ITEM = "bought_item"
    ORDERED = "ordered"
    ORDER_UNDONE = "order_undone"
    RECEIPT_CONFIRMED = "receipt_confirmed"
    REVIEWED_ITEM = "reviewed_item"
    UNSUBSCRIBED = "unsubscribed"
    CHECKOUT_STARTED = "checkout_started"
    VISITED = "visited"


class QuietHours(Strict):
    """When the campaign's marketing waits: from one time of day to another, the next morning if that is earlier."""

    start: ClockTime
    end: ClockTime
    zone: Zone = Zone.CONTACT

    @model_validator(mode="after")
    def _last_some_time(self) -> QuietHours:
        if self.start == self.end:
            raise ValueError("quiet hours begin and end at different times")
        return self


class Cap(Strict):
    """At most so many messages of this campaign for one person in so many days; what is above it is skipped."""

    count: int = Field(ge=1, le=100)
    days: int = Field(ge=1, le=365)


class Definition(Strict):
    """A campaign's trigger, exit conditions and steps.

    ``topic`` is what its advertisements are about, a slug of the merchant's topics: who refused it gets none of them.
    The audiences in it are kept as the merchant wrote them; ``audiences`` names them with their paths. Whether they can
    be understood depends on what the merchant declared, so that is asked when a campaign is saved (``campaigns``).
    """

    trigger: AnyTrigger
    exit_when: tuple[ExitCondition, ...] = (ExitCondition.BOUGHT_ITEM,)
    exit_audience: dict[str, Any] | None = None
    quiet_hours: QuietHours | None = None
    cap: Cap | None = None
    topic: str = Field("", pattern=r"^[-a-z0-9_]{0,40}$")
    steps: tuple[AnyStep, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _steps_are_few_and_have_ids(self) -> Definition:
        places = list(walk(self.steps))
        if len(places) > MAX_STEPS:
            raise ValueError(f"a campaign has {MAX_STEPS} steps at most")
        if max(_depth(path) for path, _step in places) > MAX_DEPTH:
            raise ValueError(f"steps inside steps go {MAX_DEPTH} levels deep at most")
        ids = [step.id for _path, step in places]
        if len(set(ids)) != len(ids):
            raise ValueError("every step needs an id of its own")
        return self

    @model_validator(mode="after")
    def _a_price_is_advertised(self) -> Definition:
        classes = {op.step.message_class for op in self.program.sends() if isinstance(op.step, SendStep)}
        if isinstance(self.trigger, PriceDropTrigger) and MessageClass.TRANSACTIONAL in classes:
            raise ValueError("a price drop is an advertisement; its messages are of the class marketing")
        is_unasked = isinstance(self.trigger, BackInStockTrigger) and not self.trigger.is_asked_for
        if is_unasked and MessageClass.TRANSACTIONAL in classes:
            raise ValueError("only who asked (waiting) is told that it is back by messages that are not marketing")
        return self

    @classmethod
    def parse(cls, value: Any) -> Definition:
        """Read a definition as a client sends it.

        Raises:
            InvalidInput: with the path of the first wrong field, such as ``definition.steps.0.seconds``.
        """
        _measure(value)
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            raise _told(error, value)[0] from error

    @classmethod
    def faults(cls, value: Any) -> list[InvalidInput]:
        """Return everything for which ``parse`` would refuse the definition; empty when it can be read."""
        try:
            cls.parse(value)
        except InvalidInput as error:
            cause = error.__cause__
            return _told(cause, value) if isinstance(cause, ValidationError) else [error]
        return []

    @cached_property
    def program(self) -> Program:
        """The steps laid out in a row."""
        return Program(self.steps)

    @property
    def campaign_cap(self) -> CampaignCap | None:
        """How many messages the campaign allows itself for one person."""
        return None if self.cap is None else CampaignCap(self.cap.count, timedelta(days=self.cap.days))

    @property
    def gate_terms(self) -> GateTerms:
        """What the gates ask of a campaign."""
        return GateTerms(cap=self.campaign_cap, topic=self.topic)

    def audiences(self) -> dict[str, dict[str, Any]]:
        """Return the audiences of the definition by their paths."""
        found = {"definition.trigger.audience": self.trigger.audience, "definition.exit_audience": self.exit_audience}
        for path, step in walk(self.steps):
            if isinstance(step, BranchStep):
                found[f"definition.{path}.audience"] = step.audience
        return {path: audience for path, audience in found.items() if audience is not None}

    def sends(self) -> list[tuple[Op, SendStep]]:
        """Return the Send steps with their places."""
        return [(op, op.step) for op in self.program.ops if isinstance(op.step, SendStep)]


def _depth(path: str) -> int:
    """Return how many steps hold the one at the path."""
    return sum(part in {"then", "otherwise", "arms"} for part in path.split("."))


def _measure(value: Any) -> None:
    """Refuse JSON that is nested deeper than any reader of it should go, without recursion."""
    level = [value]
    for _ in range(MAX_NESTING):
        level = [inner for one in level if isinstance(one, dict | list) for inner in _inside(one)]
        if not level:
            return
    raise InvalidInput("The definition is nested too deep.", field="definition")


def _inside(value: dict[str, Any] | list[Any]) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value


def _told(error: ValidationError, value: Any) -> list[InvalidInput]:
    """Return what is wrong with each part; what is wrong inside of one says it all."""
    found = {".".join(["definition", *_path(one["loc"], value)]): one["msg"] for one in reversed(error.errors())}
    return [
        InvalidInput(message.removeprefix("Value error, "), field=field)
        for field, message in reversed(found.items())
        if not any(other.startswith(f"{field}.") for other in found)
    ]


def _path(loc: tuple[int | str, ...], value: Any) -> list[str]:
    """Leave out the tags that pydantic puts behind a member of a union; the client never sent them as keys."""
    path: list[str] = []
    is_tag_next = isinstance(value, dict)
    for part in loc:
        if is_tag_next and isinstance(value, dict) and part == value.get("type"):
            is_tag_next = False
            continue
        path.append(str(part))
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            value = None
        is_tag_next = isinstance(value, dict)
    return path
