"""Who enters a campaign: activities meet the triggers of running campaigns, price waves fan out to whom they concern.

Enrolling is one INSERT ... SELECT per campaign and chunk. The unique key of ``Enrollment`` (campaign, contact, subject,
epoch) makes a repeated match harmless, whoever repeats it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, assert_never

from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.models import Q

from crm_plugin import activity, clock
from crm_plugin.audience import AudienceRule, matching
from crm_plugin.automations.definition import ActivityTrigger, AudienceTrigger, Definition, PriceDropTrigger, Reentry
from crm_plugin.automations.models import Campaign, CampaignState, FanOut
from crm_plugin.conf import settings
from crm_plugin.shop import FactKind

#: What a run is about, and what tells it from the next one, for each way of re-entering.
_SUBJECT = """CASE WHEN a.order_ref <> '' THEN 'order:' || a.order_ref WHEN a.product_id <> ''
    THEN 'product:' || a.product_id WHEN a.cart_ref <> '' THEN 'cart:' || a.cart_ref ELSE '' END"""
_KEYS = {
    Reentry.ONCE: ("''", "0"),
    Reentry.PER_SUBJECT: (_SUBJECT, "0"),
    Reentry.ALWAYS: (_SUBJECT, "a.id"),
}

_ENROLL_ACTIVE = """
INSERT INTO crm_plugin_enrollment (campaign_id, version_id, contact_id, subject_key, epoch, state, reason, step, due_at,
    is_collecting, items, entered_at)
SELECT %(campaign)s, %(version)s, a.contact_id, {subject}, {epoch}, 'active', '', 0, %(now)s, FALSE,
    CASE WHEN a.product_id = '' THEN '[]'::jsonb ELSE jsonb_build_array(jsonb_build_object(
        'product_id', a.product_id, 'variant_id', a.variant_id, 'shop_channel', a.shop_channel)) END, a.occurred_at
FROM crm_plugin_activity a
WHERE a.id = ANY(%(ids)s) AND a.occurred_at >= %(not_before)s {audience}
    AND EXISTS (SELECT 1 FROM crm_plugin_contact c
        WHERE c.id = a.contact_id AND (c.customer_id IS NOT NULL OR c.email IS NOT NULL))
ORDER BY a.contact_id
ON CONFLICT DO NOTHING
"""

#: The people of one chunk, in a table of their own: a planner that has counted them joins otherwise than one that
#: guesses their number from a rule (it guesses one, and loops over 100,000).
_CHUNK = "CREATE TEMPORARY TABLE crm_fan_out_chunk ON COMMIT DROP AS {concerned}"
_IS_UNDER_WAY = """EXISTS (SELECT 1 FROM crm_plugin_enrollment e
    WHERE e.campaign_id = %(campaign)s AND e.contact_id = h.contact_id AND e.state = 'active')"""
_UNDER_WAY = f"SELECT h.contact_id, h.items::text FROM crm_fan_out_chunk h WHERE {_IS_UNDER_WAY}"  # noqa: S608
_ENTER = f"""
INSERT INTO crm_plugin_enrollment (campaign_id, version_id, contact_id, subject_key, epoch, state, reason, step, due_at,
    is_collecting, items, entered_at)
SELECT %(campaign)s, %(version)s, h.contact_id, 'digest', %(epoch)s, 'active', '', 0, %(due)s, TRUE, h.items, %(now)s
FROM crm_fan_out_chunk h WHERE NOT {_IS_UNDER_WAY}
ON CONFLICT DO NOTHING
"""  # noqa: S608

#: Products that a run past its collecting is about already: it reads the newest price itself.
_BUSY = """
SELECT DISTINCT e.contact_id, x ->> 'product_id', x ->> 'shop_channel'
FROM crm_plugin_enrollment e, jsonb_array_elements(e.items) x
WHERE e.campaign_id = %s AND e.state = 'active' AND NOT e.is_collecting AND e.contact_id = ANY(%s)
"""

#: A digest that is still collecting takes the products in, each once: as the newer wave has it.
_JOIN = """
UPDATE crm_plugin_enrollment e SET items = (
    SELECT jsonb_agg(newest.x) FROM (
        SELECT DISTINCT ON (x ->> 'product_id', x ->> 'shop_channel') x
        FROM jsonb_array_elements(h.items || e.items) WITH ORDINALITY AS one(x, place)
        ORDER BY x ->> 'product_id', x ->> 'shop_channel', place) newest)
