"""Sending failed messages again: by choice, through every gate, and never twice."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from django.db import transaction

from crm_plugin import automations, clock, contacts, messaging, persons, pipeline
from crm_plugin.messaging import ReceiptKind, Told, resending
from crm_plugin.models import Enrollment, InboxNote, Message
from tests.stories import consenting, on, running, send, wait
from tests.together import together

pytestmark = pytest.mark.django_db

NOTE = {"en": {"title": "In your inbox", "text": "Hello", "url": "{{ shop.url }}"}}
TO_INBOX = {"channel": "inbox", "template": NOTE}
_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def _mail_stays_here(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


@pytest.fixture
def campaign(fake_shop):
    return running(on("liked", reentry="always"), [send(), wait(seconds=60)])


@pytest.fixture
def failed(fake_shop):
    """Mail so many people and let all of it fail."""

    def make(count: int = 1, kind: ReceiptKind = ReceiptKind.UNDELIVERED) -> list[Message]:
        made = []
        for _ in range(count):
            customer = fake_shop.add_customer(email=f"p{next(_numbers)}@example.com")
            contact = consenting(customer.customer_id)
            contacts.set_consent(contact.pk, channel="inbox", is_granted=True, source="test")
            fake_shop.like(customer.customer_id, fake_shop.add_product(price=50).whole)
            work()
            made.append(Message.objects.get(contact=contact, channel="email"))
        messaging.keep([Told(channel="email", kind=kind, provider_id=str(one.public_id)) for one in made])
        work()
        return made

    return make


def work():
    pipeline.pump()
    pipeline.deliver()
    pipeline.pump()


def resend(**chosen):
    done = messaging.resend(**chosen)
    return done.resent, done.left


def states():
    return sorted(Message.objects.values_list("channel", "state", "reason"))


def test_a_failed_message_goes_out_again_once_and_the_run_stays_where_it_is(campaign, failed, mailoutbox):
    (message,) = failed()
    before = Enrollment.objects.values("state", "step", "due_at").get()

    assert resend(message_ids=[message.pk]) == (1, 0)
    assert resend(message_ids=[message.pk]) == (0, 0)
    work()
    work()

    assert states() == [("email", "sent", "")]
    assert len(mailoutbox) == 2  # the first one was reported lost
    assert Enrollment.objects.values("state", "step", "due_at").get() == before
    message.refresh_from_db()
    assert message.attempts == 1


def test_of_a_campaign_what_failed_for_a_reason_oldest_first_and_the_rest_is_counted(campaign, failed, monkeypatch):
    monkeypatch.setattr(resending, "LIMIT", 2)
    lost = failed(3)
    failed(1, ReceiptKind.SOFT_BOUNCE)

    assert resend(campaign_id=campaign.pk, reasons=["undelivered"]) == (2, 1)
    assert list(Message.objects.filter(state="queued").order_by("pk").values_list("pk", flat=True)) == [
        one.pk for one in lost[:2]
    ]
    assert resend(campaign_id=campaign.pk, reasons=["undelivered"]) == (1, 0)
    assert Message.objects.filter(state="failed").count() == 1


@pytest.mark.parametrize("state", ["sent", "queued", "skipped", "sending"])
def test_what_did_not_fail_stays_as_it_is(campaign, failed, state):
    (message,) = failed()
    lease = {"lease_until": clock.now(), "lease_token": message.public_id} if state == "sending" else {}
    Message.objects.update(state=state, **lease)

    assert resend(message_ids=[message.pk], includes_unknown=True) == (0, 0)
    assert Message.objects.get().state == state


def test_what_nobody_knows_of_is_sent_again_only_when_it_is_asked_for(campaign, failed, mailoutbox):
    (message,) = failed()
    Message.objects.update(state="unknown", reason="lease_expired")

    assert resend(message_ids=[message.pk]) == (0, 0)
    assert resend(campaign_id=campaign.pk) == (0, 0)
    assert resend(message_ids=[message.pk], includes_unknown=True) == (1, 0)
    work()

    assert states() == [("email", "sent", "")]


def test_an_address_that_is_blocked_is_not_revived(campaign, failed, mailoutbox):
    (message,) = failed(1, ReceiptKind.HARD_BOUNCE)

    assert resend(message_ids=[message.pk]) == (1, 0)
    work()

    assert states() == [("email", "skipped", "suppressed")]
    assert len(mailoutbox) == 1


def test_who_withdrew_meanwhile_gets_nothing(campaign, failed, mailoutbox):
    (message,) = failed()
    contacts.set_consent(message.contact_id, channel="email", is_granted=False, source="test")

    resend(message_ids=[message.pk])
    work()

    assert states() == [("email", "skipped", "no_consent")]
    assert len(mailoutbox) == 1


@pytest.mark.parametrize(("end", "count"), [(automations.pause, 1), (automations.end_campaign, 0)])
def test_only_campaigns_that_go_on_or_may(campaign, failed, end, count, mailoutbox):
    (message,) = failed()
    end(campaign.pk)

    assert resend(message_ids=[message.pk]) == (count, 0)
    work()
    assert len(mailoutbox) == 1

    if count:
        automations.resume(campaign.pk)
        work()
        assert len(mailoutbox) == 2


def test_an_erased_person_is_nobody_to_send_to(campaign, failed):
    (message,) = failed()
    persons.erase(email=message.recipient)

    assert resend(message_ids=[message.pk]) == (0, 0)
    assert Message.objects.get().state == "failed"


def test_who_was_reached_on_another_channel_gets_no_second_message(fake_shop, failed, mailoutbox):
    campaign = running(on("liked", reentry="always"), [send(fallbacks=[TO_INBOX])])
    (message,) = failed()
    assert InboxNote.objects.count() == 1

    assert resend(message_ids=[message.pk]) == (0, 0)
    assert resend(campaign_id=campaign.pk, includes_unknown=True) == (0, 0)
    work()

    assert (len(mailoutbox), InboxNote.objects.count()) == (1, 1)


def test_of_channels_that_all_failed_one_is_tried_again_and_the_other_only_if_that_fails(fake_shop, failed, mailoutbox):
    campaign = running(on("liked", reentry="always"), [send(fallbacks=[TO_INBOX])])
    (message,) = failed()
    Message.objects.filter(channel="inbox").update(state="failed", reason="rejected", delivered_at=None)
    note = Message.objects.get(channel="inbox")

    assert resend(message_ids=[message.pk, note.pk]) == (1, 0)
    assert resend(campaign_id=campaign.pk) == (0, 0)
    work()

    assert states() == [("email", "sent", ""), ("inbox", "failed", "rejected")]
    assert (len(mailoutbox), InboxNote.objects.count()) == (2, 1)


def test_it_may_go_out_long_after_it_was_first_due(campaign, failed, mailoutbox):
    (message,) = failed()

    with clock.travel(by=timedelta(days=9)):
        resend(message_ids=[message.pk])
        work()

    message.refresh_from_db()
    assert (message.state, len(mailoutbox)) == ("sent", 2)


@pytest.mark.django_db(transaction=True)
def test_two_merchants_who_choose_two_channels_of_a_step_send_one(fake_shop, failed, mailoutbox):
    running(on("liked", reentry="always"), [send(fallbacks=[TO_INBOX])])
    (message,) = failed()
    Message.objects.filter(channel="inbox").update(state="failed", reason="rejected", delivered_at=None)
    note = Message.objects.get(channel="inbox")

    def choose(pk):
        with transaction.atomic():
            messaging.resend(message_ids=[pk])

    together(lambda: choose(message.pk), lambda: choose(note.pk))

    assert Message.objects.filter(state="queued").count() == 1
