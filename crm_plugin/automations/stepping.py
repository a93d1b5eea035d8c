"""Advance: due enrollments are claimed in batches and moved to their next Wait, Send or end.

The claim is the row lock of one transaction: whoever dies gives it back. A run parks at a Send step (``due_at`` NULL)
until its message has an outcome.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import assert_never

from django.db import connection

from crm_plugin import clock
from crm_plugin.automations import exiting
from crm_plugin.automations.definition import Definition, ExitStep, SendStep, WaitStep
from crm_plugin.automations.models import Campaign, CampaignState, CampaignVersion, Enrollment, EnrollmentState
from crm_plugin.conf import settings
from crm_plugin.messaging import Delivered, Draft, Item, Reason, enqueue

#: A campaign in one of these states lets go of the people in it.
_OVER = {CampaignState.ENDED: "campaign_ended", CampaignState.ARCHIVED: "campaign_archived"}

_CLAIM = """
SELECT id FROM crm_plugin_enrollment WHERE campaign_id = %s AND due_at <= %s ORDER BY due_at LIMIT %s
FOR UPDATE SKIP LOCKED
"""

_MOVE = """
UPDATE crm_plugin_enrollment e SET state = n.state, reason = n.reason, step = n.step, due_at = n.due_at,
    finished_at = n.finished_at, is_collecting = FALSE
FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::int[], %s::timestamptz[], %s::timestamptz[])
    AS n(id, state, reason, step, due_at, finished_at)
WHERE e.id = n.id AND e.state = 'active'
"""


@dataclass(slots=True)
class _Moves:
    """What one pass decided, written set-wise at its end."""

    rows: list[tuple[int, str, str, int, datetime | None, datetime | None]] = field(default_factory=list)
    drafts: list[Draft] = field(default_factory=list)

    def park(self, run: Enrollment, *, step: int, due_at: datetime | None) -> None:
        self.rows.append((run.pk, EnrollmentState.ACTIVE.value, "", step, due_at, None))

    def finish(self, run: Enrollment, state: EnrollmentState, reason: str, *, step: int) -> None:
        self.rows.append((run.pk, state.value, reason, step, None, clock.now()))

    def write(self) -> None:
        if self.rows:
            with connection.cursor() as cursor:
                cursor.execute(_MOVE, [list(column) for column in zip(*self.rows, strict=True)])
        if self.drafts:
            enqueue(self.drafts)


def advance(limit: int) -> int:
    """Move about ``limit`` due enrollments of the campaigns that are not paused. Must run in a transaction.

    Returns:
        How many were moved; 0 when nothing is due.
    """
    moved, working = 0, _campaigns_with_work()
    for campaign in working:  # the same share for each: a crowd in one campaign makes no other wait
        runs = _claim(campaign.pk, max(1, limit // len(working)))
        _advance(campaign, runs)
        moved += len(runs)
    return moved


def go_on(outcomes: Sequence[Delivered]) -> None:
    """Continue the runs whose message has its final outcome. Must run in the transaction that writes the outcomes."""
    by_run = {outcome.enrollment_id: outcome for outcome in outcomes}
    runs = list(
        Enrollment.objects.filter(pk__in=by_run, state=EnrollmentState.ACTIVE, due_at__isnull=True)
        .select_for_update(of=("self",))
        .order_by("pk")
    )
    definitions = _definitions(run.version_id for run in runs)
    moves = _Moves()
    for run in runs:
        steps = definitions[run.version_id][0].steps
        outcome = by_run[run.pk]
        if run.step >= len(steps) or steps[run.step].id != outcome.step_id:
            continue
        if (end := exiting.end_after(outcome.reason)) is not None:
            moves.finish(run, end, outcome.reason, step=run.step)
        elif run.step + 1 == len(steps):
            moves.finish(run, EnrollmentState.COMPLETED, "", step=run.step + 1)
        else:
            moves.park(run, step=run.step + 1, due_at=clock.now())
    moves.write()


def items_of(outcomes: Sequence[Delivered]) -> list[tuple[int, tuple[Item, ...]]]:
    """Return each message's contact, who may have been merged into another since it was claimed, and its products.

    They are those that it was composed with, else (its worker died) those of its run.
    """
    if not outcomes:
        return []
    rows = Enrollment.objects.filter(pk__in=[one.enrollment_id for one in outcomes])
    runs = {pk: (contact_id, items) for pk, contact_id, items in rows.values_list("pk", "contact_id", "items")}
    return [
        (contact_id, one.items or tuple(Item.from_json(item) for item in items))
        for one in outcomes
        for contact_id, items in (runs[one.enrollment_id],)
    ]


def _campaigns_with_work() -> list[Campaign]:
    return list(
        Campaign.objects.raw(
            """
            SELECT * FROM crm_plugin_campaign c WHERE c.state <> 'paused' AND EXISTS (
                SELECT 1 FROM crm_plugin_enrollment e WHERE e.campaign_id = c.id AND e.due_at <= %s)
            ORDER BY c.id
            """,
            [clock.now()],
        )
    )


def _claim(campaign_id: int, limit: int) -> list[Enrollment]:
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [campaign_id, clock.now(), limit])
        ids = [pk for (pk,) in cursor.fetchall()]
    return list(Enrollment.objects.filter(pk__in=ids).order_by("pk"))


def _advance(campaign: Campaign, runs: Sequence[Enrollment]) -> None:
    definitions = _definitions(run.version_id for run in runs)
    moves = _Moves()
    is_over = _OVER.get(CampaignState(campaign.state))
    ended = exiting.ended(runs, {pk: definition for pk, (definition, _templates) in definitions.items()})
    for run in runs:
        if is_over is not None:
            moves.finish(run, EnrollmentState.EXITED, is_over, step=run.step)
        elif (end := ended.get(run.pk)) is not None:
            moves.finish(run, *end, step=run.step)
        else:
            _take_step(run, *definitions[run.version_id], moves)
    moves.write()


def _take_step(run: Enrollment, definition: Definition, templates: dict[str, int], moves: _Moves) -> None:
    if run.step >= len(definition.steps):
        moves.finish(run, EnrollmentState.COMPLETED, "", step=run.step)
        return
    now = clock.now()
    match definition.steps[run.step]:
        case WaitStep() as step:
            moves.park(run, step=run.step + 1, due_at=now + timedelta(seconds=step.seconds))
        case SendStep() as step:
            moves.park(run, step=run.step, due_at=None)
            moves.drafts.append(_draft(run, step, templates[step.id], now))
        case ExitStep():
            moves.finish(run, EnrollmentState.EXITED, Reason.EXITED, step=run.step)
        case _ as never:
            assert_never(never)


def _draft(run: Enrollment, step: SendStep, template_id: int, now: datetime) -> Draft:
    return Draft(
        contact_id=run.contact_id,
        enrollment_id=run.pk,
        campaign_id=run.campaign_id,
        template_id=template_id,
        step_id=step.id,
        channel=step.channel,
        message_class=step.message_class,
        due_at=now,
        stale_at=now + timedelta(hours=settings().stale_after_hours),
    )


def _definitions(version_ids: Iterable[int]) -> dict[int, tuple[Definition, dict[str, int]]]:
    rows = CampaignVersion.objects.filter(pk__in=set(version_ids))
    return {row.pk: (Definition.parse(row.definition), row.templates) for row in rows}
