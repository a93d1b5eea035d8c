"""The next moment at which a local clock says what is waited for."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

#: Yesterday's stretch may last until today, and a week has every weekday.
_DAYS: Final = range(-1, 9)


@lru_cache(maxsize=1_000)
def zone_named(name: str) -> ZoneInfo | None:
    """Return the zone; None when there is none of this name."""
    try:
        return ZoneInfo(name) if name else None
    except (KeyError, OSError, ValueError):  # not found, a folder, no name at all
        return None


def next_moment(
    now: datetime, *, at: time, zone: ZoneInfo, to: time | None = None, weekdays: Collection[int] = ()
) -> datetime:
    """Return the next moment at which the clock stands at ``at``; with ``to``, ``now`` if it is in between.

    A time that the clock skips (the hour in spring) comes as much later as the clock was put on; of a time that comes
    twice (the hour in autumn) the first is meant. Both is what ``fold=0`` says (PEP 495).

    Args:
        now: exactly ``at`` counts as now.
        at: a time of day.
        to: another one, not included; it lies on the next day when it is earlier than ``at``.
        zone: whose clocks.
        weekdays: numbers of the days (Monday is 0) on which the stretch may begin; empty: any.
    """
    today = now.astimezone(zone).date()
    for days in _DAYS:
        day = today + timedelta(days=days)
        if weekdays and day.weekday() not in weekdays:
            continue
        start = _moment(day, at, zone)
        if start >= now:
            return start
        if to is not None and now < _moment(day if to > at else day + timedelta(days=1), to, zone):
            return now
    raise ValueError("a weekday is a number from 0 to 6")


def _moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, at.replace(fold=0), zone).astimezone(UTC)
