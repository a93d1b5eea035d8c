"""Everybody who is in an audience at a moment of a schedule: a broadcast, or a daily cohort."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, NaiveDatetime, model_validator

from crm_plugin.automations.fields import ClockTime, Strict, Weekday
from crm_plugin.automations.triggers.base import Reentry


class OnceSchedule(Strict):
    """One moment, by the clocks of the shop."""

    type: Literal["once"]
    at: NaiveDatetime


class DailySchedule(Strict):
    """The same time every day, or on some days of the week, by the clocks of the shop."""

    type: Literal["daily"]
    at: ClockTime = Field(description="HH:MM")
    weekdays: tuple[Weekday, ...] = Field((), max_length=7, description="Empty: every day.")


class AudienceTrigger(Strict):
    """Who is in the audience at a moment of the schedule.

    ``reentry``: ``once`` enters a person at most once ever, ``always`` at every moment that finds them in the audience
    with no run under way, ``after`` not before ``reentry_days`` have passed.
    """

    type: Literal["audience"]
    audience: dict[str, Any]
    schedule: Annotated[OnceSchedule | DailySchedule, Field(discriminator="type")]
    reentry: Literal[Reentry.ONCE, Reentry.ALWAYS, Reentry.AFTER] = Reentry.ONCE
    reentry_days: int | None = Field(None, ge=1, le=3650)

    @model_validator(mode="after")
    def _days_belong_to_after(self) -> AudienceTrigger:
        if (self.reentry is Reentry.AFTER) != (self.reentry_days is not None):
            raise ValueError("reentry_days says after how many days `after` lets in again; no other re-entry has it")
        return self
