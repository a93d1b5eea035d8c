"""Erasure, and that late facts do not bring the person back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from crm_plugin import clock, contacts
from crm_plugin.contacts import ChannelKind, Contact, Person
from crm_plugin.models import Consent, ConsentEvent, ContactSpend, Erasure, Suppression
from tests.contacts.conftest import NOON, answers_of
from tests.fake_shop import FakeShop

pytestmark = pytest.mark.django_db

MakeContact = Callable[..., Contact]
ANN = Person("7", "ann@example.com")
BEFORE, AFTER = NOON - timedelta(hours=1), NOON + timedelta(hours=1)


@pytest.fixture
def ann(shop: FakeShop) -> Contact:
    """An account with everything that this room keeps."""
    shop.add_customer(customer_id="7", email="ann@example.com", first_name="Ann", language="ko", country="KR")
    contact = contacts.get_or_create(ANN)
    contacts.set_consent(contact.pk, channel=ChannelKind.EMAIL, is_granted=True, source="registration")
    contacts.suppress("ann@example.com", channel=ChannelKind.EMAIL, reason="complaint")
    ContactSpend.objects.create(contact=contact, currency="EUR", amount=Decimal(10), orders_count=1)
    Contact.objects.filter(pk=contact.pk).update(orders_count=1, first_order_at=NOON, last_seen_at=NOON)
    return contact


def erase(contact: Contact) -> None:
    with clock.travel(to=NOON):
        contacts.erase([contact.pk])


def test_erasing_leaves_a_row_that_names_nobody(ann: Contact) -> None:
    erase(ann)

    row = Contact.objects.get()
    assert (row.pk, row.erased_at, row.orders_count) == (ann.pk, NOON, 1)
    assert (row.customer_id, row.email, row.first_name, row.last_name) == (None, None, "", "")
    assert (row.language, row.country, row.time_zone) == ("", "", "")
    assert (row.first_order_at, row.last_order_at, row.last_seen_at, row.joined_at) == (None, None, None, None)


def test_erasing_deletes_consents_their_log_and_spends(ann: Contact) -> None:
    erase(ann)

    assert not Consent.objects.exists()
    assert not ConsentEvent.objects.exists()
    assert not ContactSpend.objects.exists()


def test_a_tombstone_names_nobody(ann: Contact) -> None:
    erase(ann)

    stones = "".join(Erasure.objects.values_list("identity_digest", flat=True))
    assert Erasure.objects.count() == 2
    assert "ann" not in stones


def test_a_suppression_outlives_its_owner(ann: Contact, make_contact: MakeContact) -> None:
    erase(ann)

    assert Suppression.objects.count() == 1
    again = make_contact(email="ann@example.com")
    assert contacts.reach([again.pk], channel=ChannelKind.EMAIL)[again.pk].suppressed_for == "complaint"


@pytest.mark.parametrize("person", [ANN, Person("7"), Person(email="ann@example.com")], ids=["both", "id", "email"])
def test_an_old_fact_does_not_bring_an_erased_person_back(ann: Contact, person: Person) -> None:
    erase(ann)

    result = contacts.resolve([person], seen_before=BEFORE)

    assert result.dropped == {person}
    assert Contact.objects.count() == 1


def test_a_sign_up_after_the_erasure_is_a_new_contact(ann: Contact, shop: FakeShop) -> None:
    erase(ann)
    again = Person(shop.add_customer(customer_id="8", email="ann@example.com").customer_id)

    result = contacts.resolve([again], seen_before=AFTER)

    assert result.dropped == frozenset()
    assert Contact.objects.get(customer_id="8").email == "ann@example.com"


def test_old_and_new_facts_of_one_batch_are_told_apart_by_when_they_were_seen(ann: Contact) -> None:
    erase(ann)
    old, new = Person("7", seen_at=BEFORE), Person(email="ann@example.com", seen_at=AFTER)

    result = contacts.resolve([old, new], seen_before=AFTER)

    assert result.dropped == {old}
    assert result.erased_at == {old: NOON, new: NOON}
    assert Contact.objects.filter(email="ann@example.com").exists()


def test_old_and_new_facts_of_one_person_are_told_apart_by_the_oldest_of_the_batch(ann: Contact) -> None:
    erase(ann)
    guest = Person(email="ann@example.com", seen_at=AFTER)

    result = contacts.resolve([guest], seen_before=BEFORE)

    assert result.dropped == frozenset()
    assert result.erased_at == {guest: NOON}
    assert Contact.objects.filter(email="ann@example.com").exists()


def test_an_old_fact_of_somebody_who_came_back_says_when_it_was_too_old(ann: Contact) -> None:
    erase(ann)
    guest = Person(email="ann@example.com")
    contacts.resolve([guest], seen_before=AFTER)

    result = contacts.resolve([guest], seen_before=BEFORE)

    assert result.dropped == frozenset()
    assert result.erased_at == {guest: NOON}


def test_an_address_erased_as_a_guest_does_not_drop_the_account_that_typed_it(
    shop: FakeShop, make_contact: MakeContact
) -> None:
    account = make_contact(customer_id="9", email="bob@example.com")
    erase(make_contact(email="office@example.com"))

    result = contacts.resolve([Person("9", "office@example.com")], seen_before=BEFORE)

    assert result == contacts.Resolution()
    assert Contact.objects.filter(pk=account.pk, customer_id="9").exists()


def test_people_known_only_to_the_inbox_get_a_tombstone_too(shop: FakeShop) -> None:
    with clock.travel(to=NOON):
        contacts.erase([], also=[Person("7", "Ann@Example.com")])

    contacts.resolve([Person("7"), Person(email="ann@example.com")], seen_before=BEFORE)

    assert not Contact.objects.exists()


def test_erasing_twice_moves_nothing(ann: Contact) -> None:
    erase(ann)
    with clock.travel(to=AFTER):
        contacts.erase([ann.pk])

    assert Contact.objects.get().erased_at == NOON
    assert set(Erasure.objects.values_list("erased_at", flat=True)) == {NOON}


def test_erasing_is_for_those_named_only(ann: Contact, make_contact: MakeContact) -> None:
    other = make_contact(email="bob@example.com")
    contacts.set_consent(other.pk, channel=ChannelKind.EMAIL, is_granted=True, source="registration")

    erase(ann)

    assert answers_of([other.pk]) == {other.pk: {ChannelKind.EMAIL: True}}
    assert Contact.objects.get(pk=other.pk).email == "bob@example.com"
