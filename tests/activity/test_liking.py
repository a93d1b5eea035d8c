"""Likes as the stream has them: the price of that time, and what is liked most."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm_plugin import activity, clock, contacts
from crm_plugin.activity import Liking, liking
from crm_plugin.contacts import Person
from crm_plugin.models import Interest
from crm_plugin.money import Money
from crm_plugin.shop import Fact, FactKind, ProductRef

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ANN, BEN = "7", "8"
MUG = ProductRef("1", "default")


@pytest.fixture(autouse=True)
def _noon():
    with clock.travel(to=NOON):
        yield


def told(contact_id, ref, price, *, at, kind=FactKind.LIKED):
    activity.record(
        Fact(
            kind=kind,
            source_key=f"{kind}:{contact_id}:{ref}:{at.isoformat()}",
            occurred_at=at,
            contact_id=contact_id,
            product_id=ref.product_id,
            variant_id=ref.variant_id,
            shop_channel=ref.shop_channel,
            amount=price,
        )
    )


def euros(amount):
    return Money(Decimal(amount), "EUR")


def test_the_price_of_a_like_is_the_one_that_was_seen_then(drain):
    ann, ben = (contacts.get_or_create(Person(key, f"{key}@example.com")).pk for key in (ANN, BEN))
    for hours, price in ((0, 90), (1, 80), (3, 70)):
        told(ann, MUG, euros(price), at=NOON + hours * HOUR)
    told(ben, MUG, euros(10), at=NOON)
    told(ann, ProductRef("1", "default", "10"), euros(20), at=NOON)
    drain()
    early, late, later_still = (Liking(ann, MUG, NOON + hours * HOUR) for hours in (0, 1, 4))
    older = Liking(ann, MUG, NOON - HOUR)
    unknown = Liking(ann, ProductRef("9", "default"), NOON)

    with CaptureQueriesContext(connection) as captured:
        found = activity.prices_when_liked([early, late, later_still, older, unknown, Liking(ben, MUG, NOON)])

    assert len(captured) == 1
    assert found == {
        early: euros(90),
        late: euros(80),
        later_still: euros(70),
        older: euros(70),  # a shop that knows only when the list was made
        Liking(ben, MUG, NOON): euros(10),
    }
    assert activity.prices_when_liked([]) == {}


def test_the_most_liked_products_of_a_channel(drain, fake_shop):
    people = [contacts.get_or_create(Person(email=f"{n}@example.com")).pk for n in range(4)]
    tea, pot = ProductRef("2", "default"), ProductRef("3", "default")
    for number, person in enumerate(people):
        told(person, MUG, None, at=NOON)
        if number:
            told(person, tea, None, at=NOON)
        told(person, ProductRef("4", "kr"), None, at=NOON)
        told(person, pot, None, at=NOON)
        told(person, pot, None, at=NOON + HOUR, kind=FactKind.UNLIKED)
    for person in people[:2]:
        told(person, MUG, None, at=NOON + HOUR, kind=FactKind.UNLIKED)
    drain()

    found = activity.most_liked("default", limit=5)

    assert [(one.product_id, one.now_count, one.ever_count) for one in found] == [("2", 3, 3), ("1", 2, 4)]
    assert [one.product_id for one in activity.most_liked("default", limit=1)] == ["2"]
    assert activity.likers_count(MUG) == 2
    assert activity.likers_count(ProductRef("1", "default", "10")) == 2  # who likes the product likes each variant
    assert activity.likers_count(ProductRef("1", "kr")) == 0


def test_what_is_liked_most_is_counted_in_its_index():
    contacts_made = [contacts.get_or_create(Person(email=f"p{n}@example.com")) for n in range(40)]
    Interest.objects.bulk_create(
        Interest(
            contact=person,
            product_id=str(n),
            shop_channel="default",
            liked_at=NOON if n % 20 == 0 else None,
            like_changed_at=NOON if n % 20 == 0 else None,
        )
        for person in contacts_made
        for n in range(100)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE crm_plugin_interest")
        cursor.execute(f"EXPLAIN {liking._MOST_LIKED}", ["default", 10])
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert "crm_interest_liked" in plan, plan
    assert [one.now_count for one in activity.most_liked("default", limit=3)] == [40, 40, 40]