FROM unnest(%s::bigint[], %s::jsonb[]) AS h(contact_id, items)
WHERE e.campaign_id = %s AND e.contact_id = h.contact_id AND e.is_collecting
RETURNING e.contact_id
"""

_ENROLL_BUSY = """
INSERT INTO crm_plugin_enrollment (campaign_id, version_id, contact_id, subject_key, epoch, state, reason, step, due_at,
    is_collecting, items, entered_at)
SELECT %s, %s, h.contact_id, 'digest', %s, 'active', '', 0, %s, TRUE, h.items, %s
FROM unnest(%s::bigint[], %s::jsonb[]) AS h(contact_id, items)
ON CONFLICT DO NOTHING
"""


def match(added: Mapping[FactKind, Sequence[int]]) -> int:
    """Enroll the people whose new activities (ids by kind) start a campaign; return how many.

    Activities from before the campaign ran, or too old to be news (backfill), start nothing.
    """
    entered = 0
    for campaign, definition in running():
        match definition.trigger:
            case ActivityTrigger() as trigger:
                entered += _enroll_active(campaign, trigger, added.get(trigger.activity, ()))
            case PriceDropTrigger() | AudienceTrigger():
                pass  # starts from a wave, see plan_fan_out, or by the clock, see scheduling
            case _ as never:
                assert_never(never)
    return entered


def plan_fan_out(wave: int) -> int:
    """Note that a wave of price drops has to reach the people of every running price-drop campaign."""
    plans = [
        FanOut(campaign=campaign, wave=wave, created_at=clock.now())
        for campaign, definition in running()
        if isinstance(definition.trigger, PriceDropTrigger)
    ]
    FanOut.objects.bulk_create(plans, ignore_conflicts=True)
    return len(plans)


def fan_out() -> int | None:
    """Enroll the next chunk of people of the oldest open wave. Must run in a transaction.

    One worker at a time works on the oldest wave, so that two waves cannot race for the same person's digest.

    Returns:
        How many people the chunk concerned; None when there is nothing to do (or another worker is at it).
    """
    oldest = FanOut.objects.filter(is_done=False).order_by("wave", "id").values("pk")[:1]
    plan = (
        FanOut.objects.filter(pk__in=oldest, is_done=False)
        .select_related("campaign__version")
        .select_for_update(skip_locked=True, of=("self",))
        .first()
    )
    if plan is None:
        return None
    version = plan.campaign.version
    trigger = Definition.parse(version.definition).trigger if version else None
    if plan.campaign.state != CampaignState.RUNNING or not isinstance(trigger, PriceDropTrigger):
        plan.is_done = True
        plan.save(update_fields=("is_done",))
        return 0
    return _fan_out_chunk(plan, trigger)


def _fan_out_chunk(plan: FanOut, trigger: PriceDropTrigger) -> int:
    chunk, now = settings().fan_out_batch, clock.now()
    run = {
        "campaign": plan.campaign_id,
        "version": plan.campaign.version_id,
        "epoch": plan.wave,
        "due": now + timedelta(seconds=trigger.settle_seconds),
        "now": now,
    }
    concerned = activity.concerned_by(trigger.rule(), wave=plan.wave, after_contact=plan.after_contact, limit=chunk)
    with connection.cursor() as cursor:
        cursor.execute(_CHUNK.format(concerned=concerned.sql), concerned.params)
        cursor.execute("ANALYZE crm_fan_out_chunk")
        cursor.execute("SELECT max(contact_id), count(*) FROM crm_fan_out_chunk")
        last_contact, hits = cursor.fetchone()
        _leave_out_others(cursor, trigger.audience)
        cursor.execute(_UNDER_WAY, run)
        under_way = {contact_id: json.loads(items) for contact_id, items in cursor.fetchall()}
        cursor.execute(_ENTER, run)
        plan.enrolled_count += cursor.rowcount + _join_or_enroll(cursor, under_way, run)
        cursor.execute("DROP TABLE crm_fan_out_chunk")
    plan.after_contact = last_contact or plan.after_contact
    plan.is_done = hits < chunk
    plan.save(update_fields=("after_contact", "enrolled_count", "is_done"))
    return int(hits)


def _leave_out_others(cursor: CursorWrapper, audience: dict[str, Any] | None) -> None:
    """Take the people out of the chunk who are not in the trigger's audience."""
    if audience is None:
        return
    cursor.execute("SELECT DISTINCT contact_id FROM crm_fan_out_chunk")
    people = [contact_id for (contact_id,) in cursor.fetchall()]
    others = set(people) - matching(AudienceRule.parse(audience), people)
    cursor.execute("DELETE FROM crm_fan_out_chunk WHERE contact_id = ANY(%s)", [list(others)])


