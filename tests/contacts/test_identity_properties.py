"""Whatever happens, in whatever order: one contact for each identity, and no identity on an erased row."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_plugin import clock, contacts, shop
from crm_plugin.contacts import Contact, Person
from tests.fake_shop import FakeShop

pytestmark = pytest.mark.django_db

START = datetime(2026, 3, 2, tzinfo=UTC)
CUSTOMER_IDS = st.sampled_from(["1", "2", "3", "4"])
EMAILS = st.sampled_from([f"{name}@example.com" for name in ("a", "A", "b", "B", "c")] + ["no address"])
STEPS = st.one_of(
    st.tuples(st.just("signs_up"), CUSTOMER_IDS, EMAILS),
    st.tuples(st.just("orders_as_guest"), CUSTOMER_IDS, EMAILS),
    st.tuples(st.just("orders"), CUSTOMER_IDS, EMAILS),
    st.tuples(st.just("changes_email"), CUSTOMER_IDS, EMAILS),
    st.tuples(st.just("is_erased"), CUSTOMER_IDS, EMAILS),
    st.tuples(st.just("leaves_silently"), CUSTOMER_IDS, EMAILS),
)


class Story:
    """Plays steps on a shop and on the contacts room."""

    def __init__(self) -> None:
        self.shop = FakeShop()
        #: Shops never give an id twice.
        self.given_ids: set[str] = set()

    def play(self, step: str, customer_id: str, email: str) -> None:
        match step:
            case "signs_up" if customer_id not in self.given_ids:
                self.given_ids.add(customer_id)
                self.shop.add_customer(customer_id=customer_id, email=email)
                self._resolve(Person(customer_id))
            case "orders_as_guest":
                self._resolve(Person(email=contacts.normalize_email(email)))
            case "orders" if customer_id in self.given_ids:
                self._resolve(Person(customer_id, contacts.normalize_email(email)))
            case "changes_email" if customer_id in self.shop.customer_rows:
                self.shop.change_customer(customer_id, email=email)
                self._absorb(contacts.refresh_customers([customer_id]))
            case "is_erased":
                found = contacts.find(customer_id=customer_id, email=email)
                contacts.erase([found.pk] if found else [])
            case "leaves_silently":
                self.shop.delete_customer(customer_id)

    def _resolve(self, person: Person) -> None:
        result = contacts.resolve([person], seen_before=clock.now())
        assert not result.dropped
        self._absorb(result.merges)

    def _absorb(self, merges: tuple[contacts.Merge, ...]) -> None:
        for merge in merges:
            contacts.absorb(merge)


@pytest.fixture
def no_shop() -> Iterator[None]:
    """Give the shop before the test back: each example installs its own."""
    before = shop.install(None)
    yield
    shop.install(before)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, max_size=14))
def test_identities_stay_unique_whatever_happens(no_shop: None, steps: list[tuple[str, str, str]]) -> None:
    with transaction.atomic():
        story = Story()
        shop.install(story.shop)

        for number, step in enumerate(steps):
            with clock.travel(to=START + timedelta(minutes=number)):
                story.play(*step)

        _check(story.shop)
        transaction.set_rollback(True)


def _check(fake: FakeShop) -> None:
    rows = list(Contact.objects.all())
    customer_ids = [row.customer_id for row in rows if row.customer_id]
    emails = [row.email for row in rows if row.email]
    assert len(set(customer_ids)) == len(customer_ids)
    assert len({email.lower() for email in emails}) == len(emails)
    for row in rows:
        if row.erased_at:
            assert (row.customer_id, row.email, row.first_name) == (None, None, "")
        else:
            assert row.customer_id or row.email
        if row.email and row.customer_id in fake.customer_rows:
            assert row.email == contacts.normalize_email(fake.customer_rows[row.customer_id].email)
