"""So many hours or minutes after an activity: each person to the minute (``after`` with a unit below a day).

A timer counts from one activity. Filters that do not change are asked when it is set; all of them, and the audience, at
its moment.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeGuard

from django.db import connection

from crm_plugin import activity, clock
from crm_plugin.activity import Happening
from crm_plugin.automations.entering import Entrant, entrant_of
from crm_plugin.automations.matching import Index, suits
from crm_plugin.automations.models import CampaignVersion, ScheduleSlot, SlotState
from crm_plugin.automations.rungs import rung_key
from crm_plugin.automations.running import Running
from crm_plugin.automations.timers import Alarm, Decision, Due, arm, in_audience
from crm_plugin.automations.triggers import AfterTrigger, Deed, Trigger, Which
from crm_plugin.conf import settings
from crm_plugin.shop import FactKind

#: A drain that began before a campaign was published does not know of it; this long after, there is none left.
SEED_AFTER_SECONDS = 10
#: The most activities from before its publishing that a campaign counts from, the newest.
MOST_SEEDED = 100_000
#: How many of them are read at once.
SEED_CHUNK = 5_000

_RECENT = """
SELECT id FROM crm_plugin_activity WHERE kind = %s AND occurred_at > %s AND occurred_at <= %s
ORDER BY occurred_at DESC, id DESC LIMIT %s
"""
_MARK = """
INSERT INTO crm_plugin_scheduleslot (campaign_id, slot_at, state, after_contact, enrolled_count, created_at)
VALUES (%s, %s, %s, 0, 0, %s) ON CONFLICT DO NOTHING
"""

Timed = tuple[Running, AfterTrigger]


def is_timed(trigger: Trigger) -> TypeGuard[AfterTrigger]:
    """Whether the trigger waits to the minute; days are a matter of the calendar."""
    return isinstance(trigger, AfterTrigger) and trigger.unit != "days"


def alarms(campaigns: Sequence[Running], *, added: Mapping[FactKind, Sequence[int]]) -> list[Alarm]:
    """Return the timers that the new activities (ids by kind) set."""
    timed = [(one, trigger) for one, trigger in _timed(campaigns) if added.get(trigger.activity)]
    ids = {pk for _one, trigger in timed for pk in added[trigger.activity]}
    if not ids:
        return []
    oldest = clock.now() - timedelta(hours=settings().trigger_max_age_hours)
    return _alarms(activity.happenings(ids), timed, {one.campaign_id: max(oldest, one.since) for one, _ in timed})


def seed(campaigns: Sequence[Running]) -> list[Running]:
    """Count from what happened before a campaign ran, where the moment comes after (features row 52).

    Once for each time that it begins to run, and for each version.

    Returns:
        The campaigns whose timers may fire: those for which that was done.
    """
    timed = _timed(campaigns)
    if not timed:
        return []
    begun = _begun([one for one, _trigger in timed])
    rows = ScheduleSlot.objects.filter(campaign_id__in=begun, slot_at__in=set(begun.values()))
    done = set(rows.values_list("campaign_id", "slot_at"))
    for one, trigger in timed:
        since = begun[one.campaign_id]
        if (one.campaign_id, since) not in done and clock.now() - since >= timedelta(seconds=SEED_AFTER_SECONDS):
            _seed(one, trigger, since=since)
            done.add((one.campaign_id, since))
    return [one for one, _trigger in timed if (one.campaign_id, begun[one.campaign_id]) in done]


def counted_from(campaigns: Sequence[Running]) -> dict[int, datetime]:
    """Return since when each campaign that waits to the minute counts; a slot of that moment says that it was done."""
    return _begun([one for one, _trigger in _timed(campaigns)])


def decide(dues: Sequence[Due]) -> Decision:
    """Return who enters because of timers that are due."""
    happenings = activity.happenings({due.alarm.activity_id for due in dues if due.alarm.activity_id is not None})
    timed = _timed(list({due.one.campaign_id: due.one for due in dues}.values()))
    known = {(one.campaign_id, happening.activity_id): happening for one, _, happening in _met(happenings, timed)}
    triggers = {one.campaign_id: trigger for one, trigger in timed}
    entrants = [
        entrant
        for due in dues
        if (happening := known.get((due.one.campaign_id, due.alarm.activity_id or 0))) is not None
        and happening.contact_id == due.alarm.contact_id
        and (entrant := _entrant(due, triggers[due.one.campaign_id], happening)) is not None
    ]
    return Decision(in_audience(entrants, {pk: trigger.audience for pk, trigger in triggers.items()}))


def _timed(campaigns: Iterable[Running]) -> list[Timed]:
    return [(one, one.definition.trigger) for one in campaigns if is_timed(one.definition.trigger)]


def _met(happenings: Sequence[Happening], timed: Sequence[Timed]) -> Iterator[tuple[Running, AfterTrigger, Happening]]:
    """Walk over the activities and the campaigns whose filters they pass; nobody's audience is asked."""
    indexes: dict[FactKind, Index] = defaultdict(Index)
    triggers = {one.campaign_id: trigger for one, trigger in timed}
    for one, trigger in timed:
        indexes[trigger.activity].add(one, trigger)
    has_groups = any(index.by_group for index in indexes.values())
    groups = activity.groups_of({p for one in happenings for p in one.product_ids}) if has_groups else {}
    for happening in happenings:
        deed: Deed
        for one, deed in indexes[happening.kind].candidates(happening, groups):
            if suits(deed, happening):
                yield one, triggers[one.campaign_id], happening


