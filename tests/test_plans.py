"""The queries of the hot path find their index on filled tables: none reads a table that grows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm_plugin import activity, automations, clock, messaging
from crm_plugin.activity import DropRule
from crm_plugin.contacts import Person
from crm_plugin.merchant import Merchant
from crm_plugin.messaging.gates import Gatekeeper
from crm_plugin.shop import Fact, FactKind

if TYPE_CHECKING:
    from pytest_django import DjangoDbBlocker

pytestmark = pytest.mark.django_db

ROWS = 3_000
#: So few that nobody would read a whole table for them.
FEW = 3
#: What a busy shop has, in a few statements; every table also holds rows that are none of the question's business.
_FILL = """
INSERT INTO crm_plugin_contact (customer_id, email, first_name, last_name, language, country, time_zone, orders_count,
    created_at) SELECT 'c' || n, n || '@example.com', '', '', '', '', '', 0, now() FROM generate_series(1, {rows}) n;
INSERT INTO crm_plugin_interest (contact_id, product_id, shop_channel, variant_id, liked_at, last_interest_at,
    views_count, cart_ref, bought_count, baseline_price, currency)
SELECT id, id % 500, 'default', '', now(), now(), 0, CASE WHEN id % 9 = 0 THEN 'cart' || id ELSE '' END, 0, 100, 'EUR'
FROM crm_plugin_contact;
INSERT INTO crm_plugin_activity (contact_id, kind, source_key, occurred_at, product_id, variant_id, shop_channel,
    order_ref, cart_ref, currency, data)
SELECT id, 'bought', 'k' || id, now(), id % 500, '', 'default', 'o' || id, '', '', '{{}}' FROM crm_plugin_contact;
INSERT INTO crm_plugin_pricewatch (product_id, variant_id, shop_channel, currency, price, regular_price, lowest_price,
    is_purchasable, checked_at, due_at)
SELECT n, n, 'default', 'EUR', 50, 50, 50, TRUE, now(), now() + make_interval(secs => n - 5)
FROM generate_series(1, {rows}) n;
INSERT INTO crm_plugin_campaign (id, name, state, draft, created_at, updated_at)
VALUES (-1, 'Test', 'paused', '{{}}', now(), now());
INSERT INTO crm_plugin_campaignversion (id, campaign_id, number, definition, templates, published_at)
VALUES (-1, -1, 1, '{{"trigger": {{"type": "price_drop"}}, "steps": [{{"type": "exit", "id": "a"}}]}}', '{{}}', now());
INSERT INTO crm_plugin_enrollment (campaign_id, version_id, contact_id, subject_key, epoch, state, reason, step, due_at,
    is_collecting, items, entered_at)
SELECT -1, -1, id, '', 0, 'active', '', 0, CASE WHEN id % 9 = 0 THEN now() END, FALSE, '[]', now()
FROM crm_plugin_contact;
INSERT INTO crm_plugin_template (id, digest, source, compiled, created_at) VALUES (-1, 'd', '{{}}', '{{}}', now());
INSERT INTO crm_plugin_message (public_id, contact_id, enrollment_id, campaign_id, template_id, step_id, channel,
    message_class, state, reason, detail, due_at, stale_at, attempts, recipient, language, subject, provider_id,
    created_at, finished_at)
SELECT gen_random_uuid(), contact_id, id, -1, -1, 'mail', 'email', 'marketing',
    CASE WHEN id % 50 = 0 THEN 'queued' ELSE 'sent' END, '', '', now(), now(), 1, '', '', '', '', now(), now()
FROM crm_plugin_enrollment;
INSERT INTO crm_plugin_inbox (kind, source_key, occurred_at, customer_id, email, visitor_id, product_id, variant_id,
    shop_channel, order_ref, cart_ref, currency, data, error)
SELECT 'viewed', n, now(), 'c' || n, '', '', n % 500, '', 'default', '', '', '', '{{}}',
    CASE WHEN n % 50 = 0 THEN '' ELSE 'broken' END FROM generate_series(1, {rows}) n;
INSERT INTO crm_plugin_wave (id, occurred_at) VALUES (1, now());
INSERT INTO crm_plugin_pricedrop (wave_id, product_id, variant_id, shop_channel, currency, old_price, new_price,
    is_new_low) VALUES (1, '7', '7', 'default', 'EUR', 100, 50, TRUE);
"""
_EMPTY = """
TRUNCATE crm_plugin_contact, crm_plugin_campaign, crm_plugin_template, crm_plugin_pricewatch, crm_plugin_wave,
    crm_plugin_inbox CASCADE
