"""Which changes have the segments of a contact looked at again, and how the queue is emptied."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from crm_plugin import contacts
from crm_plugin.contacts import Person
from crm_plugin.models import Touched


@pytest.fixture
def people(shop, db):
    """Three guests, with nothing to look at."""
    made = [contacts.get_or_create(Person(email=f"{name}@example.com")).pk for name in ("ann", "bob", "cid")]
    Touched.objects.all().delete()
    return made


def touched() -> list[int]:
    return sorted(Touched.objects.values_list("contact_id", flat=True))


@pytest.mark.django_db
def test_claiming_takes_everybody_once_and_empties_the_queue(people):
    contacts.touch(people[1:])
    contacts.touch(people)

    assert contacts.claim_touched(100) == people
    assert contacts.claim_touched(100) == []


@pytest.mark.django_db
def test_claiming_is_bounded_and_passes_over_who_is_gone(people):
    contacts.touch([people[-1] + 1_000])
    contacts.touch(people)

    first, then = contacts.claim_touched(1), contacts.claim_touched(1)

    assert len(first) == len(then) == 1
    assert len(touched()) == 1


@pytest.mark.django_db
def test_nobody_to_touch_takes_no_statement(django_assert_num_queries):
    with django_assert_num_queries(0):
        contacts.touch([])


@pytest.mark.django_db(transaction=True)
def test_two_workers_claim_different_rows(people):
    contacts.touch(people)

    def elsewhere() -> list[int]:
        try:
            with transaction.atomic():
                return contacts.claim_touched(100)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        mine = contacts.claim_touched(2)
        theirs = pool.submit(elsewhere).result(timeout=10)

    assert (len(mine), len(theirs)) == (2, 1)
    assert sorted(mine + theirs) == people


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change",
    [
        lambda: contacts.set_consent(
            contacts.find(email="ann@example.com").pk, channel="email", is_granted=True, source="test"
        ),
        lambda: contacts.suppress("Ann@example.com", channel="email", reason="manual"),
        lambda: contacts.set_attributes(contacts.find(email="ann@example.com").pk, {"points": 3}),
    ],
    ids=["consent", "suppression", "attributes"],
)
def test_what_changes_about_a_contact_touches_it(people, change):
    contacts.declare_attribute("points", "number")

    change()

    assert touched() == people[:1]


@pytest.mark.django_db
def test_lifting_a_suppression_touches_and_lifting_none_does_not(people):
    contacts.suppress("ann@example.com", channel="email", reason="manual")
    Touched.objects.all().delete()

    contacts.lift_suppression("ann@example.com", channel="email")
    contacts.lift_suppression("bob@example.com", channel="email")

    assert touched() == people[:1]


@pytest.mark.django_db
def test_accounts_that_are_read_again_and_who_loses_an_address_to_them_are_touched(shop, people):
    account = shop.add_customer(email="dan@example.com")
    dan = contacts.get_or_create(Person(account.customer_id)).pk
    Touched.objects.all().delete()
    shop.change_customer(account.customer_id, email="ann@example.com")

    (merge,) = contacts.refresh_customers([account.customer_id])
    contacts.absorb(merge)

    assert set(touched()) == {people[0], dan}


@pytest.mark.django_db
def test_who_is_erased_is_off_the_queue(people):
    contacts.touch(people)

    contacts.erase(people[:1])

    assert touched() == people[1:]
