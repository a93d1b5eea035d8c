"""The Webhook step: a call goes into the queue, and the run goes on; what becomes of the call moves nobody."""

from __future__ import annotations

from typing import Any, Final

from crm_plugin.automations.models import Enrollment
from crm_plugin.automations.steps import WebhookStep
from crm_plugin.automations.working import Work
from crm_plugin.messaging import CallDraft, enqueue_calls

#: The ``type`` of every call, as Standard Webhooks names events.
EVENT_TYPE: Final = "campaign.step_reached"

_EVENT: Final = ("kind", "subject", "order_ref", "cart_ref", "shop_channel", "data")


def call(work: Work) -> None:
    """Ask for the call of this step for every run."""
    step = work.op.step
    assert isinstance(step, WebhookStep)  # noqa: S101 - DOERS says so
    enqueue_calls(
        [
            CallDraft(
                contact_id=run.contact_id,
                enrollment_id=run.pk,
                campaign_id=run.campaign_id,
                step_id=step.id,
                url=step.url,
                payload=_payload(run, step, work),
            )
            for run in work.runs()
        ]
    )
    work.go(work.op.following, due_at=work.now)


def _payload(run: Enrollment, step: WebhookStep, work: Work) -> dict[str, Any]:
    """Return what the receiver gets; who the person is is added when the call is made."""
    return {
        "type": EVENT_TYPE,
        "timestamp": work.now.isoformat(),
        "data": {
            "campaign": run.campaign_id,
            "step": step.id,
            "subject": run.subject_key,
            "data": step.data,
            "event": {name: run.context[name] for name in _EVENT if name in run.context},
        },
    }