def _alarms(happenings: Sequence[Happening], timed: Sequence[Timed], since: Mapping[int, datetime]) -> list[Alarm]:
    """Return the timers whose moment is not before the campaign's ``since``."""
    return [
        Alarm(
            campaign_id=one.campaign_id,
            contact_id=happening.contact_id,
            subject_key=f"activity:{happening.activity_id}" if trigger.which is Which.EACH else "",
            rung=seconds,
            starts_at=happening.occurred_at,
            due_at=due_at,
            activity_id=happening.activity_id,
        )
        for one, trigger, happening in _met(happenings, timed)
        for seconds in trigger.seconds()
        if (due_at := happening.occurred_at + timedelta(seconds=seconds)) >= since[one.campaign_id]
    ]


def _begun(campaigns: Sequence[Running]) -> dict[int, datetime]:
    """Return since when each campaign runs with its version."""
    rows = CampaignVersion.objects.filter(pk__in=[one.version.version_id for one in campaigns])
    published = dict(rows.values_list("pk", "published_at"))
    return {one.campaign_id: max(one.since, published[one.version.version_id]) for one in campaigns}


def _seed(one: Running, trigger: AfterTrigger, *, since: datetime) -> None:
    now = clock.now()
    with connection.cursor() as cursor:
        cursor.execute(_MARK, [one.campaign_id, since, SlotState.DONE.value, now])
        if not cursor.rowcount:  # another worker was faster
            return
        earliest = since - timedelta(seconds=max(trigger.seconds()))
        cursor.execute(_RECENT, [trigger.activity.value, earliest, now, MOST_SEEDED])
        ids = [pk for (pk,) in cursor.fetchall()]
    for start in range(0, len(ids), SEED_CHUNK):
        chunk = activity.happenings(ids[start : start + SEED_CHUNK])
        arm(_alarms(chunk, [(one, trigger)], {one.campaign_id: since}))


def _entrant(due: Due, trigger: AfterTrigger, happening: Happening) -> Entrant | None:
    """Return who enters; None when the ladder has no such rung any more."""
    if due.alarm.rung not in trigger.seconds():
        return None
    amount = trigger.amounts[trigger.seconds().index(due.alarm.rung)]
    key = rung_key(trigger, happening, amount=amount)
    who = {"campaign_id": due.one.campaign_id, "version_id": due.one.version.version_id}
    return entrant_of(trigger, happening, key, **who, due_at=clock.now(), rung=amount)