def _join_or_enroll(cursor: CursorWrapper, items_of: dict[int, list[dict[str, Any]]], run: dict[str, Any]) -> int:
    """Give products to people with a run under way: into their collecting digest, else into a new one.

    What a run past its collecting is about already is left out.
    """
    if not items_of:
        return 0
    cursor.execute(_BUSY, [run["campaign"], list(items_of)])
    busy = set(cursor.fetchall())
    wanted = {
        contact_id: json.dumps(left)
        for contact_id, items in items_of.items()
        if (left := [one for one in items if (contact_id, one["product_id"], one["shop_channel"]) not in busy])
    }
    cursor.execute(_JOIN, [list(wanted), list(wanted.values()), run["campaign"]])
    for (contact_id,) in cursor.fetchall():
        wanted.pop(contact_id)
    people: list[Any] = [list(wanted), list(wanted.values())]
    cursor.execute(_ENROLL_BUSY, [*(run[key] for key in ("campaign", "version", "epoch", "due", "now")), *people])
    return int(cursor.rowcount)


def running() -> list[tuple[Campaign, Definition]]:
    """Return the campaigns that people can enter now."""
    now = clock.now()
    rows = (
        Campaign.objects.filter(state=CampaignState.RUNNING)
        .filter(Q(starts_at__isnull=True) | Q(starts_at__lte=now), Q(ends_at__isnull=True) | Q(ends_at__gt=now))
        .select_related("version")
        .order_by("id")
    )
    return [(row, Definition.parse(row.version.definition)) for row in rows if row.version is not None]


def _enroll_active(campaign: Campaign, trigger: ActivityTrigger, ids: Sequence[int]) -> int:
    if not ids:
        return 0
    now = clock.now()
    not_before = now - timedelta(hours=settings().trigger_max_age_hours)
    not_before = max([not_before, *(at for at in (campaign.running_since, campaign.starts_at) if at is not None)])
    subject, epoch = _KEYS[trigger.reentry]
    params = {
        "campaign": campaign.pk,
        "version": campaign.version_id,
        "now": now,
        "ids": list(ids),
        "not_before": not_before,
    }
    audience = ""
    if trigger.audience is not None:
        audience, params["people"] = "AND a.contact_id = ANY(%(people)s)", _who_of(ids, trigger.audience)
    with connection.cursor() as cursor:
        cursor.execute(_ENROLL_ACTIVE.format(subject=subject, epoch=epoch, audience=audience), params)
        return int(cursor.rowcount)


def _who_of(ids: Sequence[int], audience: dict[str, Any]) -> list[int]:
    """Return which people of the activities are in the audience."""
    return list(matching(AudienceRule.parse(audience), activity.people_of(ids)))
