"""Falling back: a message that certainly did not arrive is tried over the step's next channel.

That may be known at once (nobody to write to, the provider refuses) or much later (a bounce), when the run has gone on
or is over. Nobody gets a message over two channels because one of them *may* have failed.
"""

from __future__ import annotations

from collections.abc import Sequence

from crm_plugin import clock
from crm_plugin.automations.acting.sending import draft
from crm_plugin.automations.models import Enrollment, EnrollmentState
from crm_plugin.automations.running import Version, versions
from crm_plugin.automations.steps import Attempt, SendStep
from crm_plugin.messaging import UNREACHED, Delivered, Draft, enqueue

#: A run that ended otherwise has nothing to say any more.
_MAY_SPEAK = (EnrollmentState.ACTIVE, EnrollmentState.COMPLETED)


def fall_back(outcomes: Sequence[Delivered]) -> frozenset[int]:
    """Queue the next channel's message for each that did not arrive; return the ids of those that have a successor.

    Must run in the transaction that writes the outcomes.
    """
    lost = [outcome for outcome in outcomes if outcome.reason in UNREACHED]
    if not lost:
        return frozenset()
    rows = Enrollment.objects.filter(pk__in={one.enrollment_id for one in lost}, state__in=_MAY_SPEAK)
    runs = {run.pk: run for run in rows}
    known = versions(run.version_id for run in runs.values())
    drafts: dict[int, Draft] = {}
    for one in lost:
        run = runs.get(one.enrollment_id)
        if run is not None and (found := _next(known[run.version_id], one)) is not None:
            step, attempt = found
            drafts[one.message_id] = draft(run, step, attempt, version=known[run.version_id], now=clock.now())
    enqueue(list(drafts.values()))
    return frozenset(drafts)


def _next(version: Version, outcome: Delivered) -> tuple[SendStep, Attempt] | None:
    program = version.definition.program
    place = program.place_of(outcome.step_id)
    step = program.ops[place].step if place is not None else None
    if not isinstance(step, SendStep):
        return None
    tried: list[str] = [attempt.channel for attempt in step.attempts]
    after = tried.index(outcome.channel) + 1 if outcome.channel in tried else len(tried)
    return (step, step.attempts[after]) if after < len(tried) else None
