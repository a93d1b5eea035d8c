"""Receipts in any order, any number of times, and on two workers at once end in the same."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_plugin import automations, clock, contacts, messaging, pipeline
from crm_plugin.contacts import SuppressionReason
from crm_plugin.messaging import MessageState, ReceiptKind, Told, outbox
from crm_plugin.messaging.outbox import Marking, Settlement
from crm_plugin.models import ConsentEvent, DeliveryReceipt, InboxNote, Message
from tests.fake_shop import FakeShop
from tests.messaging.telling import blocked, campaign, is_granted, mail_stays_here, mailed, notes, numbers, tell
from tests.stories import consenting
from tests.together import together

__all__ = ["campaign", "mail_stays_here", "mailed"]

pytestmark = pytest.mark.django_db


def handed_over(fake_shop: FakeShop) -> tuple[Message, Callable[[], None]]:
    """Hand a message to a provider that has not answered yet; returns what answering does."""
    customer = fake_shop.add_customer(email=f"p{next(numbers)}@example.com")
    contact = consenting(customer.customer_id)
    contacts.set_consent(contact.pk, channel="inbox", is_granted=True, source="test")
    fake_shop.like(customer.customer_id, fake_shop.add_product(price=50).whole)
    pipeline.pump()
    (claimed,) = messaging.claim(1)
    mark = Marking(claimed=claimed, recipient=f"{customer.email}", language="en", subject="Hello")
    outbox.mark_sending([mark], lease_until=clock.now() + timedelta(hours=3))
    provider_id = f"provider-{claimed.message_id}"

    def answer() -> None:
        final = outbox.settle([Settlement(claimed=claimed, state=MessageState.SENT, provider_id=provider_id)])
        automations.go_on(final)

    return Message.objects.get(pk=claimed.message_id), answer


KINDS = [ReceiptKind.DELIVERED, ReceiptKind.SOFT_BOUNCE, ReceiptKind.HARD_BOUNCE, ReceiptKind.COMPLAINT]
NAMES = st.sampled_from(["ours", "theirs"])
EVENTS = st.lists(st.tuples(st.sampled_from(KINDS), NAMES, st.booleans()), max_size=6)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(events=EVENTS, place=st.integers(0, 6), foreign=st.sampled_from(KINDS))
def test_in_whatever_order_it_is_told_the_end_is_the_same(fake_shop, campaign, events, place, foreign):
    message, answer_of_provider = handed_over(fake_shop)
    names = {"ours": str(message.public_id), "theirs": f"provider-{message.pk}"}
    start = clock.now()
    steps = [*events[:place], None, *events[place:]]
    messaging.keep([Told(channel="email", kind=foreign, provider_id="foreign", event_id=str(message.pk))])

    for number, step in enumerate(steps):
        with clock.travel(to=start + timedelta(seconds=20 * number)):
            if step is None:
                answer_of_provider()
            else:
                kind, name, is_addressed = step
                address = message.recipient if is_addressed else ""
                messaging.keep([Told(channel="email", kind=kind, provider_id=names[name], address=address)])
            pipeline.deliver()
    for minutes in (10, 30):
        with clock.travel(to=start + timedelta(minutes=minutes)):
            pipeline.deliver()

    kinds = {step[0] for step in events}
    has_failed = bool(kinds & {ReceiptKind.HARD_BOUNCE, ReceiptKind.SOFT_BOUNCE})
    message.refresh_from_db()
    assert (message.state, message.reason) == (("failed", "bounced") if has_failed else ("sent", ""))
    assert (message.delivered_at is not None) == (ReceiptKind.DELIVERED in kinds)
    assert (message.complained_at is not None) == (ReceiptKind.COMPLAINT in kinds)
    assert is_granted(message) == (ReceiptKind.COMPLAINT not in kinds)
    lasting = {str(kind) for kind in kinds & {ReceiptKind.HARD_BOUNCE, ReceiptKind.COMPLAINT}}
    assert blocked(message) in (lasting or {""})
    of_run = Message.objects.filter(enrollment_id=message.enrollment_id)
    assert of_run.filter(channel="inbox").count() == int(has_failed)
    assert InboxNote.objects.filter(contact_id=message.contact_id).count() <= 1


def test_a_receipt_that_comes_before_the_send_has_returned_waits_for_it(fake_shop, campaign):
    message, answer_of_provider = handed_over(fake_shop)
    for name in (str(message.public_id), f"provider-{message.pk}"):
        tell(message, ReceiptKind.DELIVERED, provider_id=name)
    tell(message, ReceiptKind.HARD_BOUNCE)
    before = (message.state, message.delivered_at)
    answer_of_provider()

    with clock.travel(by=timedelta(seconds=16)):
        pipeline.deliver()

    message.refresh_from_db()
    assert before == ("sending", None)
    assert (message.state, message.reason) == ("failed", "bounced")
    assert message.delivered_at is not None
    assert not DeliveryReceipt.objects.filter(settled_at=None).exists()


# --- two workers ------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_two_workers_on_the_same_receipts_do_everything_once(mailed, settings):
    settings.CRM_DELIVER_BATCH = 3
    messages = [mailed() for _ in range(8)]
    for kind in (ReceiptKind.HARD_BOUNCE, ReceiptKind.SOFT_BOUNCE, ReceiptKind.COMPLAINT, ReceiptKind.DELIVERED):
        messaging.keep(
            [Told(channel="email", kind=kind, provider_id=str(one.public_id), event_id=f"{kind}{one.pk}{copy}")
             for one in messages for copy in range(2)]
        )  # fmt: skip

    together(pipeline.deliver, pipeline.deliver)
    for _ in range(5):
        pipeline.deliver()

    for message in messages:
        message.refresh_from_db()
        assert (message.state, message.reason) == ("failed", "bounced")
        assert blocked(message) in (SuppressionReason.HARD_BOUNCE, SuppressionReason.COMPLAINT)
        assert notes(message) == 1
        assert (
            ConsentEvent.objects.filter(contact_id=message.contact_id, channel="email", is_granted=False).count() == 1
        )
    assert not DeliveryReceipt.objects.filter(settled_at=None).exists()
    assert InboxNote.objects.count() == len(messages)


@pytest.mark.django_db(transaction=True)
def test_two_calls_that_tell_the_same_do_not_block_each_other(fake_shop):
    told = [
        Told(channel="email", kind=ReceiptKind.DELIVERED, provider_id=f"m{number}", event_id=f"e{number}")
        for number in range(200)
    ]

    together(lambda: messaging.keep(told), lambda: messaging.keep(told[::-1]))

    assert DeliveryReceipt.objects.count() == 200
