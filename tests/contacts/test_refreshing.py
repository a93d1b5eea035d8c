"""E-mail and names are the shop's to say."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from crm_plugin import contacts
from crm_plugin.contacts import Contact, Merge
from tests.fake_shop import FakeShop

pytestmark = pytest.mark.django_db

MakeContact = Callable[..., Contact]


def emails() -> dict[str | None, str | None]:
    return dict(Contact.objects.values_list("customer_id", "email"))


def test_names_and_language_follow_the_shop(shop: FakeShop, make_contact: MakeContact) -> None:
    make_contact(customer_id="7", email="ann@example.com")
    shop.change_customer("7", first_name="Anna", last_name="Lee", language="ko")

    merges = contacts.refresh_customers(["7"])

    contact = Contact.objects.get()
    assert merges == ()
    assert (contact.first_name, contact.last_name, contact.language) == ("Anna", "Lee", "ko")


def test_an_email_change_follows_the_shop_in_lower_case(shop: FakeShop, make_contact: MakeContact) -> None:
    make_contact(customer_id="7", email="ann@example.com")
    shop.change_customer("7", email="Ann.Lee@Example.com")

    contacts.refresh_customers(["7"])

    assert emails() == {"7": "ann.lee@example.com"}


def test_an_email_change_onto_a_guests_address_is_a_merge(shop: FakeShop, make_contact: MakeContact) -> None:
    account = make_contact(customer_id="7", email="ann@example.com")
    guest = make_contact(email="office@example.com")
    shop.change_customer("7", email="office@example.com")

    merges = contacts.refresh_customers(["7"])

    assert merges == (Merge(source_id=guest.pk, target_id=account.pk),)
    assert emails() == {"7": "office@example.com", None: None}
    assert contacts.refresh_customers(["7"]) == ()


def test_an_email_of_another_account_is_not_taken(shop: FakeShop, make_contact: MakeContact) -> None:
    make_contact(customer_id="7", email="ann@example.com")
    make_contact(customer_id="8", email="bob@example.com")
    shop.change_customer("7", email="BOB@example.com")

    contacts.refresh_customers(["7"])

    assert emails() == {"7": None, "8": "bob@example.com"}


def test_accounts_may_swap_their_emails(shop: FakeShop, make_contact: MakeContact) -> None:
    make_contact(customer_id="7", email="ann@example.com")
    make_contact(customer_id="8", email="bob@example.com")
    shop.change_customer("7", email="bob@example.com")
    shop.change_customer("8", email="ann@example.com")

    contacts.refresh_customers(["7"])

    assert emails() == {"7": "bob@example.com", "8": "ann@example.com"}


def test_an_account_without_a_usable_email_cannot_be_written_to(shop: FakeShop, make_contact: MakeContact) -> None:
    make_contact(customer_id="7", email="ann@example.com")
    shop.change_customer("7", email="not an address")

    contacts.refresh_customers(["7"])

    assert emails() == {"7": None}


def test_what_the_shop_leaves_empty_keeps_the_language_that_is_known(shop: FakeShop, make_contact: MakeContact) -> None:
    shop.add_customer(customer_id="7", language="ko", country="KR")
    make_contact(customer_id="7")
    shop.change_customer("7", language="", country="")

    contacts.refresh_customers(["7"])

    assert Contact.objects.values_list("language", "country").get() == ("ko", "KR")


def test_unknown_accounts_are_passed_over(shop: FakeShop, make_contact: MakeContact) -> None:
    make_contact(customer_id="7", email="ann@example.com")
    shop.delete_customer("7")
    shop.add_customer(customer_id="8", email="bob@example.com")

    assert contacts.refresh_customers(["7", "8", "9"]) == ()
    assert emails() == {"7": "ann@example.com"}
