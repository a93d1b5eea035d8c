"""Planning and running slots: the way of one moment from being due to having let everybody in."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import connection

from crm_plugin import clock, merchant
from crm_plugin.automations.entering import enroll
from crm_plugin.automations.models import Campaign, CampaignState, ScheduleSlot, SlotState
from crm_plugin.automations.running import Running, running, versions
from crm_plugin.automations.scheduling import audience
from crm_plugin.automations.scheduling.base import Chunk, Occasion
from crm_plugin.automations.scheduling.expecting import expected
from crm_plugin.automations.scheduling.moments import CalendarTrigger, by_the_clock, day_of, moments, reach_of
from crm_plugin.automations.triggers import AudienceTrigger
from crm_plugin.conf import settings

logger = logging.getLogger(__name__)

#: The newest moment that was planned for each campaign; one look into an index for each.
_NEWEST = """
SELECT wanted.id, newest.slot_at FROM unnest(%s::bigint[]) AS wanted(id) CROSS JOIN LATERAL (
    SELECT s.slot_at FROM crm_plugin_scheduleslot s WHERE s.campaign_id = wanted.id ORDER BY s.slot_at DESC LIMIT 1
) newest
"""
_PLAN = """
INSERT INTO crm_plugin_scheduleslot (campaign_id, slot_at, state, after_contact, enrolled_count, created_at)
SELECT n.campaign_id, n.slot_at, 'open', 0, 0, %s
FROM unnest(%s::bigint[], %s::timestamptz[]) AS n(campaign_id, slot_at)
ORDER BY n.slot_at, n.campaign_id
ON CONFLICT DO NOTHING
"""


def plan_slots() -> int:
    """Note the moments that have come for running campaigns; return how many are new."""
    planned = list(_due())
    if not planned:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_PLAN, [clock.now(), *(list(column) for column in zip(*planned, strict=True))])
        return int(cursor.rowcount)


def run_slot() -> int | None:
    """Enroll the next chunk of people of the oldest moment that is open. Must run in a transaction.

    Returns:
        How many people entered; None when there is no moment to do (or other workers are at all of them).
    """
    slot = _claim()
    if slot is None:
        return None
    trigger = _trigger_of(slot.campaign)
    chunk = Chunk(0, None)
    if trigger is None or not _is_wanted(slot, trigger):
        logger.warning("crm: campaign %s: the moment %s is dropped", slot.campaign_id, slot.slot_at)
        slot.state = SlotState.DROPPED
    else:
        chunk = _enter(trigger, _occasion(slot, trigger))
        slot.enrolled_count += chunk.entered
        slot.state = SlotState.DONE if chunk.last_contact is None else SlotState.OPEN
        slot.after_contact = chunk.last_contact or slot.after_contact
    slot.save(update_fields=("state", "enrolled_count", "after_contact"))
    return chunk.entered


def _claim() -> ScheduleSlot | None:
    """Lock the oldest open moment and its campaign; those of paused campaigns rest.

    With the campaign's row, no two workers let people into the same campaign by the clock at once: "not before 30 days
    have passed since the last time" is asked of runs that were there when the statement began. Enrollments refer to
    that row with a weaker lock, and nobody else waits.
    """
    return (
        ScheduleSlot.objects.filter(state=SlotState.OPEN, slot_at__lte=clock.now())
        .exclude(campaign__state=CampaignState.PAUSED)
        .select_related("campaign")
        .select_for_update(skip_locked=True, no_key=True, of=("self", "campaign"))
        .order_by("slot_at", "pk")
        .first()
    )


def _trigger_of(campaign: Campaign) -> CalendarTrigger | None:
    """Return the trigger that the campaign runs with now; None when it does not run, or starts otherwise."""
    if campaign.state != CampaignState.RUNNING or campaign.version_id is None:
        return None
    if campaign.ends_at is not None and campaign.ends_at <= clock.now():
        return None
    return by_the_clock(versions([campaign.version_id])[campaign.version_id].definition.trigger)


def _is_wanted(slot: ScheduleSlot, trigger: CalendarTrigger) -> bool:
    """Whether it is still a moment of the version that runs now, and no older than what is news."""
    if slot.slot_at + reach_of(trigger) < _oldest():
        return False
    return bool(moments(trigger, zone=merchant.zone(), first=slot.slot_at, last=slot.slot_at))


def _occasion(slot: ScheduleSlot, trigger: CalendarTrigger) -> Occasion:
    zone, campaign = merchant.zone(), slot.campaign
    assert campaign.version_id is not None  # noqa: S101 - a running campaign has one; the database says so
    return Occasion(
        slot_id=slot.pk,
        campaign_id=campaign.pk,
        version_id=campaign.version_id,
        at=slot.slot_at,
        day=day_of(trigger, slot.slot_at, zone=zone),
        zone=zone,
        now=clock.now(),
        since=max(at for at in (campaign.running_since, campaign.starts_at, campaign.created_at) if at is not None),
        oldest=_oldest(),
        after_contact=slot.after_contact,
        limit=settings().fan_out_batch,
    )


def _enter(trigger: CalendarTrigger, occasion: Occasion) -> Chunk:
    """Let the next people in: an audience by a statement of its own, all others as they are expected."""
    if isinstance(trigger, AudienceTrigger):
        return audience.enter(trigger, occasion)
    found = expected(trigger, occasion)
    return Chunk(enroll(found.entrants), found.last_contact)


def _due() -> Iterator[tuple[int, datetime]]:
    """Walk over the campaigns' moments up to now, since they run and behind the newest that was planned."""
    ticking = [(one, trigger) for one in running() if (trigger := by_the_clock(one.definition.trigger)) is not None]
    if not ticking:
        return
    newest, zone, now = _newest([one for one, _trigger in ticking]), merchant.zone(), clock.now()
    for one, trigger in ticking:
        first = one.since - reach_of(trigger)
        if (planned := newest.get(one.campaign_id)) is not None:
            first = max(first, planned + timedelta(microseconds=1))
        for moment in moments(trigger, zone=zone, first=first, last=now):
            yield one.campaign_id, moment


def _newest(campaigns: list[Running]) -> dict[int, datetime]:
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST, [[one.campaign_id for one in campaigns]])
        return dict(cursor.fetchall())


def _oldest() -> datetime:
    return clock.now() - timedelta(hours=settings().stale_after_hours)
