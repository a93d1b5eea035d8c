"""So long after the person did something: N days at an hour of the day, or N hours or minutes to the minute."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, model_validator

from crm_plugin.automations.fields import MAX_WAIT_SECONDS, ClockTime
from crm_plugin.automations.triggers.activity import Deed
from crm_plugin.automations.triggers.base import Reentry

MAX_RUNGS = 10
_SECONDS = {"minutes": 60, "hours": 3600, "days": 86_400}


class Which(StrEnum):
    """Which of several such activities counts: the newest (a later one starts the clock anew), or each of them."""

    LAST = "last"
    EACH = "each"


class AfterTrigger(Deed):
    """So many ``unit`` after the activity; several amounts are a ladder, each rung a run of its own.

    With ``days``, everybody of that calendar day enters at ``at`` by the shop's clocks (features row 52); with
    ``hours`` and ``minutes``, each person to the minute.
    """

    type: Literal["after"]
    unit: Literal["minutes", "hours", "days"]
    amounts: tuple[Annotated[int, Field(ge=1)], ...] = Field(min_length=1, max_length=MAX_RUNGS)
    at: ClockTime | None = None
    which: Which = Which.LAST

    @model_validator(mode="after")
    def _amounts_can_be_waited_for(self) -> AfterTrigger:
        if len(set(self.amounts)) != len(self.amounts):
            raise ValueError("each amount once")
        if len(self.amounts) > 1 and self.reentry in (Reentry.ONCE, Reentry.AFTER):
            raise ValueError("a ladder enters once for each rung: its reentry is per_subject or always")
        limit = 3 * 365 * 86_400 if self.unit == "days" else min(MAX_WAIT_SECONDS, 72 * 3600)
        if max(self.amounts) * _SECONDS[self.unit] > limit:
            raise ValueError("at most 1095 days, or 72 hours")
        if (self.unit == "days") != (self.at is not None):
            raise ValueError("`at` (HH:MM) belongs to days, and days need it")
        return self

    def seconds(self) -> tuple[int, ...]:
        """Return the amounts in seconds (a day counts 24 hours)."""
        return tuple(amount * _SECONDS[self.unit] for amount in self.amounts)
