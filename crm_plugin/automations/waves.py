"""Something happened to products: a wave fans out to everybody whom it concerns, in resumable chunks.

Enrolling is one INSERT ... SELECT for each campaign and chunk.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper

from crm_plugin import activity, clock
from crm_plugin.automations import digests
from crm_plugin.automations.concerning import TRIGGER_OF, Concerned, WaveTrigger, concerned_by, hears_waiting
from crm_plugin.automations.inside import inside
from crm_plugin.automations.models import CampaignState, FanOut
from crm_plugin.automations.running import running, versions
from crm_plugin.conf import settings
from crm_plugin.messaging import Reason

#: The people of one chunk, in a table of their own: a planner that has counted them joins otherwise than one that
#: guesses their number from a rule (it guesses one, and loops over 100,000).
_CHUNK = f"CREATE TEMPORARY TABLE {digests.CHUNK} ON COMMIT DROP AS {{concerned}}"

#: What the campaign had a run about lately is left out; a run that ended because nothing could be bought told nobody.
#: Who asked (``request``) is told, however lately they were told before: they asked again.
_COOL_DOWN = f"""
WITH lately AS (
    SELECT e.contact_id, array_agg(DISTINCT concat_ws(' ', x ->> 'product_id', x ->> 'shop_channel')) AS products
    FROM {digests.CHUNK} h
    JOIN crm_plugin_enrollment e ON e.campaign_id = %s AND e.contact_id = h.contact_id AND e.entered_at > %s
        AND e.reason <> ALL(%s)
    CROSS JOIN LATERAL jsonb_array_elements(e.items) x
    GROUP BY e.contact_id
)
UPDATE {digests.CHUNK} h SET items = COALESCE((
    SELECT jsonb_agg(x ORDER BY place) FROM jsonb_array_elements(h.items) WITH ORDINALITY AS one(x, place)
    WHERE x -> 'request' IS NOT NULL
        OR concat_ws(' ', x ->> 'product_id', x ->> 'shop_channel') <> ALL(l.products)), '[]'::jsonb)
FROM lately l WHERE l.contact_id = h.contact_id
"""  # noqa: S608
_NOTHING_TOLD = [Reason.SOLD_OUT.value, Reason.UNAVAILABLE.value]


def plan_fan_out(wave: int) -> int:
    """Note that a wave has to reach the people of every running campaign that waits for its kind."""
    trigger = _trigger_of(wave)
    if trigger is None:
        return 0
    plans = [
        FanOut(campaign_id=one.campaign_id, wave=wave, created_at=clock.now())
        for one in running()
        if isinstance(one.definition.trigger, trigger)
    ]
    FanOut.objects.bulk_create(plans, ignore_conflicts=True)
    return len(plans)


def tell_waiting() -> int:
    """Give those a turn who wait longest for stock, while a campaign runs that tells them; else they go on waiting.

    Must run in a transaction.

    Returns:
        How many restocks were looked at.
    """
    least = hears_waiting() if activity.is_wave_due() else None
    if least is None:
        return 0
    turn = activity.next_wave(min_available=least)
    if turn.wave is not None:
        plan_fan_out(turn.wave)
    return turn.epochs_count


def fan_out() -> int | None:
    """Enroll the next chunk of people of the oldest open wave. Must run in a transaction.

    Those of paused campaigns rest until they go on.

    One worker at a time works on the oldest wave, so that two waves cannot race for the same person's digest.

    Returns:
        How many people the chunk concerned; None when there is nothing to do (or another worker is at it).
    """
    waiting = FanOut.objects.filter(is_done=False).exclude(campaign__state=CampaignState.PAUSED)
    oldest = waiting.order_by("wave", "id").values("pk")[:1]
    plan = (
        FanOut.objects.filter(pk__in=oldest, is_done=False)
        .select_related("campaign")
        .select_for_update(skip_locked=True, of=("self",))
        .first()
    )
    if plan is None:
        return None
    trigger = _trigger(plan)
    if trigger is not None:
        chunk = settings().fan_out_batch
        concerned = concerned_by(trigger, wave=plan.wave, after_contact=plan.after_contact, limit=chunk)
        if concerned is not None:
            return _fan_out_chunk(plan, trigger, concerned)
    plan.is_done = True
    plan.save(update_fields=("is_done",))
    return 0


def _trigger_of(wave: int) -> type[WaveTrigger] | None:
    kind = activity.kind_of(wave)
    return None if kind is None else TRIGGER_OF[kind]


def _trigger(plan: FanOut) -> WaveTrigger | None:
    """Return the trigger of the campaign as it is now; None when it does not wait for the wave any more."""
    wanted, version_id = _trigger_of(plan.wave), plan.campaign.version_id
    if plan.campaign.state != CampaignState.RUNNING or version_id is None or wanted is None:
        return None
    trigger = versions([version_id])[version_id].definition.trigger
    return trigger if isinstance(trigger, wanted) else None


def _fan_out_chunk(plan: FanOut, trigger: WaveTrigger, concerned: Concerned) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_CHUNK.format(concerned=concerned.select.sql), concerned.select.params)
        cursor.execute(f"ANALYZE {digests.CHUNK}")
        cursor.execute(f"SELECT max(contact_id), count(*) FROM {digests.CHUNK}")  # noqa: S608
        last_contact, hits = cursor.fetchone()
        _leave_out_others(cursor, trigger.audience)
        _cool_down(cursor, plan.campaign_id, concerned.cooldown_days)
        plan.enrolled_count += digests.enter(cursor, _run(plan, trigger, concerned))
        cursor.execute(f"DROP TABLE {digests.CHUNK}")
    plan.after_contact = last_contact or plan.after_contact
    plan.is_done = hits < settings().fan_out_batch
    plan.save(update_fields=("after_contact", "enrolled_count", "is_done"))
    return int(hits)


def _run(plan: FanOut, trigger: WaveTrigger, concerned: Concerned) -> digests.Run:
    now = clock.now()
    return digests.Run(
        campaign=plan.campaign_id,
        version=plan.campaign.version_id or 0,
        wave=plan.wave,
        now=now,
        due=now + timedelta(seconds=trigger.settle_seconds),
        context=json.dumps(dict(concerned.context)),
        code=concerned.code,
    )


def _leave_out_others(cursor: CursorWrapper, audience: dict[str, Any] | None) -> None:
    """Take the people out of the chunk who are not in the trigger's audience."""
    if audience is None:
        return
    cursor.execute(f"SELECT DISTINCT contact_id FROM {digests.CHUNK}")  # noqa: S608
    people = [contact_id for (contact_id,) in cursor.fetchall()]
    others = set(people) - inside(audience, people)
    cursor.execute(f"DELETE FROM {digests.CHUNK} WHERE contact_id = ANY(%s)", [list(others)])  # noqa: S608


def _cool_down(cursor: CursorWrapper, campaign_id: int, days: int) -> None:
    """Take the products out that the campaign told the person of lately, and who has none left."""
    if days:
        since: datetime = clock.now() - timedelta(days=days)
        cursor.execute(_COOL_DOWN, [campaign_id, since, _NOTHING_TOLD])
        cursor.execute(f"DELETE FROM {digests.CHUNK} WHERE items = '[]'::jsonb")  # noqa: S608
