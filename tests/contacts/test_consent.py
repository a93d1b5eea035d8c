"""Consent by channel, and the log that proves it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import IntegrityError, transaction

from crm_plugin import clock, contacts
from crm_plugin.contacts import ChannelKind, Contact
from crm_plugin.errors import NotFound
from crm_plugin.models import Consent, ConsentEvent
from tests.contacts.conftest import NOON
from tests.fake_shop import FakeShop

pytestmark = pytest.mark.django_db

EMAIL = ChannelKind.EMAIL


@pytest.fixture
def guest(shop: FakeShop, make_contact: Callable[..., Contact]) -> Contact:
    """Somebody who has not been asked yet."""
    return make_contact(email="guest@example.com")


def answer(contact: Contact, *, is_granted: bool) -> bool:
    return contacts.set_consent(contact.pk, channel=EMAIL, is_granted=is_granted, source="preferences")


def test_nobody_has_consented_before_being_asked(guest: Contact) -> None:
    assert contacts.consents_of([guest.pk]) == {guest.pk: {}}


def test_a_grant_is_logged_with_its_proof(guest: Contact) -> None:
    with clock.travel(to=NOON):
        is_changed = contacts.set_consent(
            guest.pk, channel=EMAIL, is_granted=True, source="checkout", text_version="v3", evidence={"box": "ticked"}
        )

    line = ConsentEvent.objects.get()
    assert is_changed
    assert (line.contact_id, line.channel, line.is_granted, line.occurred_at) == (guest.pk, EMAIL, True, NOON)
    assert (line.source, line.text_version, line.evidence) == ("checkout", "v3", {"box": "ticked"})
    assert contacts.consents_of([guest.pk]) == {guest.pk: {EMAIL: True}}


@pytest.mark.parametrize("is_granted", [True, False])
def test_the_same_answer_twice_is_logged_once(guest: Contact, *, is_granted: bool) -> None:
    assert answer(guest, is_granted=is_granted)
    assert not answer(guest, is_granted=is_granted)

    assert ConsentEvent.objects.count() == 1


def test_every_change_is_a_line_of_the_log(guest: Contact) -> None:
    for is_granted in (True, False, True):
        assert answer(guest, is_granted=is_granted)

    assert list(ConsentEvent.objects.order_by("pk").values_list("is_granted", flat=True)) == [True, False, True]
    assert Consent.objects.get().is_granted


@pytest.mark.parametrize(
    "change",
    [{"is_granted": True}, {"source": "forged"}, {"text_version": "v9"}, {"evidence": {}}, {"occurred_at": NOON}],
    ids=lambda change: next(iter(change)),
)
def test_the_database_refuses_to_change_the_log(guest: Contact, change: dict[str, object]) -> None:
    contacts.set_consent(guest.pk, channel=EMAIL, is_granted=False, source="checkout", evidence={"box": "empty"})
    before = ConsentEvent.objects.values().get()

    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        ConsentEvent.objects.update(**change)

    assert ConsentEvent.objects.values().get() == before


def test_a_merge_may_move_a_line_to_another_contact(guest: Contact, make_contact: Callable[..., Contact]) -> None:
    answer(guest, is_granted=True)
    other = make_contact(email="other@example.com")

    ConsentEvent.objects.update(contact=other)

    assert ConsentEvent.objects.get().contact_id == other.pk


def test_an_erased_person_answers_nothing(guest: Contact) -> None:
    contacts.erase([guest.pk])

    assert not answer(guest, is_granted=True)
    assert not ConsentEvent.objects.exists()


def test_a_contact_that_does_not_exist_is_not_found() -> None:
    with pytest.raises(NotFound, match="no contact 404"):
        contacts.set_consent(404, channel=EMAIL, is_granted=True, source="preferences")
