"""What becomes of the stream when two contacts are one person, and when a person is forgotten."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from crm_plugin import activity, contacts, persons
from crm_plugin.contacts import Merge, Person
from crm_plugin.models import Inbox, Interest, OwnLike
from crm_plugin.shop import Fact, FactKind, ProductRef

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)


def interest(email, **fields):
    contact = contacts.get_or_create(Person(email=email))
    Interest.objects.create(contact=contact, product_id="1", shop_channel="default", **fields)
    return contact.pk


@pytest.mark.parametrize(
    ("target", "source", "liked_at"),
    [
        ({"liked_at": None, "like_changed_at": LATER}, {"liked_at": NOON, "like_changed_at": NOON}, None),
        ({"liked_at": NOON, "like_changed_at": NOON}, {"liked_at": None, "like_changed_at": LATER}, None),
        ({"liked_at": NOON, "like_changed_at": NOON}, {"liked_at": LATER, "like_changed_at": LATER}, LATER),
        ({}, {"liked_at": NOON, "like_changed_at": NOON}, NOON),
        ({"liked_at": NOON, "like_changed_at": NOON}, {}, NOON),
    ],
    ids=["taken back by the target", "taken back by the source", "liked by both", "by the source", "by the target"],
)
def test_of_two_interests_the_newest_like_or_unlike_counts(fake_shop, target, source, liked_at):
    kept, gone = interest("a@example.com", **target), interest("b@example.com", **source)

    activity.absorb(Merge(source_id=gone, target_id=kept))

    assert Interest.objects.values_list("contact_id", "liked_at").get() == (kept, liked_at)


def test_an_interest_without_a_price_takes_that_of_the_other(fake_shop):
    kept = interest("a@example.com", bought_at=NOON)
    gone = interest("b@example.com", last_interest_at=LATER, baseline_price=50, currency="EUR")

    activity.absorb(Merge(source_id=gone, target_id=kept))

    assert Interest.objects.values_list("baseline_price", "currency").get() == (Decimal(50), "EUR")


def test_erasing_by_e_mail_takes_the_accounts_own_likes_and_facts_that_were_set_aside(fake_shop):
    customer = fake_shop.add_customer(email="ann@example.com")
    contacts.get_or_create(Person(customer.customer_id, customer.email))
    activity.like_own(customer.customer_id, ProductRef("1", "default"))
    for key, who in (("a", {"customer_id": customer.customer_id}), ("b", {"email": customer.email})):
        activity.record(Fact(kind=FactKind.VIEWED, source_key=key, **who))
    Inbox.objects.update(error="broken")

    persons.erase(email="ann@example.com")

    assert (OwnLike.objects.count(), Inbox.objects.count()) == (0, 0)
