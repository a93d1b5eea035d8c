"""Two workers at once, on real connections."""

from __future__ import annotations

import threading

import pytest
from django.db import connection, transaction

from crm_plugin import clock, contacts
from crm_plugin.contacts import ChannelKind, Contact, Person
from crm_plugin.models import Activity, ConsentEvent
from tests.contacts.conftest import NOON
from tests.fake_shop import FakeShop
from tests.together import together

pytestmark = pytest.mark.django_db(transaction=True)

WAIT_SECONDS = 10


def resolve(people: list[Person]) -> None:
    contacts.resolve(people, seen_before=clock.now())


def test_two_workers_resolve_the_same_new_people_once(shop: FakeShop) -> None:
    people = [Person(shop.add_customer().customer_id) for _ in range(200)]
    people += [Person(email=f"guest{number}@example.com") for number in range(200)]

    together(lambda: resolve(people), lambda: resolve(people[::-1]))

    assert Contact.objects.count() == len(people)


def test_two_workers_give_the_same_guests_their_accounts_once(shop: FakeShop) -> None:
    emails = [f"person{number}@example.com" for number in range(100)]
    resolve([Person(email=email) for email in emails])
    accounts = [Person(shop.add_customer(email=email).customer_id) for email in emails]

    together(lambda: resolve(accounts), lambda: resolve(accounts[::-1]))

    assert Contact.objects.exclude(customer_id=None).exclude(email=None).count() == len(emails)
    assert Contact.objects.count() == len(emails)


def test_a_guest_and_the_account_with_the_same_email_meet_in_two_workers(shop: FakeShop) -> None:
    accounts = [shop.add_customer() for _ in range(100)]
    guests = [Person(email=account.email) for account in accounts]
    signed_up = [Person(account.customer_id) for account in accounts]

    together(lambda: resolve(guests), lambda: resolve(signed_up))

    assert Contact.objects.exclude(customer_id=None).exclude(email=None).count() == len(accounts)
    assert Contact.objects.count() == len(accounts)


def test_a_worker_that_waits_for_another_finds_what_it_wrote(shop: FakeShop) -> None:
    guest, account = Person(email="ann@example.com"), Person(shop.add_customer(email="ann@example.com").customer_id)
    is_inserted = threading.Event()

    def insert_and_dawdle() -> None:
        with transaction.atomic():
            resolve([guest])
            is_inserted.set()
            _wait_until_somebody_waits()

    def come_second() -> None:
        assert is_inserted.wait(WAIT_SECONDS)
        resolve([account])

    together(insert_and_dawdle, come_second)

    contact = Contact.objects.get()
    assert (contact.customer_id, contact.email) == (account.customer_id, "ann@example.com")


def test_giving_a_guest_an_account_does_not_wait_for_who_records_activities(shop: FakeShop) -> None:
    guest = contacts.get_or_create(Person(email="ann@example.com"))
    account = Person(shop.add_customer(email="ann@example.com").customer_id)
    is_written, is_adopted = threading.Event(), threading.Event()

    def record() -> None:
        with transaction.atomic():
            Activity.objects.create(contact=guest, kind="viewed", source_key="view:1", occurred_at=NOON)
            connection.check_constraints()  # takes the lock of the foreign key, as the commit would
            is_written.set()
            assert is_adopted.wait(WAIT_SECONDS), "the other worker waits for this one"

    def adopt() -> None:
        assert is_written.wait(WAIT_SECONDS)
        resolve([account])
        is_adopted.set()

    together(record, adopt)

    assert Contact.objects.get().customer_id == account.customer_id


def test_two_answers_at_once_are_one_line_of_the_log(shop: FakeShop) -> None:
    guest = contacts.get_or_create(Person(email="ann@example.com"))
    changes: list[bool] = []

    def withdraw() -> None:
        is_changed = contacts.set_consent(guest.pk, channel=ChannelKind.EMAIL, is_granted=False, source="link")
        changes.append(is_changed)

    together(withdraw, withdraw)

    assert sorted(changes) == [False, True]
    assert ConsentEvent.objects.count() == 1


def _wait_until_somebody_waits() -> None:
    """Block until another session waits for a lock of this one: PostgreSQL knows."""
    for _ in range(WAIT_SECONDS * 50):
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))")
            if cursor.fetchone()[0]:
                return
            cursor.execute("SELECT pg_sleep(0.02)")
    pytest.fail("nobody came to wait")
