"""Everybody who is in an audience at the moment: one INSERT … SELECT a chunk."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from crm_plugin import clock
from crm_plugin.audience import AudienceRule, compile
from crm_plugin.automations.entering import INSERT, REST, Entrant
from crm_plugin.automations.scheduling.base import Chunk, Cohort, Occasion
from crm_plugin.automations.triggers import AudienceTrigger, Reentry

_CHUNK = """
SELECT who.contact_id FROM ({audience}) who WHERE who.contact_id > %(after)s ORDER BY who.contact_id LIMIT %(limit)s
"""
#: Who is being merged into another at this moment is waited for, and passed over when gone.
_ENTER = f"""{INSERT}
SELECT %(campaign)s, %(version)s, k.contact_id, '', %(epoch)s, '', %(now)s, %(at)s, '[]'::jsonb, '{{}}'::jsonb, {REST}
FROM chunk k JOIN crm_plugin_contact c ON c.id = k.contact_id
WHERE NOT EXISTS (SELECT 1 FROM crm_plugin_enrollment e WHERE e.campaign_id = %(campaign)s
    AND e.contact_id = k.contact_id AND (e.state = 'active' OR e.entered_at > %(not_since)s))
ORDER BY k.contact_id FOR KEY SHARE OF c
ON CONFLICT DO NOTHING
RETURNING contact_id
"""  # noqa: S608
_COUNT = "SELECT (SELECT count(*) FROM chunk), (SELECT max(contact_id) FROM chunk), (SELECT count(*) FROM entered)"


def enter(trigger: AudienceTrigger, occasion: Occasion) -> Chunk:
    """Enroll the next people of the audience, each with no run of the campaign under way."""
    query = compile(AudienceRule.parse(trigger.audience), now=occasion.at)
    chunk = _CHUNK.format(audience=query.sql)
    values: dict[str, Any] = {
        **query.params,
        "campaign": occasion.campaign_id,
        "version": occasion.version_id,
        "epoch": _epoch(trigger, occasion),
        "now": occasion.now,
        "at": occasion.at,
        "not_since": _not_since(trigger, occasion),
        "after": occasion.after_contact,
        "limit": occasion.limit,
    }
    with connection.cursor() as cursor:
        cursor.execute(f"WITH chunk AS MATERIALIZED ({chunk}), entered AS ({_ENTER}) {_COUNT}", values)
        size, last, entered = cursor.fetchone()
    return Chunk(int(entered), last if size >= occasion.limit else None)


def concerned(trigger: AudienceTrigger, occasion: Occasion) -> Cohort:
    """Return the next people of the audience, whatever they have been through; for a look ahead."""
    query = compile(AudienceRule.parse(trigger.audience), now=occasion.at)
    values = {**query.params, "after": occasion.after_contact, "limit": occasion.limit}
    with connection.cursor() as cursor:
        cursor.execute(_CHUNK.format(audience=query.sql), values)
        people = [pk for (pk,) in cursor.fetchall()]
    entrants = [_entrant(pk, trigger, occasion) for pk in people]
    return Cohort(entrants, people[-1] if len(people) >= occasion.limit else None)


def _entrant(contact_id: int, trigger: AudienceTrigger, occasion: Occasion) -> Entrant:
    return Entrant(
        campaign_id=occasion.campaign_id,
        version_id=occasion.version_id,
        contact_id=contact_id,
        subject_key="",
        epoch=_epoch(trigger, occasion),
        lane="",
        due_at=occasion.now,
        entered_at=occasion.at,
        not_since=_not_since(trigger, occasion),
    )


def _epoch(trigger: AudienceTrigger, occasion: Occasion) -> int:
    return 0 if trigger.reentry is Reentry.ONCE else occasion.slot_id


def _not_since(trigger: AudienceTrigger, occasion: Occasion) -> datetime | None:
    """Return since when nobody may have entered. A week is over at the same hour, whatever the clocks did in it."""
    if trigger.reentry is not Reentry.AFTER or trigger.reentry_days is None:
        return None
    local = occasion.at.astimezone(occasion.zone).replace(tzinfo=None)
    return clock.utc(local - timedelta(days=trigger.reentry_days), occasion.zone)
