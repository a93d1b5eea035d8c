"""Fixtures of the contacts room: people as the shop tells of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeAlias

import pytest

from crm_plugin import clock, contacts
from crm_plugin.contacts import Contact, Person, Resolution
from tests.fake_shop import FakeShop

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)

Resolve: TypeAlias = Callable[..., Resolution]


def answers_of(contact_ids: list[int]) -> dict[int, dict[str, bool]]:
    """What people said, by contact and channel."""
    states = contacts.consent_states(contact_ids)
    return {pk: {state.channel: state.is_granted for state in mine} for pk, mine in states.items()}


@pytest.fixture
def shop(fake_shop: FakeShop) -> FakeShop:
    """The shop that the engine asks."""
    return fake_shop


@pytest.fixture
def resolve() -> Resolve:
    """Resolve people who are in the shop now."""

    def call(*people: Person) -> Resolution:
        return contacts.resolve(people, seen_before=clock.now())

    return call


@pytest.fixture
def make_contact(shop: FakeShop) -> Callable[..., Contact]:
    """Make a contact: of an account when it has a customer id, else of a guest."""

    def make(*, customer_id: str = "", email: str = "") -> Contact:
        if customer_id and customer_id not in shop.customer_rows:
            shop.add_customer(customer_id=customer_id, email=email)
        return contacts.get_or_create(Person(customer_id, email))

    return make
