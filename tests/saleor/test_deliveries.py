"""An order arrives when its metadata, or that of a fulfilment, says so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from saleor.order.models import Fulfillment, Order

from crm_plugin import activity, clock, shop
from crm_plugin.models import Activity, Failure, Inbox
from crm_plugin.shop import FactKind, Position, ProductRef
from crm_plugin.shops.saleor.deliveries import delivered_at
from tests.saleor import asking, checkout, engine
from tests.saleor.world import SaleorWorld

pytestmark = [pytest.mark.saleor, pytest.mark.django_db]

Say = Callable[[str, object, str], None]
UPDATE = """
mutation($id: ID!, $input: [MetadataInput!]!) { updateMetadata(id: $id, input: $input) {
  item { __typename } errors { field code message } } }
"""


@pytest.fixture
def order(world: SaleorWorld) -> Order:
    world.channel.allow_unpaid_orders = True
    world.channel.save()
    mug: ProductRef = world.make_product(prices=[Decimal(20)], stocks=[50], name="Blue Mug")[0]
    checkout.buy(asking.anybody(), mug, email="gus@example.com")
    engine.drain()
    return Order.objects.get()


@pytest.fixture
def say(order: Order) -> Say:
    """Write ``delivered`` into metadata, as a carrier's app does."""
    manager = asking.staff("manage_orders")

    def write(kind: str, pk: object, value: str) -> None:
        entry = [{"key": "delivered", "value": value}]
        asking.ask(manager, UPDATE, id=asking.gid(kind, pk), input=entry)
        engine.drain()

    return write


def _deliveries() -> list[tuple[str, datetime]]:
    return list(Activity.objects.filter(kind="delivered").values_list("source_key", "occurred_at"))


def test_an_order_whose_metadata_says_so_arrived_once(order: Order, say: Say) -> None:
    say("Order", order.pk, "2026-11-20T12:00:00+09:00")
    say("Order", order.pk, "true")

    key = activity.delivered_key(str(order.pk))
    assert _deliveries() == [(key, datetime(2026, 11, 20, 3, tzinfo=UTC))]
    assert not Failure.objects.exists()


@pytest.mark.parametrize("value", ["false", "0", "no"])
def test_metadata_that_says_no_is_no_delivery(order: Order, say: Say, value: str) -> None:
    say("Order", order.pk, value)

    assert _deliveries() == []


def test_a_fulfilment_whose_metadata_says_so_is_the_orders_arrival(order: Order, say: Say) -> None:
    parcel = Fulfillment.objects.create(order=order)

    say("Fulfillment", parcel.pk, "yes")

    assert [key for key, _at in _deliveries()] == [activity.delivered_key(str(order.pk))]
    assert not Failure.objects.exists()


def test_what_no_hook_told_is_found_by_the_streams(order: Order) -> None:
    Fulfillment.objects.create(order=order, metadata={"delivered": "1"})
    Order.objects.update(metadata={"delivered": "2026-11-20"})
    Inbox.objects.all().delete()

    page = shop.current().changed_since("orders", Position(order.created_at - timedelta(days=1)), limit=10)

    told = [fact for fact in page.facts if fact.kind is FactKind.DELIVERED]
    assert {fact.source_key for fact in told} == {activity.delivered_key(str(order.pk))}
    assert datetime(2026, 11, 20, tzinfo=UTC) in {fact.occurred_at for fact in told}


def test_a_day_to_come_is_no_arrival() -> None:
    day = clock.now() + timedelta(days=2)

    assert delivered_at({"delivered": day.date().isoformat()}) is None
    assert delivered_at({"delivered": "true"}, otherwise=clock.now()) is not None
    assert delivered_at({}) is None
    assert delivered_at({"delivered": "2026-11-20"}) == datetime(2026, 11, 20, tzinfo=UTC)
