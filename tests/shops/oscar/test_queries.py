"""The port costs the same few queries however many ids it takes, and a recorded fact costs one row."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from oscar.core.loading import get_model

from crm_plugin.shop import Position, ProductRef
from crm_plugin.shops.oscar import receivers, site
from tests.shops.oscar.world import OscarWorld, User

Order = get_model("order", "Order")


@pytest.fixture
def refs(world: OscarWorld) -> list[ProductRef]:
    """Twelve products, half of them with three variants each."""
    made: list[ProductRef] = []
    for number in range(12):
        prices = [Decimal(10 + number)] * (3 if number % 2 else 1)
        made += world.make_product(prices=prices, stocks=[5] * len(prices), name=f"Bowl {number}")
    return made


def queries_of(ask: Callable[[], Any]) -> int:
    with CaptureQueriesContext(connection) as captured:
        ask()
    return len(captured)


def test_offers_cost_the_same_for_one_and_for_many(world: OscarWorld, refs: list[ProductRef]) -> None:
    ids = list(dict.fromkeys(ref.product_id for ref in refs))

    counts = [queries_of(partial(world.shop.offers, some, shop_channel=site.CHANNEL)) for some in (ids[:3], ids)]

    assert counts[0] == counts[1] <= 4


def test_cards_cost_the_same_for_one_and_for_many(world: OscarWorld, refs: list[ProductRef]) -> None:
    wanted = [*refs, *{ProductRef(ref.product_id, ref.shop_channel) for ref in refs}]
    site.url()  # Django keeps the site in memory once it was asked for

    counts = [queries_of(partial(world.shop.product_cards, some, language="en")) for some in (refs[:4], wanted)]

    assert counts[0] == counts[1] <= 7


def test_carts_orders_and_customers_cost_the_same_for_one_and_for_many(
    world: OscarWorld, refs: list[ProductRef]
) -> None:
    people = [world.make_customer(email=f"{number}@example.com") for number in range(5)]
    carts = [world.make_cart([(ref, 1) for ref in refs], customer_id=person) for person in people]
    orders = [world.place_order([(ref, 1) for ref in refs], customer_id=person) for person in people]

    for ask, ids, most in (
        (world.shop.carts, carts, 3),
        (world.shop.orders, orders, 5),
        (world.shop.customers, people, 2),
    ):
        one, many = (queries_of(partial(ask, some)) for some in (ids[:1], ids))
        assert one == many <= most


def test_every_stream_costs_one_query_a_page(world: OscarWorld, refs: list[ProductRef]) -> None:
    for number in range(4):
        person = world.make_customer(email=f"{number}@example.com")
        world.shop.like(person, refs[number])
        world.make_cart([(refs[0], 1)], customer_id=person)
        Order.objects.get(pk=world.place_order([(refs[1], 1)], customer_id=person)).set_status("Cancelled")
    start = Position(timezone.now() - timedelta(days=1))

    for stream in world.shop.streams():
        assert queries_of(partial(world.shop.changed_since, stream, start, limit=100)) == 1


def test_an_order_is_recorded_by_one_insert(world: OscarWorld, refs: list[ProductRef]) -> None:
    order_ref = world.place_order([(refs[0], 1)], customer_id=world.make_customer(email="ann@example.com"))
    order = Order.objects.select_related("user").get(pk=order_ref)

    with CaptureQueriesContext(connection) as captured:
        receivers.order_placed(order=order, user=order.user)

    statements = [query["sql"] for query in captured if not query["sql"].startswith(('SAVEPOINT "', "RELEASE"))]
    assert len(statements) == 1
    assert "INSERT INTO crm_plugin_inbox" in statements[0]


def test_a_viewed_product_is_recorded_by_one_insert(world: OscarWorld, refs: list[ProductRef]) -> None:
    user = User.objects.get(pk=world.make_customer(email="ann@example.com"))
    product = get_model("catalogue", "Product").objects.get(pk=refs[0].product_id)

    with CaptureQueriesContext(connection) as captured:
        receivers.viewed(product=product, user=user)

    assert len([query for query in captured if "INSERT INTO crm_plugin_inbox" in query["sql"]]) == 1
    assert not [query for query in captured if query["sql"].startswith("SELECT")]
