"""The Split step: by chance, but the same person always the same way (``docs/decisions/split-winner.md``)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db import connection

from crm_plugin.automations import winning
from crm_plugin.automations.models import Enrollment, EnrollmentState, SplitTest
from crm_plugin.automations.steps import Arm, SplitStep, Winner
from crm_plugin.automations.working import Work, by_ids, finish

#: Why a run ended that is there to be compared with.
HOLDOUT: Final = "holdout"
#: Those who wait for the winner look for it this often once it may be found.
RECHECK: Final = timedelta(hours=1)

_NOTE = """
UPDATE crm_plugin_enrollment e SET arms = e.arms || jsonb_build_object(%s::text, n.arm)
FROM unnest(%s::bigint[], %s::text[]) AS n(id, arm) WHERE e.id = n.id AND e.state = 'active'
"""


def split(work: Work) -> None:
    """Divide the runs among the arms; those who take no part in the test wait for its winner."""
    step = work.op.step
    assert isinstance(step, SplitStep)  # noqa: S101 - DOERS says so
    runs = work.runs()
    if not runs:
        return
    if step.winner is None:
        _go({run.pk: arm_of(step, work.campaign_id, run.contact_id) for run in runs}, runs, work, step)
        return
    test = winning.opened(work.version, step, now=work.now)
    if (won := winning.decide(test, step, work.version, work.campaign_id, now=work.now)) is not None:
        arm = next(arm for arm in step.arms if arm.name == won)
        _go({run.pk: arm for run in runs}, runs, work, step)
        return
    testing = [run for run in runs if is_tested(step, work.campaign_id, run.contact_id)]
    _go({run.pk: arm_of(step, work.campaign_id, run.contact_id) for run in testing}, testing, work, step)
    due_at, tested = _next_look(test, step.winner, work.now), {run.pk for run in testing}
    for run in runs:
        if run.pk not in tested:
            work.move(run, work.op.place, due_at=due_at)
    work.write()


def arm_of(step: SplitStep, campaign_id: int, contact_id: int) -> Arm:
    """Return the arm that the person goes, by weight."""
    total = sum(arm.weight for arm in step.arms)
    point = _share(campaign_id, step.id, contact_id, "arm") * total >> 64
    for arm in step.arms:
        if point < arm.weight:
            return arm
        point -= arm.weight
    raise AssertionError("the weights cover every share")


def is_tested(step: SplitStep, campaign_id: int, contact_id: int) -> bool:
    """Whether the person takes part in the test; drawn apart from the arm, so that the arms stay in proportion."""
    winner = step.winner
    return winner is None or _share(campaign_id, step.id, contact_id, "test") * 100 >> 64 < winner.test_percent


def _share(campaign_id: int, step_id: str, contact_id: int, purpose: str) -> int:
    """Return a number below 2**64 that is always the same for the person at the split, and for others as if drawn."""
    drawn = hashlib.sha256(f"{purpose}:{campaign_id}:{step_id}:{contact_id}".encode()).digest()
    return int.from_bytes(drawn[:8], "big")


def _next_look(test: SplitTest, winner: Winner, now: datetime) -> datetime:
    """Return when those who wait look again: as soon as a decision is possible, then every hour, at the deadline."""
    possible = test.started_at + timedelta(seconds=winner.after_seconds)
    deadline = test.started_at + timedelta(seconds=winner.deadline_seconds)
    return possible if now < possible else max(now, min(now + RECHECK, deadline))


def _go(arms: Mapping[int, Arm], runs: Sequence[Enrollment], work: Work, step: SplitStep) -> None:
    """Note the arm of each run and send it there; a holdout's run ends."""
    with connection.cursor() as cursor:
        cursor.execute(_NOTE, [step.id, list(arms), [arm.name for arm in arms.values()]])
    places = {arm.name: place for arm, place in zip(step.arms, work.op.ways, strict=True)}
    for run in runs:
        if not arms[run.pk].is_holdout:
            work.move(run, places[arms[run.pk].name], due_at=work.now)
    work.write()
    if held := [run for run in runs if arms[run.pk].is_holdout]:
        finish(by_ids(held), EnrollmentState.EXITED, HOLDOUT)
