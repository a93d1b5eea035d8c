"""Who would enter by the clock: at the moments of a calendar that are to come, and when timers fire.

Everybody is asked by the questions that the slots and the timers ask when their time has come; here they are asked
today.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from crm_plugin import merchant
from crm_plugin.automations import abandoning, delaying
from crm_plugin.automations.entering import Entrant
from crm_plugin.automations.models import Timer
from crm_plugin.automations.running import Running, running
from crm_plugin.automations.scheduling.base import Cohort, Occasion
from crm_plugin.automations.scheduling.expecting import expected
from crm_plugin.automations.scheduling.moments import by_the_clock, day_of, moments, reach_of
from crm_plugin.automations.timers import Alarm, Due
from crm_plugin.automations.triggers import AbandonedTrigger, AfterTrigger, DateTrigger

#: Contacts whose own day is looked at for one moment: all of them. The date is asked in SQL; few come back.
_EVERYBODY: Final = 2**31
_TICK: Final = timedelta(microseconds=1)


def by_calendar(one: Running, *, now: datetime, until: datetime, limit: int) -> Iterator[Cohort]:
    """Walk over the people of each moment to come, ``limit`` of each at most; a query or two for each moment."""
    trigger = by_the_clock(one.definition.trigger)
    if trigger is None:
        return
    zone = merchant.zone()
    first = max(now, one.since)
    halfway = first + (until - first) / 2  # of a long stretch, only the latest moments are told
    found = {
        *moments(trigger, zone=zone, first=first - reach_of(trigger), last=halfway),
        *moments(trigger, zone=zone, first=halfway, last=until - _TICK),
    }
    for number, moment in enumerate(sorted(found), start=1):
        occasion = Occasion(
            slot_id=-number,  # like none that there has been
            campaign_id=one.campaign_id,
            version_id=one.version.version_id,
            at=moment,
            day=day_of(trigger, moment, zone=zone),
            zone=zone,
            now=moment,
            since=first,
            oldest=first,
            after_contact=0,
            limit=_EVERYBODY if isinstance(trigger, DateTrigger) else limit,
        )
        cohort = expected(trigger, occasion)
        yield Cohort([who for who in cohort.entrants if first <= who.due_at < until], cohort.last_contact)


def by_timer(one: Running, *, now: datetime, until: datetime, limit: int) -> list[Entrant]:
    """Return who would enter when the timers of the campaign fire that are set now; a few queries for all of them."""
    rows = Timer.objects.filter(campaign_id=one.campaign_id, due_at__lt=until).order_by("due_at", "pk")[:limit]
    dues = [Due(row.pk, _alarm(row), one) for row in rows]
    match one.definition.trigger:
        case AbandonedTrigger() if dues:
            found = _left_alone(dues)
        case AfterTrigger() as trigger if dues:
            found = _delayed(dues, trigger)
        case _:
            found = []
    return [replace(who, due_at=max(at, now)) for who, at in found if at < until]


def _left_alone(dues: Sequence[Due]) -> list[tuple[Entrant, datetime]]:
    """Return whose cart would be found as it is now, each with the moment; one changed since waits on from there."""
    campaigns = running()
    lying, again = abandoning.left_alone(dues, campaigns=campaigns)
    if again:
        later, _ = abandoning.left_alone([Due(0, alarm, dues[0].one) for alarm in again], campaigns=campaigns)
        lying += later
    moments_of = {(one.pair[0], one.due.alarm.subject_key): one.due.alarm.due_at for one in lying}
    return [(who, moments_of[who.contact_id, who.subject_key]) for who in abandoning.entrants_of(lying)]


def _delayed(dues: Sequence[Due], trigger: AfterTrigger) -> list[tuple[Entrant, datetime]]:
    seconds = dict(zip(trigger.amounts, trigger.seconds(), strict=True))
    entrants = delaying.decide(dues).entrants
    return [(who, who.entered_at + timedelta(seconds=seconds[who.context["rung"]])) for who in entrants]


def _alarm(row: Timer) -> Alarm:
    return Alarm(
        campaign_id=row.campaign_id,
        contact_id=row.contact_id,
        subject_key=row.subject_key,
        rung=row.rung,
        starts_at=row.starts_at,
        due_at=row.due_at,
        activity_id=row.activity_id,
    )
