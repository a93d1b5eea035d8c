"""When a trigger that goes by the clock has its moments, and what day each of them is about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from crm_plugin import clock, merchant
from crm_plugin.automations.fields import Weekday, Zone
from crm_plugin.automations.triggers import (
    AfterTrigger,
    AudienceTrigger,
    CouponExpiryTrigger,
    DateTrigger,
    OnceSchedule,
    Trigger,
)

#: Moments that one look plans for a campaign, at most: the beat was away, and all but the newest are stale.
MOST_MOMENTS: Final = 31

#: Where on earth a day begins first, and how much later its last hour of the same name comes (UTC+14 to UTC-12).
FIRST_ZONE: Final = timezone(timedelta(hours=14))
AROUND_THE_EARTH: Final = timedelta(hours=26)

CalendarTrigger = AudienceTrigger | AfterTrigger | DateTrigger | CouponExpiryTrigger

_WEEK: Final = tuple(Weekday)


def by_the_clock(trigger: Trigger) -> CalendarTrigger | None:
    """Return the trigger if it has moments; None when it starts by something that happens."""
    if isinstance(trigger, AfterTrigger):
        return trigger if trigger.unit == "days" else None
    return trigger if isinstance(trigger, AudienceTrigger | DateTrigger | CouponExpiryTrigger) else None


def moments(trigger: CalendarTrigger, *, zone: ZoneInfo, first: datetime, last: datetime) -> list[datetime]:
    """Return the trigger's moments between two, both included; of very many the latest.

    Args:
        trigger: what has the moments.
        zone: the shop's.
        first: the beginning of the stretch.
        last: its end.
    """
    if isinstance(trigger, AudienceTrigger) and isinstance(trigger.schedule, OnceSchedule):
        found: Sequence[datetime] = [clock.utc(trigger.schedule.at, zone)]
    else:
        found = list(_daily(trigger, zone=zone, first=first, last=last))
    return [moment for moment in found if first <= moment <= last]


def day_of(trigger: CalendarTrigger, moment: datetime, *, zone: ZoneInfo) -> date:
    """Return the day that a moment is about."""
    return moment.astimezone(_zone_of(trigger, zone)).date()


def reach_of(trigger: CalendarTrigger) -> timedelta:
    """Return how long after its moment the last person's turn can come.

    A slot that goes by each contact's own clocks comes as early as that hour comes anywhere, and enrolls people whose
    turn is still ahead.
    """
    return AROUND_THE_EARTH if _is_by_contact(trigger) else timedelta(0)


def is_over(trigger: Trigger) -> bool:
    """Whether the trigger's one moment has passed."""
    if not isinstance(trigger, AudienceTrigger) or not isinstance(trigger.schedule, OnceSchedule):
        return False
    return clock.utc(trigger.schedule.at, merchant.zone()) <= clock.now()


def _daily(trigger: CalendarTrigger, *, zone: ZoneInfo, first: datetime, last: datetime) -> Iterator[datetime]:
    place, at, weekdays = _zone_of(trigger, zone), _at(trigger), _weekdays(trigger)
    end = last.astimezone(place).date()
    day = max(first.astimezone(place).date(), end - timedelta(days=MOST_MOMENTS - 1))
    while day <= end:
        if not weekdays or _WEEK[day.weekday()] in weekdays:
            yield clock.utc(datetime.combine(day, at), place)
        day += timedelta(days=1)


def _at(trigger: CalendarTrigger) -> time:
    at = trigger.schedule.at if isinstance(trigger, AudienceTrigger) else trigger.at
    assert isinstance(at, time)  # noqa: S101 - a trigger of days has it; one moment is no daily schedule
    return at


def _weekdays(trigger: CalendarTrigger) -> tuple[Weekday, ...]:
    if isinstance(trigger, AudienceTrigger) and not isinstance(trigger.schedule, OnceSchedule):
        return trigger.schedule.weekdays
    return ()


def _zone_of(trigger: CalendarTrigger, zone: ZoneInfo) -> tzinfo:
    return FIRST_ZONE if _is_by_contact(trigger) else zone


def _is_by_contact(trigger: CalendarTrigger) -> bool:
    return isinstance(trigger, DateTrigger) and trigger.zone is Zone.CONTACT
