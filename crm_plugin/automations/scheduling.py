"""Who enters by the clock: at each moment of a campaign's schedule, everybody who is in its audience.

A moment is one ``ScheduleSlot``, unique for the campaign: a double or late beat cannot run it twice. The audience is
asked as of the moment, not of the beat, so that a late worker enrolls the same people. A moment that nobody looked at
until it was stale is dropped, and says so.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import assert_never
from zoneinfo import ZoneInfo

from django.db import connection

from crm_plugin import clock, merchant
from crm_plugin.audience import AudienceRule, compile
from crm_plugin.automations.definition import AudienceTrigger, DailySchedule, Definition, OnceSchedule, Reentry, Trigger
from crm_plugin.automations.matching import running
from crm_plugin.automations.models import Campaign, CampaignState, ScheduleSlot, SlotState
from crm_plugin.conf import settings

logger = logging.getLogger(__name__)

#: Moments that one look plans for a campaign, at most: the beat was away, and all but the newest are stale.
MOST_MOMENTS = 31

_ENROLL = """
INSERT INTO crm_plugin_enrollment (campaign_id, version_id, contact_id, subject_key, epoch, state, reason, step, due_at,
    is_collecting, items, entered_at)
SELECT %(campaign)s, %(version)s, who.contact_id, '', %(epoch)s, 'active', '', 0, %(now)s, FALSE, '[]'::jsonb, %(slot)s
FROM ({audience}) who
WHERE NOT EXISTS (SELECT 1 FROM crm_plugin_enrollment e
    WHERE e.campaign_id = %(campaign)s AND e.contact_id = who.contact_id AND e.state = 'active')
ORDER BY who.contact_id
ON CONFLICT DO NOTHING
"""


def plan_slots() -> int:
    """Note the moments that have come for running campaigns; return how many are new."""
    before = ScheduleSlot.objects.count() if (due := list(_due())) else 0
    ScheduleSlot.objects.bulk_create(due, ignore_conflicts=True)
    return ScheduleSlot.objects.count() - before if due else 0


def run_slot() -> int | None:
    """Enroll the audience of the oldest moment that is open. Must run in a transaction.

    Returns:
        How many people entered; None when there is no moment to do (or another worker is at it).
    """
    slot = (
        ScheduleSlot.objects.filter(state=SlotState.OPEN, slot_at__lte=clock.now())
        .select_related("campaign__version")
        .select_for_update(skip_locked=True, of=("self",))
        .order_by("slot_at", "pk")
        .first()
    )
    if slot is None:
        return None
    trigger = _trigger_of(slot.campaign)
    is_stale = slot.slot_at < clock.now() - timedelta(hours=settings().stale_after_hours)
    if trigger is None or is_stale:
        logger.warning("crm: campaign %s: the moment %s is dropped", slot.campaign_id, slot.slot_at)
        slot.state = SlotState.DROPPED
    else:
        slot.enrolled_count = _enroll(slot, trigger)
        slot.state = SlotState.DONE
    slot.save(update_fields=("state", "enrolled_count"))
    return slot.enrolled_count


def is_over(trigger: Trigger) -> bool:
    """Whether the trigger's one moment has passed."""
    if not isinstance(trigger, AudienceTrigger) or not isinstance(trigger.schedule, OnceSchedule):
        return False
    return _utc(trigger.schedule.at, merchant.zone()) <= clock.now()


def _trigger_of(campaign: Campaign) -> AudienceTrigger | None:
    """Return the trigger that the campaign runs with now; None when it does not run, or starts otherwise."""
    if campaign.state != CampaignState.RUNNING or campaign.version is None:
        return None
    trigger = Definition.parse(campaign.version.definition).trigger
    return trigger if isinstance(trigger, AudienceTrigger) else None


def _enroll(slot: ScheduleSlot, trigger: AudienceTrigger) -> int:
    query = compile(AudienceRule.parse(trigger.audience), now=slot.slot_at)
    run = {
        "campaign": slot.campaign_id,
        "version": slot.campaign.version_id,
        "epoch": 0 if trigger.reentry is Reentry.ONCE else slot.pk,
        "now": clock.now(),
        "slot": slot.slot_at,
    }
    with connection.cursor() as cursor:
        cursor.execute(_ENROLL.format(audience=query.sql), {**query.params, **run})
        return int(cursor.rowcount)


def _due() -> Iterator[ScheduleSlot]:
    now, zone = clock.now(), merchant.zone()
    for campaign, definition in running():
        if not isinstance(definition.trigger, AudienceTrigger):
            continue
        for moment in _moments(campaign, definition.trigger, now=now, zone=zone):
            yield ScheduleSlot(campaign=campaign, slot_at=moment, created_at=now)


def _moments(campaign: Campaign, trigger: AudienceTrigger, *, now: datetime, zone: ZoneInfo) -> list[datetime]:
    """Return the campaign's moments up to now since it began to run, the newest first."""
    since = max(at for at in (campaign.running_since, campaign.starts_at) if at is not None)
    match trigger.schedule:
        case OnceSchedule() as once:
            found = [_utc(once.at, zone)]
        case DailySchedule() as daily:
            today = now.astimezone(zone).date()
            days = (today - timedelta(days=back) for back in range(MOST_MOMENTS))
            found = [_utc(datetime.combine(day, daily.at), zone) for day in days]
        case _ as never:
            assert_never(never)
    return [moment for moment in found if since <= moment <= now]


def _utc(local: datetime, zone: ZoneInfo) -> datetime:
    """Return the moment of a local time; one that the clocks skip is as much later, one that comes twice the first."""
    return local.replace(tzinfo=zone).astimezone(UTC)
