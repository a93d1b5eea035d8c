"""The Webhook step asks for a call and goes on."""

from __future__ import annotations

import pytest
from django.db import transaction

from crm_plugin import activity, automations, pipeline
from crm_plugin.models import Enrollment, WebhookCall
from crm_plugin.shop import Fact, FactKind
from tests.stories import on, running, wait

pytestmark = pytest.mark.django_db

STEP = {"type": "webhook", "id": "tell", "url": "https://hooks.example/crm", "data": {"list": "vip"}}


def advance():
    with transaction.atomic():
        automations.advance(1000)


def enter(customer):
    fact = Fact(
        kind=FactKind.FORM_SUBMITTED,
        source_key="f",
        customer_id=customer.customer_id,
        subject="Contact",
        data={"topic": "size"},
    )
    activity.record(fact)
    while pipeline._drain_once():
        pass


def test_the_run_goes_on_and_the_call_knows_what_it_is_about_but_not_who(ann):
    campaign = running(on("form_submitted"), [STEP, wait()])
    enter(ann)

    advance()

    run, call = Enrollment.objects.get(), WebhookCall.objects.get()
    assert (run.step, run.state) == (1, "active")
    assert (call.url, call.step_id, call.state, call.enrollment_id) == (STEP["url"], "tell", "queued", run.pk)
    assert call.payload == {
        "type": "campaign.step_reached",
        "timestamp": call.payload["timestamp"],
        "data": {
            "campaign": campaign.pk,
            "step": "tell",
            "subject": "about:Contact",
            "data": {"list": "vip"},
            "event": {"kind": "form_submitted", "subject": "Contact", "data": {"topic": "size"}},
        },
    }
    assert ann.email not in str(call.payload)


def test_the_step_done_again_is_one_call(ann):
    running(on("form_submitted"), [STEP, wait()])
    enter(ann)
    advance()
    Enrollment.objects.update(step=0)

    advance()

    assert (WebhookCall.objects.count(), Enrollment.objects.get().step) == (1, 1)
