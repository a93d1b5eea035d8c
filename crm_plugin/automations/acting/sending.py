"""The Send step: a message goes into the outbox, and the run is parked until it has its outcome."""

from __future__ import annotations

from datetime import datetime, timedelta

from crm_plugin.automations.models import Enrollment
from crm_plugin.automations.running import Version
from crm_plugin.automations.steps import Attempt, SendStep
from crm_plugin.automations.working import Work
from crm_plugin.conf import settings
from crm_plugin.messaging import Draft, enqueue


def send(work: Work) -> None:
    """Ask for the message of this step for every run."""
    step = work.op.step
    assert isinstance(step, SendStep)  # noqa: S101 - DOERS says so
    first = step.attempts[0]
    enqueue([draft(run, step, first, version=work.version, now=work.now) for run in work.runs()])
    work.go(work.op.place, due_at=None)


def draft(run: Enrollment, step: SendStep, attempt: Attempt, *, version: Version, now: datetime) -> Draft:
    """Return the message of a Send step for one channel, due now."""
    return Draft(
        contact_id=run.contact_id,
        enrollment_id=run.pk,
        campaign_id=run.campaign_id,
        template_id=version.templates[attempt.key],
        step_id=step.id,
        channel=attempt.channel,
        message_class=step.message_class,
        due_at=now,
        stale_at=now + timedelta(hours=settings().stale_after_hours),
    )
