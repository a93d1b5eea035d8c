"""The shop's live top interests, never older than five minutes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from django.core.cache import cache

from crm_plugin import audience, clock
from crm_plugin.models import Activity, Contact, ProductGroup

if TYPE_CHECKING:
    from pytest_django.fixtures import Settings

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _fresh_cache() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def contact() -> int:
    """A visitor: the shop's interests are everybody's."""
    return Contact.objects.create(created_at=NOW).pk


def did(contact: int, activities: Mapping[tuple[str, str], int], *, at: datetime = NOW) -> None:
    start = Activity.objects.count()
    keys = (f"a{n}" for n in range(start, start + sum(activities.values())))
    Activity.objects.bulk_create(
        Activity(contact_id=contact, kind=kind, source_key=next(keys), occurred_at=at, product_id=product)
        for (kind, product), times in activities.items()
        for _ in range(times)
    )


def group(**keys: str) -> None:
    ProductGroup.objects.bulk_create(
        ProductGroup(product_id=product, group_key=key) for product, words in keys.items() for key in words.split()
    )


@pytest.mark.feature(47)
def test_a_thousand_views_in_three_categories_order_them_and_news_shows_within_five_minutes(contact: int) -> None:
    group(p1="category:c1", p2="category:c2", p3="category:c3", p4="category:c1")
    did(contact, {("viewed", "p3"): 100, ("viewed", "p1"): 350, ("viewed", "p2"): 300, ("viewed", "p4"): 250})

    with clock.travel(to=NOW):
        assert audience.top_interests(10) == [("category:c1", 600), ("category:c2", 300), ("category:c3", 100)]

    did(contact, {("viewed", "p3"): 1_000})
    with clock.travel(to=NOW + timedelta(minutes=4)):
        assert [key for key, _score in audience.top_interests(10)] == ["category:c1", "category:c2", "category:c3"]
    with clock.travel(to=NOW + timedelta(minutes=5)):
        assert audience.top_interests(1) == [("category:c3", 1_100)]


def test_likes_carts_and_checkouts_count_more_than_views(contact: int) -> None:
    group(p="category:1", q="category:2 collection:1")
    did(contact, {("viewed", "p"): 6, ("liked", "q"): 1, ("carted", "q"): 1, ("checkout_started", "q"): 1})
    did(contact, {("bought", "p"): 9, ("unliked", "p"): 9, ("viewed", "ungrouped"): 9})

    with clock.travel(to=NOW):
        assert audience.top_interests() == [("category:2", 7), ("collection:1", 7), ("category:1", 6)]


def test_only_the_last_thirty_days_count(contact: int) -> None:
    group(p="category:1", q="category:2")
    did(contact, {("viewed", "p"): 5}, at=NOW - timedelta(days=30, seconds=1))
    did(contact, {("viewed", "q"): 1}, at=NOW - timedelta(days=30))
    did(contact, {("viewed", "p"): 5}, at=NOW + timedelta(seconds=1))

    with clock.travel(to=NOW):
        assert audience.top_interests() == [("category:2", 1)]


def test_without_a_cache_it_is_computed(contact: int, settings: Settings) -> None:
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.memcached.PyMemcacheCache", "LOCATION": "127.0.0.1:9"}
    }
    group(p="category:1")
    did(contact, {("viewed", "p"): 1})

    with clock.travel(to=NOW):
        assert audience.top_interests() == [("category:1", 1)]
        did(contact, {("viewed", "p"): 1})
        assert audience.top_interests() == [("category:1", 2)]