"""


@pytest.fixture(scope="module")
def _filled(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Tables with some thousand rows, and what PostgreSQL knows of them brought up to date; once for all tests."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(_FILL.format(rows=ROWS))
        cursor.execute("ANALYZE")
    yield
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(_EMPTY)


@pytest.fixture
def busy_shop(_filled: None, fake_shop: object, db: None) -> None:
    """The filled tables, for one test to change."""


def plans_of(work: Callable[[], Any], *, about: str) -> str:
    """Return the plans of the statements about a table that ``work`` runs."""
    with CaptureQueriesContext(connection) as seen:
        work()
    with connection.cursor() as cursor:
        lines = []
        for query in seen.captured_queries:
            if about in query["sql"]:
                cursor.execute(f"EXPLAIN {query['sql']}")
                lines += [line for (line,) in cursor.fetchall()]
    assert lines, "no such statement"
    return "\n".join(lines)


def reads_whole(plan: str, table: str) -> bool:
    return f"Seq Scan on {table}" in plan


def test_claiming_facts_reads_the_open_ones(busy_shop):
    plan = plans_of(lambda: activity.claim(20), about="crm_plugin_inbox WHERE error")

    assert "crm_inbox_open" in plan


def test_locking_the_contacts_of_a_batch_looks_each_one_up(busy_shop):
    activity.record(Fact(kind=FactKind.VIEWED, source_key="v", customer_id="c7", product_id="7", shop_channel="x"))
    batch = activity.claim(200)
    assert batch is not None
    people = [*activity.people_in(batch), Person(email="8@example.com")]

    plan = plans_of(lambda: activity.project(batch, people), about="FROM crm_plugin_contact WHERE id = ANY")

    assert "crm_contact_customer_unique" in plan
    assert "crm_contact_email_unique" in plan
    assert not reads_whole(plan, "crm_plugin_contact")


def test_projecting_a_batch_reads_no_table_that_grows(busy_shop):
    batch = activity.claim(FEW)
    assert batch is not None
    people = activity.people_in(batch)

    plan = plans_of(lambda: activity.project(batch, people), about="crm_plugin_activity")

    for table in ("crm_plugin_contact", "crm_plugin_activity", "crm_plugin_interest"):
        assert not reads_whole(plan, table)


def test_claiming_messages_reads_those_that_are_due(busy_shop):
    plan = plans_of(lambda: messaging.claim(FEW), about="crm_plugin_message")

    assert "crm_message_due" in plan
    assert not reads_whole(plan, "crm_plugin_message")


def test_claiming_runs_reads_those_of_the_campaign_that_are_due(busy_shop):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE crm_plugin_campaign SET state = 'archived'")

    plan = plans_of(lambda: automations.advance(FEW), about="WITH claimed AS MATERIALIZED")

    assert "crm_enrollment_due" in plan
    assert not reads_whole(plan, "crm_plugin_enrollment")


def test_a_look_reads_the_prices_that_are_due(busy_shop):
    plan = plans_of(lambda: activity.look(FEW), about="FOR UPDATE SKIP LOCKED")

    assert "crm_watch_due" in plan
    assert not reads_whole(plan, "crm_plugin_pricewatch")


def test_a_wave_finds_whom_it_concerns_by_product(busy_shop):
    question = activity.concerned_by(DropRule(), wave=1, after_contact=0, limit=100)

    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {question.sql}", question.params)
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert "crm_interest_in_product" in plan
    assert not reads_whole(plan, "crm_plugin_interest")


def test_the_frequency_cap_counts_by_contact(busy_shop):
    with connection.cursor() as cursor:
        cursor.execute("SELECT array_agg(id) FROM (SELECT id FROM crm_plugin_contact ORDER BY id LIMIT 3) c")
        (ids,) = cursor.fetchone()
    us = Merchant(caps=[{"channel": "email", "count": 1, "hours": 16}])

    plan = plans_of(
        lambda: Gatekeeper.on_duty(us, contact_ids=ids, channel="email", now=clock.now()), about="crm_plugin_message"
    )

    assert "crm_message_of_contact" in plan
    assert not reads_whole(plan, "crm_plugin_message")


def test_what_was_bought_since_is_found_by_contact(busy_shop):
    with connection.cursor() as cursor:
        cursor.execute("SELECT array_agg(id) FROM (SELECT id FROM crm_plugin_contact ORDER BY id LIMIT 3) c")
        (ids,) = cursor.fetchone()
    since = dict.fromkeys(ids, clock.now() - timedelta(days=1))

    plan = plans_of(lambda: activity.last_times(since, kind=FactKind.BOUGHT), about="crm_plugin_activity")

    assert "crm_activity_of_contact" in plan
    assert not reads_whole(plan, "crm_plugin_activity")
