"""The next moment at which a local clock says what is waited for."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from crm_plugin import clock

#: Yesterday's stretch may last until today, and a week has every weekday.
_DAYS: Final = range(-1, 9)


def next_moment(
    now: datetime, *, at: time, zone: ZoneInfo, to: time | None = None, weekdays: Collection[int] = ()
) -> datetime:
    """Return the next moment at which the clock stands at ``at``; with ``to``, ``now`` if it is in between.

    Days on which clocks are changed are as ``clock.utc`` has them.

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
        start = clock.utc(datetime.combine(day, at), zone)
        if start >= now:
            return start
        if to is not None and now < clock.utc(datetime.combine(day if to > at else day + timedelta(days=1), to), zone):
            return now
    raise ValueError("a weekday is a number from 0 to 6")
