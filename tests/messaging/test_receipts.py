"""What providers tell afterwards: put to its message, once, and what follows for addresses and people."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from crm_plugin import audience, clock, contacts, messaging, persons, pipeline
from crm_plugin.messaging import ReceiptKind, Told
from crm_plugin.models import ConsentEvent, DeliveryReceipt, Member, Message, Suppression
from crm_plugin.money import Money
from tests.messaging.telling import blocked, campaign, is_granted, mail_stays_here, mailed, notes, tell
from tests.stories import consenting, open_shop

__all__ = ["campaign", "mail_stays_here", "mailed"]

pytestmark = pytest.mark.django_db

PHONE = "+821012345678"


def test_a_delivery_says_when_and_what_it_cost(mailed):
    message = mailed()
    at = clock.now() - timedelta(seconds=5)

    tell(message, ReceiptKind.DELIVERED, occurred_at=at, cost=Money(Decimal("0.02"), "EUR"))
    tell(message, ReceiptKind.DELIVERED, occurred_at=at + timedelta(seconds=1))

    assert (message.state, message.delivered_at, message.cost, message.cost_currency) == (
        "sent", at, Decimal("0.02"), "EUR",
    )  # fmt: skip
    assert not Suppression.objects.exists()


@pytest.mark.parametrize(
    ("kind", "reason", "block", "agrees"),
    [
        (ReceiptKind.HARD_BOUNCE, "bounced", "hard_bounce", True),
        (ReceiptKind.SOFT_BOUNCE, "bounced", "", True),
        (ReceiptKind.UNDELIVERED, "undelivered", "", True),
        (ReceiptKind.COMPLAINT, "", "complaint", False),
        (ReceiptKind.UNSUBSCRIBED, "", "", False),
    ],
)
def test_what_is_told_of_a_mail_and_what_follows(mailed, kind, reason, block, agrees):
    message, other = mailed(), mailed()

    tell(message, kind, detail="550 5.1.1 <p@example.com> gone")

    assert (message.state, message.reason) == ("failed" if reason else "sent", reason)
    assert (blocked(message), is_granted(message), notes(message)) == (block, agrees, int(bool(reason)))
    assert (message.complained_at is not None) == (kind == ReceiptKind.COMPLAINT)
    assert (blocked(other), is_granted(other), notes(other)) == ("", True, 0)
    assert not DeliveryReceipt.objects.exclude(address="", detail="").exists()


def test_what_is_told_twice_counts_once(mailed):
    message = mailed()
    told = Told(channel="email", kind=ReceiptKind.COMPLAINT, provider_id=str(message.public_id), event_id="e1")

    assert messaging.keep([told, told]) == 1
    pipeline.deliver()
    contacts.set_consent(message.contact_id, channel="email", is_granted=True, source="test")
    assert messaging.keep([told]) == 0
    pipeline.deliver()

    assert is_granted(message)


def test_what_names_no_message_of_ours_is_dropped_after_an_hour_and_looked_for_ever_less_often(mailed):
    message, start = mailed(), clock.now()
    messaging.keep([Told(channel="email", kind=ReceiptKind.HARD_BOUNCE, provider_id="foreign")])
    looks = 0
    for minute in range(62 * 4):
        with clock.travel(to=start + timedelta(seconds=15 * minute)):
            looks += messaging.settle_receipts(100)[0]

    assert DeliveryReceipt.objects.get().settled_at is not None
    assert 5 < looks < 20
    assert not Suppression.objects.exists()
    message.refresh_from_db()
    assert message.state == "sent"


def test_the_message_of_another_channel_is_not_meant(mailed):
    message = mailed()

    tell(message, ReceiptKind.HARD_BOUNCE, channel="sms")

    assert (message.state, blocked(message)) == ("sent", "")


def test_a_bounce_of_a_mail_that_is_not_ours_blocks_the_address_at_once_and_once(mailed):
    message = mailed()
    tell(message, ReceiptKind.COMPLAINT, provider_id="foreign", address=message.recipient)
    assert (blocked(message), is_granted(message)) == ("complaint", False)

    contacts.lift_suppression(message.recipient, channel="email")
    contacts.set_consent(message.contact_id, channel="email", is_granted=True, source="test")
    for minutes in (1, 30, 61):
        with clock.travel(by=timedelta(minutes=minutes)):
            pipeline.deliver()

    assert (blocked(message), is_granted(message)) == ("", True)


def test_of_a_batch_under_one_id_the_one_to_the_address_is_meant(mailed):
    first, second = mailed(), mailed()
    Message.objects.update(provider_id="batch")

    tell(first, ReceiptKind.HARD_BOUNCE, provider_id="batch", address=first.recipient)

    second.refresh_from_db()
    assert (first.state, second.state) == ("failed", "sent")


@pytest.mark.parametrize("form", [str, lambda one: one.hex, lambda one: str(one).upper()])
def test_a_providers_own_id_may_look_like_one_of_ours(mailed, form):
    message, theirs = mailed(), uuid4()
    Message.objects.filter(pk=message.pk).update(provider_id=form(theirs))

    tell(message, ReceiptKind.DELIVERED, provider_id=form(theirs))

    assert message.delivered_at is not None


@pytest.mark.parametrize(
    ("state", "reason", "after"),
    [
        ("unknown", "lease_expired", "sent"),
        ("failed", "retries_exhausted", "sent"),
        ("failed", "rejected", "failed"),
        ("failed", "bounced", "failed"),
    ],
)
def test_a_delivery_settles_what_nobody_knew(mailed, state, reason, after):
    message = mailed()
    Message.objects.filter(pk=message.pk).update(state=state, reason=reason)

    tell(message, ReceiptKind.DELIVERED)

    assert (message.state, message.reason) == (after, "" if after == "sent" else reason)
    assert notes(message) == 0


def test_a_bounce_of_what_nobody_knew_tries_the_next_channel(mailed):
    message = mailed()
    Message.objects.filter(pk=message.pk).update(state="unknown", reason="lease_expired")

    tell(message, ReceiptKind.HARD_BOUNCE)

    assert (message.state, message.reason, notes(message)) == ("failed", "bounced", 1)


def test_an_erased_persons_late_bounce_blocks_the_address_and_names_nobody(mailed):
    message = mailed()
    address = message.recipient
    persons.erase(email=address)

    tell(message, ReceiptKind.HARD_BOUNCE, address=address)

    assert contacts.suppression_of(address, channel="email").reason == "hard_bounce"
    assert (message.recipient, message.detail) == ("", "")


# --- soft bounces -----------------------------------------------------------------------------------------------


def soft(mailed, fake_shop, customer, count: int) -> list[Message]:
    found = []
    for _ in range(count):
        message = mailed(customer)
        tell(message, ReceiptKind.SOFT_BOUNCE)
        found.append(message)
    return found


@pytest.mark.parametrize(("limit", "block"), [(0, ""), (4, ""), (3, "soft_bounces"), (1, "soft_bounces")])
def test_so_many_soft_bounces_in_a_row_block_the_address(mailed, fake_shop, limit, block):
    open_shop(soft_bounces_block=limit)
    customer = fake_shop.add_customer(email="full@example.com")
    consenting(customer.customer_id)

    messages = soft(mailed, fake_shop, customer, 1 if limit == 1 else 3)

    assert blocked(messages[-1]) == block
    assert is_granted(messages[-1])


@pytest.mark.parametrize("sign", ["delivered_at", "opened_at", "clicked_at", "machine_opened_at"])
def test_a_sign_of_life_ends_the_row(mailed, fake_shop, sign):
    open_shop(soft_bounces_block=3)
    customer = fake_shop.add_customer(email="full@example.com")
    consenting(customer.customer_id)
    soft(mailed, fake_shop, customer, 2)
    alive = mailed(customer)
    Message.objects.filter(pk=alive.pk).update(**{sign: clock.now()})

    messages = soft(mailed, fake_shop, customer, 2)
    before = blocked(messages[-1])
    last = soft(mailed, fake_shop, customer, 1)[0]

    assert (before, blocked(last)) == ("", "soft_bounces")


def test_the_same_soft_bounce_told_again_is_one(mailed, fake_shop):
    open_shop(soft_bounces_block=2)
    message = mailed()

    for _ in range(3):
        tell(message, ReceiptKind.SOFT_BOUNCE)
        tell(message, ReceiptKind.SOFT_BOUNCE, event_id=uuid4().hex)

    assert (message.state, blocked(message), notes(message)) == ("failed", "", 1)


def test_a_hard_bounce_after_soft_ones_is_what_the_address_is_blocked_for(mailed, fake_shop):
    open_shop(soft_bounces_block=1)
    message = mailed()

    tell(message, ReceiptKind.SOFT_BOUNCE)
    tell(message, ReceiptKind.HARD_BOUNCE)

    assert blocked(message) == "hard_bounce"


# --- STOP and START ---------------------------------------------------------------------------------------------


@pytest.fixture
def texted(mailed):
    """Somebody who got a text message."""
    message = mailed()
    contacts.rows_of([message.contact_id]).update(phone=PHONE)
    contacts.set_consent(message.contact_id, channel="sms", is_granted=True, source="test")
    Message.objects.filter(pk=message.pk).update(channel="sms", recipient=PHONE)
    message.refresh_from_db()
    return message


def answer(kind: ReceiptKind, address: str = PHONE) -> None:
    messaging.keep([Told(channel="sms", kind=kind, address=address)])
    pipeline.deliver()


def test_stop_blocks_the_number_and_withdraws_and_start_lifts_the_block_only(texted):
    answer(ReceiptKind.UNSUBSCRIBED, " +82 10-1234-5678")
    assert (blocked(texted), is_granted(texted)) == ("stop", False)

    answer(ReceiptKind.RESUBSCRIBED)
    assert (blocked(texted), is_granted(texted)) == ("", False)

    answer(ReceiptKind.UNSUBSCRIBED)
    assert blocked(texted) == "stop"


def test_start_does_not_revive_a_number_that_is_dead(texted):
    answer(ReceiptKind.UNSUBSCRIBED)
    tell(texted, ReceiptKind.HARD_BOUNCE)
    answer(ReceiptKind.RESUBSCRIBED)

    assert blocked(texted) == "hard_bounce"


def test_everybody_at_a_shared_number_is_heard(texted, mailed):
    other = mailed()
    contacts.rows_of([other.contact_id]).update(phone=PHONE)

    answer(ReceiptKind.UNSUBSCRIBED)

    lines = ConsentEvent.objects.filter(channel="sms", source="provider_unsubscribed")
    assert set(lines.values_list("contact_id", flat=True)) == {texted.contact_id, other.contact_id}


def test_a_number_of_nobody_is_blocked_all_the_same(campaign):
    answer(ReceiptKind.UNSUBSCRIBED, "+14155552671")

    assert contacts.suppression_of("+14155552671", channel="sms").reason == "stop"


# --- leaving every list (row 55) --------------------------------------------------------------------------------


@pytest.mark.feature(55)
@pytest.mark.parametrize("kind", [ReceiptKind.HARD_BOUNCE, ReceiptKind.COMPLAINT])
def test_whose_mail_comes_back_leaves_every_list_and_segment_within_a_minute(mailed, kind):
    message, other = mailed(), mailed()
    lists = [audience.create_segment(name) for name in ("VIP", "Fair")]
    for one in lists:
        audience.add_members(one.pk, [message.contact_id, other.contact_id])
    audience.create_segment("Reachable", {"include": {"type": "reachable", "channel": "email"}})
    pipeline.upkeep_audience()
    pipeline.pump()
    assert Member.objects.filter(contact_id=message.contact_id).count() == 3

    with clock.travel(by=timedelta(seconds=30)):
        tell(message, kind)
    with clock.travel(by=timedelta(seconds=60)):
        pipeline.pump()

    assert not Member.objects.filter(contact_id=message.contact_id).exists()
    assert Member.objects.filter(contact_id=other.contact_id).count() == 3


def test_a_soft_bounce_leaves_no_list(mailed):
    message = mailed()
    vip = audience.create_segment("VIP")
    audience.add_members(vip.pk, [message.contact_id])

    tell(message, ReceiptKind.SOFT_BOUNCE)
    pipeline.pump()

    assert Member.objects.filter(contact_id=message.contact_id).count() == 1


def test_old_receipts_are_forgotten(mailed):
    message = mailed()
    tell(message, ReceiptKind.DELIVERED)
    messaging.keep([Told(channel="email", kind=ReceiptKind.DELIVERED, provider_id="waits")])

    with clock.travel(by=timedelta(days=6)):
        assert messaging.forget_receipts(10) == 0
    with clock.travel(by=timedelta(days=8)):
        assert messaging.forget_receipts(10) == 1
    assert DeliveryReceipt.objects.get().provider_id == "waits"


def test_receipts_that_wait_are_part_of_the_lag(mailed):
    messaging.keep([Told(channel="email", kind=ReceiptKind.DELIVERED, provider_id="nobody knows it")])
    with clock.travel(by=timedelta(minutes=2)):
        waiting = messaging.lag()

    assert waiting["receipts_rows"] == 1
    assert 119 < waiting["receipts_oldest_seconds"] < 125
