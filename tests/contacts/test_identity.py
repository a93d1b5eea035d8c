"""By customer id first, then by e-mail."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from crm_plugin import clock, contacts
from crm_plugin.contacts import Contact, Person, normalize_email
from tests.contacts.conftest import NOON, Resolve
from tests.fake_shop import FakeShop

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        (" Ann@Example.COM ", "ann@example.com"),
        ("ann", ""),
        ("", ""),
        ("ann@example.com\nbcc: eve@example.com", ""),
        ("\N{KELVIN SIGN}im@example.com", ""),
        (f"{'a' * 64}@{'b' * 60}.{'c' * 60}.{'d' * 60}.{'e' * 10}.com", ""),
    ],
)
def test_an_email_is_trimmed_and_lower_case_or_none_at_all(written: str, normal: str) -> None:
    assert normalize_email(written) == normal


def test_a_new_account_takes_names_language_and_email_from_the_shop(shop: FakeShop, resolve: Resolve) -> None:
    customer = shop.add_customer(
        email="Ann@Example.com", first_name="Ann", last_name="Lee", language="ko", country="KR", joined_at=NOON
    )

    result = resolve(Person(customer.customer_id, "typed.at.checkout@example.com"))

    contact = Contact.objects.get(customer_id=customer.customer_id)
    assert (contact.email, contact.first_name, contact.last_name) == ("ann@example.com", "Ann", "Lee")
    assert (contact.language, contact.country, contact.joined_at) == ("ko", "KR", NOON)
    assert result == contacts.Resolution()


def test_an_account_that_the_shop_no_longer_has_takes_the_email_of_the_fact(resolve: Resolve, shop: FakeShop) -> None:
    resolve(Person("404", "gone@example.com"), Person("405"))

    assert Contact.objects.get(customer_id="404").email == "gone@example.com"
    assert Contact.objects.get(customer_id="405").email is None


def test_a_guest_is_known_by_email(resolve: Resolve, shop: FakeShop) -> None:
    resolve(Person(email="guest@example.com"))
    resolve(Person(email="guest@example.com"))

    assert Contact.objects.get().email == "guest@example.com"


def test_nobody_gets_no_contact(resolve: Resolve, shop: FakeShop) -> None:
    result = resolve(Person())

    assert result == contacts.Resolution()
    assert not Contact.objects.exists()


def test_a_guest_who_signs_up_stays_the_same_contact(
    shop: FakeShop, resolve: Resolve, make_contact: Callable[..., Contact]
) -> None:
    guest = make_contact(email="ann@example.com")
    account = shop.add_customer(email="ANN@example.com", first_name="Ann")

    resolve(Person(account.customer_id))

    contact = Contact.objects.get()
    assert (contact.pk, contact.customer_id, contact.first_name) == (guest.pk, account.customer_id, "Ann")


def test_guest_and_account_in_one_batch_are_one_contact(shop: FakeShop, resolve: Resolve) -> None:
    account = shop.add_customer(email="ann@example.com")

    resolve(Person(email="ann@example.com"), Person(account.customer_id))

    assert Contact.objects.get().customer_id == account.customer_id


def test_a_guest_order_with_an_accounts_email_belongs_to_the_account(
    shop: FakeShop, resolve: Resolve, make_contact: Callable[..., Contact]
) -> None:
    account = make_contact(customer_id="7", email="ann@example.com")

    resolve(Person(email="ann@example.com"))

    assert Contact.objects.get() == account


def test_an_email_typed_at_checkout_does_not_change_the_accounts_email(
    shop: FakeShop, resolve: Resolve, make_contact: Callable[..., Contact]
) -> None:
    make_contact(customer_id="7", email="ann@example.com")
    make_contact(email="office@example.com")

    result = resolve(Person("7", "office@example.com"))

    assert result.merges == ()
    assert set(Contact.objects.values_list("customer_id", "email")) == {
        ("7", "ann@example.com"),
        (None, "office@example.com"),
    }


def test_an_email_of_another_account_stays_there(
    shop: FakeShop, resolve: Resolve, make_contact: Callable[..., Contact]
) -> None:
    make_contact(customer_id="7", email="shared@example.com")
    shop.add_customer(customer_id="8", email="Shared@example.com")

    resolve(Person("8"))

    assert Contact.objects.get(customer_id="7").email == "shared@example.com"
    assert Contact.objects.get(customer_id="8").email is None


def test_two_new_accounts_with_one_email_are_two_contacts_and_one_has_it(shop: FakeShop, resolve: Resolve) -> None:
    shop.add_customer(customer_id="7", email="shared@example.com")
    shop.add_customer(customer_id="8", email="SHARED@example.com")

    resolve(Person("8"), Person("7"))

    assert dict(Contact.objects.values_list("customer_id", "email")) == {"7": "shared@example.com", "8": None}


def test_an_email_that_another_account_gave_up_goes_to_the_new_account(
    shop: FakeShop, resolve: Resolve, make_contact: Callable[..., Contact]
) -> None:
    make_contact(customer_id="7", email="ann@example.com")
    shop.change_customer("7", email="ann.lee@example.com")
    shop.add_customer(customer_id="8", email="ann@example.com")

    resolve(Person("8"))

    assert Contact.objects.get(customer_id="7").email == "ann.lee@example.com"
    assert Contact.objects.get(customer_id="8").email == "ann@example.com"


def test_a_batch_of_known_people_is_one_query(
    shop: FakeShop, resolve: Resolve, django_assert_num_queries: Callable[..., Any]
) -> None:
    people = [Person(shop.add_customer().customer_id) for _ in range(30)]
    people += [Person(email=f"guest{n}@example.com") for n in range(30)]
    resolve(*people)

    with django_assert_num_queries(1):
        resolve(*people)


@pytest.mark.parametrize("size", [2, 60])
def test_the_number_of_queries_does_not_grow_with_the_batch(
    size: int, shop: FakeShop, resolve: Resolve, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    guests = [Person(email=f"guest{n}@example.com") for n in range(size)]
    resolve(*guests)
    adopting = [Person(shop.add_customer(email=guest.email).customer_id) for guest in guests]
    new = [Person(shop.add_customer().customer_id) for _ in range(size)]

    with django_assert_max_num_queries(12):
        resolve(*adopting, *new, *(Person(email=f"late{n}@example.com") for n in range(size)))

    assert Contact.objects.count() == 3 * size


def test_get_or_create_finds_whom_it_made(shop: FakeShop) -> None:
    person = Person(shop.add_customer(email="ann@example.com").customer_id)

    made = contacts.get_or_create(person)

    assert contacts.get_or_create(person) == made
    assert contacts.get_or_create(Person(email="ann@example.com")) == made


def test_get_or_create_refuses_nobody() -> None:
    with pytest.raises(ValueError, match="customer id or an e-mail"):
        contacts.get_or_create(Person())


def test_people_are_the_same_whenever_they_were_seen() -> None:
    assert Person("7", seen_at=NOON) == Person("7", seen_at=NOON + timedelta(days=1))


def test_a_contact_remembers_when_it_was_made(shop: FakeShop, resolve: Resolve) -> None:
    with clock.travel(to=NOON):
        resolve(Person(email="guest@example.com"))

    assert Contact.objects.get().created_at == NOON
