"""What became of a person's runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from crm_plugin import clock
from crm_plugin.automations.accounting.letters import letter_lines, letters_of
from crm_plugin.automations.accounting.lines import Line, Teller
from crm_plugin.automations.accounting.wording import Code
from crm_plugin.automations.models import Enrollment, EnrollmentState
from crm_plugin.automations.running import versions
from crm_plugin.automations.steps import WaitForStep

#: Runs that an account tells, the newest.
MOST_RUNS = 20

_ENDS = {
    EnrollmentState.COMPLETED: Code.COMPLETED,
    EnrollmentState.CONVERTED: Code.CONVERTED,
    EnrollmentState.EXITED: Code.EXITED,
}


def runs_of(campaign_id: int, contact_id: int) -> list[Enrollment]:
    """Return the person's newest runs of the campaign, the first first."""
    rows = Enrollment.objects.filter(campaign_id=campaign_id, contact_id=contact_id).select_related("version")
    return list(rows.order_by("-entered_at", "-pk")[:MOST_RUNS])[::-1]


def run_lines(runs: Sequence[Enrollment], teller: Teller, *, has_letters: bool = True) -> Iterator[Line]:
    """Walk over each run: how it began, what it did, where it stands or how it ended."""
    for run in runs:
        about = run.subject_key or teller.word("the person", "고객")
        names = {"version": run.version.number, "about": about, "enrollment": run.pk}
        yield teller.line(Code.ENTERED, names, at=run.entered_at)
        for step, arm in run.arms.items():
            yield teller.line(Code.WENT_ARM, depth=1, step=step, arm=arm)
        if "coupon" in run.context:
            yield teller.line(Code.COUPON, depth=1, code=run.context["coupon"].get("code", ""))
        if "no_coupon" in run.context:
            yield teller.line(Code.NO_CODE, run.context["no_coupon"], depth=1)
        if has_letters:
            yield from letter_lines(letters_of(run.pk), teller, depth=1)
        if run.state == EnrollmentState.ACTIVE:
            yield from _standing(run, teller)
        else:
            code = _ENDS[EnrollmentState(run.state)]
            yield teller.line(code, at=run.finished_at, depth=1, reason=run.reason or "exited")


def _standing(run: Enrollment, teller: Teller) -> Iterator[Line]:
    program = versions([run.version_id])[run.version_id].definition.program
    if run.step >= program.end:
        return
    step = program.ops[run.step].step
    yield teller.line(Code.STANDS_AT, depth=1, step=step.id, place=run.step + 1, steps=program.end)
    if run.due_at is None:
        return  # its message says the rest
    if run.waits_for:
        activity = step.activity.value if isinstance(step, WaitForStep) else run.waits_for
        yield teller.line(Code.WAITS_FOR, at=run.due_at, depth=1, activity=activity)
    elif run.due_at > clock.now():
        yield teller.line(Code.WAITS_UNTIL, at=run.due_at, depth=1)
    else:
        yield teller.line(Code.IS_DUE, at=run.due_at, depth=1)
