"""The delivery loop through a provider's batches: each message ends as its own result says."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.test import Client

from crm_plugin import clock, contacts, messaging
from crm_plugin.models import Message
from tests.messaging.esp import payloads
from tests.messaging.esp.esp_server import Fault

pytestmark = pytest.mark.django_db


@pytest.fixture
def postmark(channel_of, esp_server):
    """Campaigns go through Postmark's stand-in."""
    channel_of("postmark", WEBHOOK_SECRET=payloads.SECRET)
    return esp_server


@pytest.fixture
def three(queue, make_contact):
    return [queue(make_contact(f"p{at}@example.com")) for at in range(3)]


def states(messages: list[Message]) -> list[tuple[str, str]]:
    rows = Message.objects.filter(pk__in=[one.pk for one in messages]).order_by("pk")
    return [(row.state, row.reason) for row in rows]


def test_a_chunk_goes_out_in_one_call_and_keeps_each_ones_id(postmark, three, deliver):
    deliver()

    assert [len(call.json) for call in postmark.calls] == [3]
    assert states(three) == [("sent", "")] * 3
    assert Message.objects.values("provider_id").distinct().count() == 3
    assert sorted(mail["Metadata"]["crm_message"] for mail in postmark.mails) == sorted(
        str(one.public_id) for one in three
    )


def test_one_bad_recipient_blocks_their_address_and_nobody_elses_mail(postmark, three, deliver):
    postmark.refuse("p1@", "406 You tried to send to a recipient that has been marked as inactive.")

    deliver()

    assert states(three) == [("sent", ""), ("failed", "address_refused"), ("sent", "")]
    reaches = contacts.reach([one.contact_id for one in three], channel="email")
    assert [bool(reaches[one.contact_id].suppressed_for) for one in three] == [False, True, False]


def test_too_many_requests_hold_the_chunk_as_long_as_the_provider_says(postmark, three, deliver):
    postmark.next(Fault(429, "{}", {"Retry-After": "17"}))
    now = clock.now()

    with clock.travel(to=now):
        deliver()

    rows = Message.objects.filter(pk__in=[one.pk for one in three])
    assert {(row.state, row.due_at) for row in rows} == {("queued", now + timedelta(seconds=17))}
    assert postmark.mails == []

    with clock.travel(to=now + timedelta(seconds=18)):
        deliver()
    assert states(three) == [("sent", "")] * 3


def test_a_lost_answer_is_unknown_until_the_provider_says_that_it_arrived(postmark, three, deliver):
    postmark.next(Fault(is_taken=True, is_hanging_up=True))

    deliver()
    deliver()

    assert states(three) == [("unknown", "connection_lost")] * 3
    assert len(postmark.mails) == 3

    told = payloads.postmark("delivery", str(three[0].public_id))
    Client().post("/crm/receipts/postmark/", json.dumps(told), content_type="application/json", headers=payloads.BASIC)
    messaging.settle_receipts(10)

    assert states(three)[0] == ("sent", "")
