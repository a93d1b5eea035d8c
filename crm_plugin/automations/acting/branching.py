"""The Branch step."""

from __future__ import annotations

from crm_plugin.automations.inside import inside
from crm_plugin.automations.steps import BranchStep
from crm_plugin.automations.working import Work


def branch(work: Work) -> None:
    """Send the runs one way or the other, by one question for all of them."""
    step = work.op.step
    assert isinstance(step, BranchStep)  # noqa: S101 - DOERS says so
    runs = work.runs()
    members = inside(step.audience, {run.contact_id for run in runs})
    then, otherwise = work.op.ways
    for run in runs:
        work.move(run, then if run.contact_id in members else otherwise, due_at=work.now)
    work.write()
