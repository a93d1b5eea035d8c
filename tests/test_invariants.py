"""What holds whatever shoppers, staff and workers do, in whatever order, whoever dies meanwhile."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_plugin import clock, shop
from crm_plugin.models import Campaign, Enrollment, Inbox, Interest, Message
from tests.fake_shop import FakeShop
from tests.random_shop import POINTS, START, Postbox, RandomShop
from tests.stories import running

pytestmark = pytest.mark.django_db

#: More of them on demand: CRM_EXAMPLES=1000 and --hypothesis-profile=default.
EXAMPLES = int(os.environ.get("CRM_EXAMPLES", "20"))
PEOPLE, PRODUCTS = st.integers(0, 2), st.integers(0, 1)
ROUND = ("watch_prices", "pump", "deliver")
PASSES = st.sampled_from([ROUND, ("pump",), ("deliver",), ("watch_prices",), ("watch_prices", "pump"), ("housekeep",)])


def step(name: str, *values: st.SearchStrategy[Any], **named: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(st.just(name), st.tuples(*values), st.fixed_dictionaries(named))


STEPS = st.one_of(
    step("like", PEOPLE, PRODUCTS),
    step("view", PEOPLE, PRODUCTS),
    step("unlike", PEOPLE, PRODUCTS),
    step("cart", PEOPLE, PRODUCTS),
    step("order", PEOPLE, PRODUCTS),
    step("order_untold", PEOPLE, PRODUCTS),
    step("cancel", PEOPLE),
    step("consent", PEOPLE, is_granted=st.booleans()),
    step("sign_up", st.just(2)),
    step("change_email", PEOPLE),
    step("leave", PEOPLE),
    step("price", PRODUCTS, st.sampled_from([100, 80, 70, 60, 50]), is_told=st.booleans()),
    step("sale", PRODUCTS, st.sampled_from([80, 70, 60, 50])),
    step("sale", PRODUCTS, st.sampled_from([80, 60])),
    step("stock", PRODUCTS, st.sampled_from([0, 10, 10])),
    step("pause_or_resume"),
    step("sleep", st.sampled_from([1, 10, 5 * 60, 24 * 60, 15 * 24 * 60])),
)
WORK = st.one_of(
    PASSES.map(lambda passes: ("work", passes, {})),
    st.just(("work", ROUND, {})),
    st.tuples(st.integers(0, len(POINTS) - 1), st.booleans(), PASSES).map(
        lambda drawn: ("die", (drawn[0], *drawn[2]), {"is_lock_lost": drawn[1]})
    ),
)
STORIES = st.lists(st.one_of(STEPS, STEPS, WORK), min_size=8, max_size=40)

_COUNTERS = """
SELECT c.id FROM crm_plugin_contact c LEFT JOIN LATERAL (
    SELECT count(*) AS orders, min(a.occurred_at) AS first_at, max(a.occurred_at) AS last_at
    FROM crm_plugin_activity a WHERE a.contact_id = c.id AND a.kind = 'ordered' AND NOT EXISTS (
        SELECT FROM crm_plugin_activity x WHERE x.order_ref = a.order_ref AND x.kind = 'cancelled')
) o ON TRUE LEFT JOIN LATERAL (
    SELECT sum(s.amount) AS amount FROM crm_plugin_contactspend s WHERE s.contact_id = c.id
) spent ON TRUE LEFT JOIN LATERAL (
    SELECT sum(a.amount) AS amount FROM crm_plugin_activity a
    WHERE a.contact_id = c.id AND a.kind = 'ordered' AND NOT EXISTS (
        SELECT FROM crm_plugin_activity x WHERE x.order_ref = a.order_ref AND x.kind = 'cancelled')
) told ON TRUE
WHERE c.erased_at IS NULL AND (c.orders_count, c.first_order_at, c.last_order_at, COALESCE(spent.amount, 0))
    IS DISTINCT FROM (o.orders, o.first_at, o.last_at, COALESCE(told.amount, 0))
"""
_INTERESTS = """
SELECT i.id FROM crm_plugin_interest i LEFT JOIN LATERAL (
    SELECT count(*) FILTER (WHERE a.kind = 'viewed') AS views,
        COALESCE(sum(a.quantity) FILTER (WHERE a.kind = 'bought'), 0) AS bought
    FROM crm_plugin_activity a WHERE a.contact_id = i.contact_id AND a.product_id = i.product_id
) n ON TRUE WHERE (i.views_count, i.bought_count) IS DISTINCT FROM (n.views, n.bought)
"""


@pytest.fixture
def campaign(settings: Any) -> Iterator[Campaign]:
    """A price-drop campaign that runs, and nobody in it."""
    settings.EMAIL_BACKEND = "tests.random_shop.Postbox"
    before = shop.install(FakeShop())
    with clock.travel(to=START):
        yield running({"type": "price_drop", "settle_seconds": 1, "min_views": 1})
    shop.install(before)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(story=STORIES)
def test_whatever_happens_nobody_is_mailed_wrongly_and_nothing_is_lost(campaign, story) -> None:
    undone = transaction.atomic()
    undone._from_testcase = True  # what the pipeline commits for good is undone after each example
    with undone:
        world = RandomShop(FakeShop(), campaign)
        for name, values, named in story:
            world.play(name, *values, **named)
        world.settle_down()

        check_letters()
        check_runs()
        check_sums(world)
        transaction.set_rollback(True)


def check_letters() -> None:
    states = dict(Message.objects.values_list("public_id", "state"))
    sent = {letter.public_id for letter in Postbox.letters}
    assert [letter.faults for letter in Postbox.letters if letter.faults] == []
    assert {public_id for public_id, state in states.items() if state == "sent"} <= sent
    assert {states[public_id] for public_id in sent} <= {"sent", "unknown"}


def check_runs() -> None:
    assert Inbox.objects.count() == 0
    assert set(Message.objects.values_list("state", flat=True)) <= {"sent", "unknown", "failed", "skipped"}
    assert Message.objects.filter(finished_at=None).count() == 0
    assert set(Enrollment.objects.values_list("state", flat=True)) <= {"completed", "exited", "converted"}


def check_sums(world: RandomShop) -> None:
    with connection.cursor() as cursor:
        for question in (_COUNTERS, _INTERESTS):
            cursor.execute(question)
            assert cursor.fetchall() == []
    liked = Interest.objects.filter(liked_at__isnull=False, contact__customer_id__in=world.shop.customer_rows)
    assert set(liked.values_list("contact__customer_id", "product_id", "liked_at")) == {
        (customer_id, like.ref.product_id, like.liked_at)
        for customer_id in world.shop.customer_rows
        for like in world.shop.likes(customer_id)
    }
