"""The only source of the present moment, and of what a local clock means.

Every module asks ``clock.now()``; tests freeze or move it with ``travel``. UTC always: a shop's or a
person's zone is applied only where a rule names it, by ``utc`` and ``day_start``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

_offset: ContextVar[timedelta | None] = ContextVar("crm_clock_offset", default=None)
_frozen: ContextVar[datetime | None] = ContextVar("crm_clock_frozen", default=None)


def now() -> datetime:
    """Return the present moment, aware, in UTC."""
    frozen = _frozen.get()
    if frozen is not None:
        return frozen
    offset = _offset.get()
    return datetime.now(UTC) + offset if offset else datetime.now(UTC)


def utc(local: datetime, zone: tzinfo) -> datetime:
    """Return the moment at which a clock of the zone shows ``local``.

    A time that the clock skips (the hour in spring) comes as much later as the clock was put on; of a time that comes
    twice (the hour in autumn) the first is meant. Both is what ``fold=0`` says (PEP 495).
    """
    return local.replace(tzinfo=zone, fold=0).astimezone(UTC)


def day_start(day: date, zone: tzinfo) -> datetime:
    """Return the first moment of a calendar day, in UTC; where the clock skips midnight, the moment it skips to."""
    return utc(datetime.combine(day, time.min), zone)


def end_of_stretch(begins: time, ends: time, *, at: datetime, zone: tzinfo) -> datetime | None:
    """Return when the daily stretch between two times ends in which ``at`` lies; None when it lies in none.

    The first moment belongs to the stretch, the last does not; it crosses midnight when it ends earlier than it begins.
    On days on which clocks are changed, it begins and ends when the clock on the wall says so.
    """
    today = at.astimezone(zone).date()
    for begins_on in (today - timedelta(days=1), today):
        ends_on = begins_on + timedelta(days=1) if ends < begins else begins_on
        end = utc(datetime.combine(ends_on, ends), zone)
        if utc(datetime.combine(begins_on, begins), zone) <= at < end:
            return end
    return None


@lru_cache(maxsize=1_000)
def zone_named(name: str) -> ZoneInfo | None:
    """Return the time zone; None when there is none of this name."""
    try:
        return ZoneInfo(name) if name else None
    except (KeyError, OSError, ValueError):  # not found, a folder, no name at all
        return None


@contextmanager
def travel(*, to: datetime | None = None, by: timedelta | None = None) -> Iterator[None]:
    """Freeze the clock at ``to``, or let it run on shifted by ``by``, for tests and dry runs."""
    if to is not None and to.tzinfo is None:
        raise ValueError("travel(to=...) needs an aware datetime")
    frozen, offset = _frozen.set(to), _offset.set(by)
    try:
        yield
    finally:
        _frozen.reset(frozen)
        _offset.reset(offset)
