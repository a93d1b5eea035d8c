"""Stretches of time that move with the present, and where they lie at a given moment.

Every stretch is half open, ``[start, end)``, in UTC. Days are calendar days of the shop's zone, so that a day with 23
or 25 hours is still one day. As the present goes on, no bound ever moves back: that is what ``edges`` relies on.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Literal, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from crm_plugin.audience.fields import Day, Strict, Whole
from crm_plugin.clock import day_start

MAX_DAYS = 1_095
#: The moment itself belongs to a window that ends with it; PostgreSQL counts microseconds.
_INSTANT = timedelta(microseconds=1)


class Unit(StrEnum):
    """What a length of time is counted in. A day here is 24 hours, but for ``ExactlyAgo``."""

    MINUTES = "minutes"
    HOURS = "hours"
    DAYS = "days"


class Bounds(NamedTuple):
    """A stretch ``[start, end)``; None is open."""

    start: datetime | None
    end: datetime | None


class LastDays(Strict):
    """The last full calendar days, without today (features row 51)."""

    type: Literal["last_days"]
    days: Whole = Field(ge=1, le=30)

    def bounds(self, now: datetime, zone: ZoneInfo) -> Bounds:
        """Return where it lies at ``now``."""
        today = now.astimezone(zone).date()
        return Bounds(day_start(today - timedelta(days=self.days), zone), day_start(today, zone))


class _Length(Strict):
    amount: Whole = Field(ge=1, le=MAX_DAYS * 24 * 60)
    unit: Unit

    @model_validator(mode="after")
    def _is_not_too_long(self) -> _Length:
        if self.delta() > timedelta(days=MAX_DAYS):
            raise ValueError(f"at most {MAX_DAYS} days")
        return self

    def delta(self) -> timedelta:
        """Return the length."""
        return timedelta(**{self.unit.value: self.amount})


class Duration(_Length):
    """A length of time, from one minute to three years."""


class Within(_Length):
    """From so long ago until now, both included."""

    type: Literal["within"]

    def bounds(self, now: datetime, _zone: ZoneInfo) -> Bounds:
        """Return where it lies at ``now``."""
        return Bounds(now - self.delta(), now + _INSTANT)


class Before(_Length):
    """Longer ago than that."""

    type: Literal["before"]

    def bounds(self, now: datetime, _zone: ZoneInfo) -> Bounds:
        """Return where it lies at ``now``."""
        return Bounds(None, now - self.delta())


class ExactlyAgo(_Length):
    """That calendar day of the shop's zone, that full hour, that full minute (features row 52)."""

    type: Literal["exactly_ago"]
    amount: Whole = Field(ge=0, le=MAX_DAYS * 24 * 60)

    def bounds(self, now: datetime, zone: ZoneInfo) -> Bounds:
        """Return where it lies at ``now``."""
        if self.unit is Unit.DAYS:
            day = now.astimezone(zone).date() - timedelta(days=self.amount)
            return Bounds(day_start(day, zone), day_start(day + timedelta(days=1), zone))
        then = (now - self.delta()).astimezone(zone)
        past = timedelta(seconds=then.second, microseconds=then.microsecond)
        if self.unit is Unit.HOURS:
            past += timedelta(minutes=then.minute)
        start = then.astimezone(UTC) - past
        return Bounds(start, start + timedelta(**{self.unit.value: 1}))


class Between(Strict):
    """From one calendar day of the shop's zone to another, both included. It does not move."""

    type: Literal["between"]
    from_: Day = Field(alias="from")
    to: Day

    @model_validator(mode="after")
    def _is_a_stretch(self) -> Between:
        if self.to < self.from_:
            raise ValueError("`to` lies before `from`")
        if (self.to - self.from_).days >= MAX_DAYS:
            raise ValueError(f"at most {MAX_DAYS} days")
        return self

    def bounds(self, _now: datetime, zone: ZoneInfo) -> Bounds:
        """Return where it lies, whenever."""
        return Bounds(day_start(self.from_, zone), day_start(self.to + timedelta(days=1), zone))


Window = Annotated[LastDays | Within | Before | ExactlyAgo | Between, Field(discriminator="type")]
AnyWindow = LastDays | Within | Before | ExactlyAgo | Between


def passed(window: AnyWindow, *, since: datetime, until: datetime, zone: ZoneInfo) -> list[Bounds]:
    """Return the stretches that left or entered the window between two moments; whatever lies outside them did not."""
    then, now = window.bounds(since, zone), window.bounds(until, zone)
    slices = []
    for before, after in ((then.start, now.start), (then.end, now.end)):
        if before is not None and after is not None and before != after:
            slices.append(Bounds(min(before, after), max(before, after)))
    return slices
