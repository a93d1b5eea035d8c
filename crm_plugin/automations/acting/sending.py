"""The Send step: a message goes into the outbox, and the run is parked until it has its outcome."""

from __future__ import annotations

from datetime import timedelta

from crm_plugin.automations.models import Enrollment
from crm_plugin.automations.steps import SendStep
from crm_plugin.automations.working import Work
from crm_plugin.conf import settings
from crm_plugin.messaging import Draft, enqueue


def send(work: Work) -> None:
    """Ask for the message of this step for every run."""
    step = work.op.step
    assert isinstance(step, SendStep)  # noqa: S101 - DOERS says so
    enqueue([_draft(run, step, work) for run in work.runs()])
    work.go(work.op.place, due_at=None)


def _draft(run: Enrollment, step: SendStep, work: Work) -> Draft:
    return Draft(
        contact_id=run.contact_id,
        enrollment_id=run.pk,
        campaign_id=run.campaign_id,
        template_id=work.version.templates[step.id],
        step_id=step.id,
        channel=step.channel,
        message_class=step.message_class,
        due_at=work.now,
        stale_at=work.now + timedelta(hours=settings().stale_after_hours),
    )
