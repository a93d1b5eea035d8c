"""The questions of audiences find their index among 100,000 activities: none reads the stream from end to end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection

from crm_plugin.audience import AudienceRule, Query, compile, edges

if TYPE_CHECKING:
    from pytest_django import DjangoDbBlocker

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

NOW = datetime(2026, 2, 14, 12, tzinfo=UTC)
_FILL = """
INSERT INTO crm_plugin_contact (customer_id, email, first_name, last_name, language, country, time_zone, orders_count,
    created_at) SELECT 'c' || n, n || '@example.com', '', '', '', '', '', n % 4, '2020-01-01'
FROM generate_series(1, 20000) n;
INSERT INTO crm_plugin_productgroup (product_id, group_key)
SELECT n, 'category:' || n % 40 FROM generate_series(1, 1000) n;
INSERT INTO crm_plugin_activity (contact_id, kind, source_key, occurred_at, product_id, variant_id, shop_channel,
    order_ref, cart_ref, currency, subject, data)
SELECT (SELECT min(id) FROM crm_plugin_contact) + (n::bigint * 7919) % 20000, kind, n,
    timestamptz '2026-02-14 12:00+00' - (n % 8760) * interval '1 hour',
    CASE WHEN kind IN ('viewed', 'carted', 'bought') THEN (1 + (n::bigint * 31) % 1000)::text ELSE '' END, '',
    'default',
    CASE WHEN kind IN ('ordered', 'cancelled') THEN 'o' || n ELSE '' END, '', '',
    CASE WHEN kind = 'searched' THEN 'words ' || n % 500 ELSE '' END, '{}'
FROM (SELECT n, (ARRAY['viewed', 'viewed', 'viewed', 'viewed', 'viewed', 'viewed', 'viewed', 'viewed', 'visited',
    'visited', 'visited', 'carted', 'carted', 'bought', 'ordered', 'searched', 'cancelled', 'message_opened',
    'coupon_issued', 'coupon_used'])[1 + n % 20] AS kind FROM generate_series(1, 100000) n) made;
"""


@pytest.fixture(scope="module")
def _filled(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(_FILL)
        _vacuum()
    yield
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("TRUNCATE crm_plugin_contact, crm_plugin_productgroup CASCADE")


def _vacuum() -> None:
    """Until every page is known to be visible; an autovacuum of the same moment can be in the way of that."""
    with connection.cursor() as cursor:
        for _attempt in range(40):
            cursor.execute("VACUUM ANALYZE crm_plugin_contact, crm_plugin_activity, crm_plugin_productgroup")
            cursor.execute("SELECT relallvisible = relpages FROM pg_class WHERE relname = 'crm_plugin_activity'")
            if cursor.fetchone()[0]:
                return
            time.sleep(0.25)


@pytest.fixture
def busy_shop(_filled: None, fake_shop: object, db: None) -> None:
    """The filled tables."""


def plan_of(query: Query | None) -> str:
    assert query is not None
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {query.sql}", query.params)
        return "\n".join(line for (line,) in cursor.fetchall())


def reads_whole(plan: str, table: str = "crm_plugin_activity") -> bool:
    return f"Seq Scan on {table}" in plan


def within(days: int) -> dict[str, Any]:
    return {"type": "within", "amount": days, "unit": "days"}


VIEWED = {"type": "did", "activity": "viewed", "what": {"products": ["7"]}, "times": {"op": "at_least", "count": 3}}
NOT_BOUGHT = {
    "type": "did",
    "activity": "bought",
    "what": {"products": ["7"]},
    "times": {"op": "at_most", "count": 0},
}
OF_GROUP = {"type": "did", "activity": "viewed", "what": {"groups": ["category:3"]}, "window": within(30)}
CARTED_NOT_BOUGHT = {
    "type": "sequence",
    "first": {"activity": "carted", "what": {"products": ["7"]}},
    "then": {"activity": "bought", "what": {"products": ["7"]}},
    "happened": False,
}
SEARCHED = {"type": "did", "activity": "searched", "what": {"subject": {"op": "is", "value": "words 7"}}}
VISITED = {"type": "did", "activity": "visited", "times": {"op": "at_least", "count": 5}, "window": within(14)}
TOGETHER = {"type": "co_purchase", "product": "7", "other": "8"}
INTERESTED = {"type": "interest", "tags": ["category:3"], "window": within(30)}
OPENED_NOTHING = {"type": "engagement", "did": "opened", "happened": False, "window": within(14)}
SPENT = {"type": "spent", "currency": "EUR", "op": "gte", "value": 100, "window": within(14)}
COUPON = {"type": "coupon_held"}


@pytest.mark.parametrize(
    ("condition", "index"),
    [
        (VIEWED, "crm_activity_of_product"),
        ({"type": "all", "of": [VIEWED, NOT_BOUGHT]}, "crm_activity_of_product"),
        ({"type": "any", "of": [VIEWED, NOT_BOUGHT, SEARCHED]}, "crm_activity_of_product"),
        (OF_GROUP, "crm_activity_"),
        (INTERESTED, "crm_activity_"),
        (CARTED_NOT_BOUGHT, "crm_activity_of_product"),
        (TOGETHER, "crm_activity_of_product"),
        (SEARCHED, "crm_activity_of_subject"),
        (VISITED, "crm_activity_in_time"),
        (OPENED_NOTHING, "crm_activity_in_time"),
        (SPENT, "crm_activity_in_time"),
    ],
)
def test_a_set_is_found_by_index(busy_shop, condition, index):
    plan = plan_of(compile(AudienceRule.parse({"include": condition}), now=NOW))

    assert index in plan
    assert not reads_whole(plan)


@pytest.mark.parametrize(
    "condition", [VIEWED, {"type": "all", "of": [VIEWED, NOT_BOUGHT]}, SEARCHED, VISITED, TOGETHER]
)
def test_the_answer_is_in_the_index(busy_shop, condition):
    plan = plan_of(compile(AudienceRule.parse({"include": condition}), now=NOW))

    assert "Index Only Scan" in plan
    assert "Heap Scan on crm_plugin_activity" not in plan


@pytest.mark.parametrize(
    "condition",
    [
        {"type": "all", "of": [VIEWED, NOT_BOUGHT]},
        {"type": "any", "of": [VIEWED, NOT_BOUGHT, SEARCHED]},
        OF_GROUP,
        INTERESTED,
        CARTED_NOT_BOUGHT,
        VISITED,
        OPENED_NOTHING,
        SPENT,
        COUPON,
        {"type": "reachable", "channel": "email"},
        {"type": "attribute", "name": "orders_count", "op": "gte", "value": 2},
    ],
)
def test_one_contact_is_looked_up(busy_shop, condition):
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM crm_plugin_contact LIMIT 1")
        (pk,) = cursor.fetchone()

    plan = plan_of(compile(AudienceRule.parse({"include": condition}), contact_ids=[pk], now=NOW))

    assert not reads_whole(plan)
    assert not reads_whole(plan, "crm_plugin_contact c")


@pytest.mark.parametrize("condition", [VISITED, OF_GROUP, INTERESTED, OPENED_NOTHING, SPENT])
def test_the_edges_of_half_a_minute_are_found_by_index(busy_shop, condition):
    plan = plan_of(edges(AudienceRule.parse({"include": condition}), since=NOW - timedelta(seconds=30), until=NOW))

    assert not reads_whole(plan)
