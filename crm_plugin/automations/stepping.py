"""Advance: due enrollments are claimed in batches and moved one step.

The claim is the row lock of one transaction: whoever dies gives it back. Those of one version that stand at the same
step are handled together (``acting``), most of them by one statement. A run parks at a Send step (``due_at`` NULL)
until its message has an outcome.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from django.db import connection

from crm_plugin import clock
from crm_plugin.automations import acting, exiting
from crm_plugin.automations.falling_back import fall_back
from crm_plugin.automations.models import Campaign, CampaignState, Enrollment, EnrollmentState
from crm_plugin.automations.running import Version, versions
from crm_plugin.automations.working import Work, finish
from crm_plugin.conf import settings
from crm_plugin.ids import array
from crm_plugin.messaging import Delivered, Item, Reason

#: A campaign in one of these states lets go of the people in it.
_OVER = {CampaignState.ENDED: Reason.CAMPAIGN_ENDED, CampaignState.ARCHIVED: Reason.CAMPAIGN_ARCHIVED}

_CLAIM = """
WITH claimed AS MATERIALIZED (
    SELECT id, version_id, step, due_at FROM crm_plugin_enrollment WHERE campaign_id = %s AND due_at <= %s
    ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED
)
SELECT version_id, step, array_agg(id ORDER BY id)::text, count(*), min(due_at) FROM claimed GROUP BY version_id, step
"""

#: Nobody looked for so long that what was to be done is no news any more. A pause is no lateness.
_STALE = "SELECT id FROM crm_plugin_enrollment WHERE id = ANY(%s::bigint[]) AND due_at < %s"


def advance(limit: int) -> int:
    """Move about ``limit`` due enrollments of the campaigns that are not paused. Must run in a transaction.

    Returns:
        How many were moved; 0 when nothing is due.
    """
    moved, working = 0, _campaigns_with_work()
    for campaign in working:  # the same share for each: a crowd in one campaign makes no other wait
        moved += _advance(campaign, max(1, limit // len(working)))
    return moved


def go_on(outcomes: Sequence[Delivered]) -> None:
    """Continue the runs whose message has its final outcome. Must run in the transaction that writes the outcomes.

    A run whose message goes over another channel now stays where it is.
    """
    passed_on = fall_back(outcomes)
    by_step = {(one.enrollment_id, one.step_id): one for one in outcomes if one.message_id not in passed_on}
    parked = array({enrollment_id for enrollment_id, _step_id in by_step})
    rows = (
        Enrollment.objects.extra(where=["id = ANY(%s::bigint[])"], params=[parked])
        .filter(state=EnrollmentState.ACTIVE, due_at__isnull=True)
        .select_for_update()
        .order_by("pk")
    )
    # Not as models: one for each message, with all that it has in JSON.
    runs = list(rows.values_list("pk", "campaign_id", "version_id", "step"))
    known = versions(version_id for _pk, _campaign_id, version_id, _step in runs)
    ends: dict[tuple[EnrollmentState, str], list[int]] = defaultdict(list)
    moves: dict[tuple[int, int, int], list[int]] = defaultdict(list)
    for pk, campaign_id, version_id, step in runs:
        program = known[version_id].definition.program
        here = program.ops[step].step.id if step < program.end else ""
        outcome = by_step.get((pk, here))
        if outcome is None:
            continue
        if (end := exiting.end_after(outcome.reason)) is not None:
            ends[end, outcome.reason].append(pk)
        else:
            moves[campaign_id, version_id, step].append(pk)
    for (state, reason), ids in ends.items():
        finish(array(ids), state, reason)
    for (campaign_id, version_id, step), ids in moves.items():
        version, now = known[version_id], clock.now()
        op = version.definition.program.ops[step]
        Work(campaign_id, version, op, array(ids), now).go(op.following, due_at=now)


def items_of(outcomes: Sequence[Delivered]) -> list[tuple[int, tuple[Item, ...]]]:
    """Return each message's contact, who may have been merged into another since it was claimed, and its products.

    They are those that it was composed with, else (its worker died) those of its run.
    """
    if not outcomes:
        return []
    rows = Enrollment.objects.extra(
        where=["id = ANY(%s::bigint[])"], params=[array(one.enrollment_id for one in outcomes)]
    )
    contacts = dict(rows.values_list("pk", "contact_id"))
    without = [one.enrollment_id for one in outcomes if not one.items]
    stored = dict(rows.filter(pk__in=without).values_list("pk", "items")) if without else {}
    return [
        (contacts[one.enrollment_id], one.items or tuple(Item.from_json(item) for item in stored[one.enrollment_id]))
        for one in outcomes
    ]


def _campaigns_with_work() -> list[Campaign]:
    # By the index: where most rows are due, EXISTS alone reads the table, past all that were moved before.
    return list(
        Campaign.objects.raw(
            """
            SELECT c.id, c.state, c.running_since FROM crm_plugin_campaign c
            CROSS JOIN LATERAL (SELECT 1 FROM crm_plugin_enrollment e WHERE e.campaign_id = c.id AND e.due_at <= %s
                ORDER BY e.due_at LIMIT 1) AS due
            WHERE c.state <> 'paused' ORDER BY c.id
            """,
            [clock.now()],
        )
    )


def _advance(campaign: Campaign, limit: int) -> int:
    now, moved = clock.now(), 0
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [campaign.pk, now, limit])
        claimed = cursor.fetchall()
    known = versions(version_id for version_id, *_ in claimed)
    for version_id, step, ids, size, oldest in claimed:
        moved += size
        if (reason := _OVER.get(CampaignState(campaign.state))) is not None:
            finish(ids, EnrollmentState.EXITED, reason)
            continue
        _drop_stale(campaign, ids, oldest=oldest, now=now)
        _do(campaign.pk, known[version_id], step, ids, now)
    return moved


def _do(campaign_id: int, version: Version, step: int, ids: str, now: datetime) -> None:
    for (state, reason), ended in _grouped(exiting.ended(version, ids)):
        finish(array(ended), state, reason)
    program = version.definition.program
    if step >= program.end:
        finish(ids, EnrollmentState.COMPLETED)
    else:
        acting.do(Work(campaign_id, version, program.ops[step], ids, now))


def _drop_stale(campaign: Campaign, ids: str, *, oldest: datetime, now: datetime) -> None:
    too_late = now - timedelta(hours=settings().stale_after_hours)
    if oldest >= too_late or campaign.running_since is None or campaign.running_since >= too_late:
        return
    with connection.cursor() as cursor:
        cursor.execute(_STALE, [ids, too_late])
        finish(array(pk for (pk,) in cursor.fetchall()), EnrollmentState.EXITED, Reason.STALE)


def _grouped(ends: dict[int, exiting.End]) -> Iterator[tuple[exiting.End, list[int]]]:
    groups: dict[exiting.End, list[int]] = defaultdict(list)
    for pk, end in ends.items():
        groups[end].append(pk)
    yield from groups.items()
