"""Two contacts turned out to be one person."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction

from crm_plugin import clock, contacts
from crm_plugin.contacts import ChannelKind, Contact, Merge
from crm_plugin.models import Activity, Consent, ConsentEvent, ContactSpend
from tests.contacts.conftest import NOON, answers_of
from tests.fake_shop import FakeShop

pytestmark = pytest.mark.django_db

MakeContact = Callable[..., Contact]
EMAIL = ChannelKind.EMAIL


@pytest.fixture
def merge(shop: FakeShop, make_contact: MakeContact) -> Merge:
    """A guest (source) whose address an account (target) has changed to."""
    account = make_contact(customer_id="7", email="ann@example.com")
    guest = make_contact(email="office@example.com")
    return Merge(source_id=guest.pk, target_id=account.pk)


def answer(contact_id: int, *, is_granted: bool, after_hours: int) -> None:
    with clock.travel(to=NOON + timedelta(hours=after_hours)):
        contacts.set_consent(contact_id, channel=EMAIL, is_granted=is_granted, source="test")


@pytest.mark.parametrize(
    ("guest_hours", "account_hours", "is_granted"), [(2, 1, True), (1, 2, False)], ids=["guest-last", "account-last"]
)
def test_the_newest_consent_wins_and_the_whole_log_stays(
    merge: Merge, *, guest_hours: int, account_hours: int, is_granted: bool
) -> None:
    answer(merge.source_id, is_granted=True, after_hours=guest_hours)
    answer(merge.target_id, is_granted=False, after_hours=account_hours)

    contacts.absorb(merge)

    assert answers_of([merge.target_id]) == {merge.target_id: {EMAIL: is_granted}}
    assert Consent.objects.count() == 1
    assert ConsentEvent.objects.filter(contact_id=merge.target_id).count() == 2


def test_counters_and_spends_are_added_up(merge: Merge) -> None:
    Contact.objects.filter(pk=merge.source_id).update(
        orders_count=2, first_order_at=NOON, last_order_at=NOON, last_seen_at=NOON, time_zone="Asia/Seoul"
    )
    Contact.objects.filter(pk=merge.target_id).update(orders_count=1, first_order_at=NOON + timedelta(days=1))
    for contact_id, currency, amount in (
        (merge.source_id, "EUR", "10.50"),
        (merge.source_id, "KRW", "5000"),
        (merge.target_id, "EUR", "1.00"),
    ):
        ContactSpend.objects.create(contact_id=contact_id, currency=currency, amount=Decimal(amount), orders_count=1)

    contacts.absorb(merge)

    target = Contact.objects.get()
    assert (target.orders_count, target.first_order_at, target.last_order_at) == (3, NOON, NOON)
    assert (target.last_seen_at, target.time_zone) == (NOON, "Asia/Seoul")
    assert set(ContactSpend.objects.values_list("contact_id", "currency", "amount", "orders_count")) == {
        (target.pk, "EUR", Decimal("11.50"), 2),
        (target.pk, "KRW", Decimal(5000), 1),
    }


def test_the_source_is_gone_and_doing_it_again_changes_nothing(merge: Merge) -> None:
    Contact.objects.filter(pk=merge.source_id).update(orders_count=2)

    contacts.absorb(merge)
    contacts.absorb(merge)

    assert Contact.objects.get(pk=merge.target_id).orders_count == 2
    assert not Contact.objects.filter(pk=merge.source_id).exists()


def test_a_contact_is_not_merged_with_itself(merge: Merge) -> None:
    contacts.absorb(Merge(merge.target_id, merge.target_id))

    assert Contact.objects.filter(pk=merge.target_id).exists()


def test_rows_that_another_room_forgot_to_move_are_not_lost(merge: Merge) -> None:
    Activity.objects.create(contact_id=merge.source_id, kind="viewed", source_key="view:1", occurred_at=NOON)

    with pytest.raises(IntegrityError), transaction.atomic():  # noqa: PT012 - foreign keys are looked at when it commits
        contacts.absorb(merge)
        connection.check_constraints()

    assert Activity.objects.get().contact_id == merge.source_id
    assert Contact.objects.filter(pk=merge.source_id).exists()
