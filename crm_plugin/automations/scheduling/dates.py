"""A person's own day: a birthday, an anniversary, any date that the merchant keeps.

Attributes are the merchant's, so no index can know them. A chunk looks at so many contacts by their ids, whether it is
their day or not: each transaction is bounded, and everybody is looked at once a day.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from django.db import connection

from crm_plugin import clock
from crm_plugin.automations.entering import Entrant
from crm_plugin.automations.fields import Zone
from crm_plugin.automations.inside import inside as members_of
from crm_plugin.automations.scheduling.base import Cohort, Occasion
from crm_plugin.automations.triggers import DateTrigger

#: Days that every contact has by itself: moments, whose day is that of the shop's clocks.
OWN_DAYS: Final = ("joined_at", "first_order_at", "last_order_at")

_LOOKED_AT = """
SELECT max(id), count(*) FROM (SELECT id FROM crm_plugin_contact WHERE id > %s ORDER BY id LIMIT %s) c
"""
_CONCERNED = """
SELECT c.id, c.time_zone, {value} FROM crm_plugin_contact c
WHERE c.id > %(after)s AND c.id <= %(last)s AND c.erased_at IS NULL
    AND (c.customer_id IS NOT NULL OR c.email IS NOT NULL) AND {maybe}
ORDER BY c.id
"""
_TEXT: Final = "(c.attributes ->> %(name)s)"


def concerned(trigger: DateTrigger, occasion: Occasion) -> Cohort:
    """Return those of the next contacts whose day it is."""
    with connection.cursor() as cursor:
        cursor.execute(_LOOKED_AT, [occasion.after_contact, occasion.limit])
        last, size = cursor.fetchone()
    if not size:
        return Cohort((), None)
    found = [one for one in _entrants(trigger, occasion, last) if one.due_at >= max(occasion.since, occasion.oldest)]
    if trigger.audience is not None:
        inside = members_of(trigger.audience, {one.contact_id for one in found}, now=occasion.at)
        found = [one for one in found if one.contact_id in inside]
    return Cohort(found, last if size >= occasion.limit else None)


def is_their_day(value: date, day: date, *, is_yearly: bool) -> bool:
    """Whether ``day`` is the date or, when it comes every year, an anniversary of it.

    Born on 29 February: on the 28th of every year that has no 29th.
    """
    if not is_yearly:
        return value == day
    if value > day:
        return False
    return (value.month, value.day) == (day.month, day.day) or (
        (value.month, value.day, day.month, day.day) == (2, 29, 2, 28) and not _is_leap(day.year)
    )


def _entrants(trigger: DateTrigger, occasion: Occasion, last: int) -> Iterator[Entrant]:
    day = occasion.day - timedelta(days=trigger.offset_days)
    moment = datetime.combine(occasion.day, trigger.at)
    for contact_id, zone_name, value in _rows(trigger, occasion, day, last):
        own = _date_of(value, occasion.zone)
        if own is None or not is_their_day(own, day, is_yearly=trigger.is_yearly):
            continue
        if trigger.is_yearly and isinstance(value, datetime) and own == day:
            continue  # it happened today: that is no anniversary yet
        own_zone = clock.zone_named(zone_name) if trigger.zone is Zone.CONTACT else None
        turn = clock.utc(moment, own_zone or occasion.zone)
        yield Entrant(
            campaign_id=occasion.campaign_id,
            version_id=occasion.version_id,
            contact_id=contact_id,
            subject_key=f"date:{trigger.attribute}",
            epoch=day.year if trigger.is_yearly else day.toordinal(),
            lane=f"date:{trigger.attribute}",
            due_at=turn,
            entered_at=turn,
            context={"date": day.isoformat()},
        )


def _rows(trigger: DateTrigger, occasion: Occasion, day: date, last: int) -> list[tuple[int, str, str | datetime]]:
    """Return the contacts whose day it may be; which day a moment falls on, ``zoneinfo`` decides, not the database."""
    value = f"c.{trigger.attribute}" if trigger.attribute in OWN_DAYS else _TEXT
    near = [day + timedelta(days=shift) for shift in (-1, 0, 1)] if trigger.attribute in OWN_DAYS else [day]
    if trigger.is_yearly:
        texts, pattern = {f"{one:%m-%d}" for one in near}, "MM-DD"
        if "02-28" in texts:
            texts.add("02-29")
    else:
        texts, pattern = {one.isoformat() for one in near}, "YYYY-MM-DD"
    text = f"to_char({value} AT TIME ZONE 'UTC', '{pattern}')" if value != _TEXT else f"right({value}, {len(pattern)})"
    with connection.cursor() as cursor:
        cursor.execute(
            _CONCERNED.format(value=value, maybe=f"{text} = ANY(%(texts)s)"),
            {"after": occasion.after_contact, "last": last, "name": trigger.attribute, "texts": sorted(texts)},
        )
        rows: list[tuple[int, str, str | datetime]] = cursor.fetchall()
    return rows


def _date_of(value: str | datetime, zone: ZoneInfo) -> date | None:
    """Return the date; None when the text is none."""
    if isinstance(value, datetime):
        return value.astimezone(zone).date()
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def _is_leap(year: int) -> bool:
    return (date(year, 3, 1) - timedelta(days=1)).day == 29
