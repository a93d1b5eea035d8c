"""Why somebody who was in a campaign does not enter it once more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from crm_plugin import clock
from crm_plugin.automations.accounting.lines import Line, Teller
from crm_plugin.automations.accounting.wording import Code
from crm_plugin.automations.models import Enrollment, EnrollmentState
from crm_plugin.automations.triggers import AudienceTrigger, Deed, Reentry, Trigger


def why_not_again(trigger: Trigger, runs: Sequence[Enrollment], teller: Teller) -> Iterator[Line]:
    """Walk over the rules that keep the person out now because of the runs that there were."""
    for run in runs:
        if run.state == EnrollmentState.ACTIVE:
            about = run.subject_key or teller.word("the person", "고객")
            yield teller.line(Code.UNDER_WAY, at=run.entered_at, about=about)
    if not runs or not isinstance(trigger, Deed | AudienceTrigger):
        return
    newest = runs[-1]
    match trigger.reentry:
        case Reentry.ONCE:
            yield teller.line(Code.NOT_AGAIN, at=newest.entered_at)
        case Reentry.AFTER if trigger.reentry_days is not None:
            until = newest.entered_at + timedelta(days=trigger.reentry_days)
            if until > clock.now():
                yield teller.line(Code.NOT_AGAIN_BEFORE, at=until, days=trigger.reentry_days)
        case Reentry.PER_SUBJECT:
            subjects = [run.subject_key for run in runs if run.subject_key]
            if subjects:
                yield teller.line(Code.NOT_AGAIN_FOR_SUBJECT, about=", ".join(subjects[-5:]))
        case _:
            pass
