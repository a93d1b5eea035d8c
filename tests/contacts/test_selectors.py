"""What other rooms ask about contacts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from crm_plugin import contacts
from crm_plugin.contacts import ChannelKind, Contact
from tests.fake_shop import FakeShop

pytestmark = pytest.mark.django_db

MakeContact = Callable[..., Contact]
EMAIL = ChannelKind.EMAIL


def test_reach_says_whether_and_how_somebody_can_be_written_to(shop: FakeShop, make_contact: MakeContact) -> None:
    shop.add_customer(customer_id="7", email="ann@example.com", first_name="Ann", last_name="Lee", language="ko")
    ann = make_contact(customer_id="7")
    contacts.set_consent(ann.pk, channel=EMAIL, is_granted=True, source="registration")
    contacts.suppress("ann@example.com", channel=EMAIL, reason="hard_bounce")

    reach = contacts.reach([ann.pk, 999], channel=EMAIL)

    assert set(reach) == {ann.pk}
    found = reach[ann.pk]
    assert (found.contact_id, found.address, found.customer_id) == (ann.pk, "ann@example.com", "7")
    assert (found.first_name, found.last_name, found.language, found.time_zone) == ("Ann", "Lee", "ko", "")
    assert (found.has_consent, found.suppressed_for) == (True, "hard_bounce")


def test_who_did_not_answer_or_took_it_back_has_not_consented(shop: FakeShop, make_contact: MakeContact) -> None:
    silent, former = make_contact(email="silent@example.com"), make_contact(email="former@example.com")
    for is_granted in (True, False):
        contacts.set_consent(former.pk, channel=EMAIL, is_granted=is_granted, source="preferences")

    reach = contacts.reach([silent.pk, former.pk], channel=EMAIL)

    assert [found.has_consent for found in reach.values()] == [False, False]
    assert [found.suppressed_for for found in reach.values()] == [None, None]


def test_who_was_erased_has_no_address(shop: FakeShop, make_contact: MakeContact) -> None:
    guest = make_contact(email="guest@example.com")
    contacts.erase([guest.pk])

    reach = contacts.reach([guest.pk], channel=EMAIL)

    assert (reach[guest.pk].address, reach[guest.pk].has_consent) == ("", False)


def test_a_channel_that_is_unknown_here_has_no_addresses(shop: FakeShop, make_contact: MakeContact) -> None:
    guest = make_contact(email="guest@example.com")

    assert contacts.reach([guest.pk], channel="pigeon")[guest.pk].address == ""


@pytest.mark.parametrize("size", [1, 40])
def test_reach_takes_three_queries(
    size: int, shop: FakeShop, make_contact: MakeContact, django_assert_num_queries: Callable[..., Any]
) -> None:
    people = [make_contact(email=f"guest{number}@example.com").pk for number in range(size)]

    with django_assert_num_queries(3):
        reach = contacts.reach(people, channel=EMAIL)

    assert len(reach) == size


def test_somebody_is_found_by_customer_id_before_email(shop: FakeShop, make_contact: MakeContact) -> None:
    ann, guest = make_contact(customer_id="7", email="ann@example.com"), make_contact(email="guest@example.com")

    assert contacts.find(customer_id="7", email="guest@example.com") == ann
    assert contacts.find(customer_id="404", email=" Guest@Example.com") == guest
    assert contacts.find(customer_id="404") is None
    assert contacts.find() is None


def test_contacts_lists_everybody(shop: FakeShop, make_contact: MakeContact) -> None:
    people = {make_contact(email=f"guest{number}@example.com") for number in range(3)}

    assert set(contacts.contacts()) == people
