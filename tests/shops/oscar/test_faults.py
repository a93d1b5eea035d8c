"""What must not happen: a failing CRM fails the shop, a switched-off one records, something told twice counts twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from oscar.core.loading import get_model

from crm_plugin import activity, guard, pipeline
from crm_plugin.models import Activity, Inbox
from crm_plugin.shop import FactKind, Position, ProductRef
from crm_plugin.shops.oscar import receivers
from tests.shops.oscar.world import OscarWorld, User

Told = Callable[..., list[Inbox]]
BasketLine = get_model("basket", "Line")
Order = get_model("order", "Order")
StockRecord = get_model("partner", "StockRecord")
WishLine = get_model("wishlists", "Line")


@pytest.fixture
def ref(world: OscarWorld) -> ProductRef:
    return world.make_product(prices=[Decimal("48.00")], stocks=[20], name="Celadon bowl")[0]


@pytest.fixture
def customer_id(world: OscarWorld) -> str:
    return world.make_customer(email="ann@example.com")


@pytest.fixture
def shopper(customer_id: str, client: Client, told: Told) -> Client:
    client.force_login(User.objects.get(pk=customer_id))
    told()
    return client


@pytest.fixture
def break_inbox(db: None) -> Callable[[], None]:
    """Makes the inbox refuse every row, as a database in trouble does: the statement itself fails."""

    def break_it() -> None:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE crm_plugin_inbox ADD CONSTRAINT broken CHECK (false) NOT VALID")

    return break_it


def test_a_failing_receiver_leaves_the_shop_as_it_was_and_is_counted(
    shopper: Client,
    customer_id: str,
    ref: ProductRef,
    break_inbox: Callable[[], None],
    told: Told,
    caplog: pytest.LogCaptureFixture,
) -> None:
    told()
    break_inbox()

    answer = shopper.post(reverse("customer:wishlists-add-product", kwargs={"product_pk": ref.product_id}))

    assert answer.status_code == 302
    assert WishLine.objects.filter(wishlist__owner_id=customer_id, product_id=ref.product_id).count() == 1
    assert guard.failures() == {"oscar.wishlist_line_saved": 1}
    assert "oscar.wishlist_line_saved failed" in caplog.text
    assert told() == []


def test_an_order_is_placed_though_every_receiver_fails(
    world: OscarWorld, customer_id: str, ref: ProductRef, break_inbox: Callable[[], None]
) -> None:
    break_inbox()

    order_ref = world.place_order([(ref, 1)], customer_id=customer_id)

    assert Order.objects.filter(pk=order_ref).exists()
    assert guard.failures()["oscar.order_placed"] == 1


def test_a_missing_attribute_in_a_receiver_is_no_error_of_the_shop(db: None) -> None:
    receivers.order_placed(order=None, user=None)

    assert guard.failures() == {"oscar.order_placed": 1}


def test_switched_off_nothing_is_recorded(
    world: OscarWorld, customer_id: str, ref: ProductRef, settings: Any, client: Client, told: Told
) -> None:
    told()
    settings.CRM_ENABLED = False

    client.force_login(User.objects.get(pk=customer_id))
    client.post(reverse("customer:wishlists-add-product", kwargs={"product_pk": ref.product_id}))
    world.place_order([(ref, 1)], customer_id=customer_id)
    StockRecord.objects.get(product_id=ref.variant_id).save()
    world.delete_customer(customer_id)

    assert told() == []
    assert guard.failures() == {}


def test_what_a_rolled_back_request_did_is_not_told(
    world: OscarWorld, customer_id: str, ref: ProductRef, told: Told
) -> None:
    told()

    with transaction.atomic():
        world.shop.like(customer_id, ref)
        transaction.set_rollback(True)

    assert told() == []


def test_the_same_event_told_twice_is_one_activity(world: OscarWorld, customer_id: str, ref: ProductRef) -> None:
    order = Order.objects.get(pk=world.place_order([(ref, 1)], customer_id=customer_id))

    receivers.order_placed(order=order, user=order.user)
    _read_all(world, "orders")
    _drain()

    assert Activity.objects.filter(kind=FactKind.ORDERED).count() == 1
    assert Activity.objects.filter(kind=FactKind.BOUGHT).count() == 1


def test_orders_and_customers_imported_in_bulk_are_found(world: OscarWorld, ref: ProductRef, told: Told) -> None:
    told()
    at = timezone.now() - timedelta(minutes=5)
    (user,) = User.objects.bulk_create([User(username="imported", email="imported@example.com", date_joined=at)])
    Order.objects.bulk_create(
        Order(number=f"IMP-{number}", user=user, total_incl_tax=10, total_excl_tax=10, date_placed=at)
        for number in range(3)
    )
    assert told() == []

    _read_all(world, "customers")
    _read_all(world, "orders")

    rows = told()
    assert [row.source_key for row in rows] == [
        f"customer:{user.pk}:signed_up",
        *(f"order:IMP-{number}:placed" for number in range(3)),
    ]
    assert {row.customer_id for row in rows} == {str(user.pk)}


def test_a_cart_change_told_and_found_is_the_same_fact(
    world: OscarWorld, customer_id: str, ref: ProductRef, told: Told
) -> None:
    told()
    world.make_cart([(ref, 2)], customer_id=customer_id)
    signalled = {row.source_key for row in told(kind=FactKind.CART_CHANGED)}

    _read_all(world, "carts")

    found = told()
    assert {row.source_key for row in found} <= signalled
    assert found[0].occurred_at == BasketLine.objects.get().date_updated


def test_status_changes_shipments_reviews_and_vouchers_are_found_with_the_signals_keys(
    world: OscarWorld, customer_id: str, ref: ProductRef, told: Told
) -> None:
    order = Order.objects.get(pk=world.place_order([(ref, 1)], customer_id=customer_id))
    _ship_review_and_use_voucher(order, ref)
    order.set_status("Being processed")
    order.set_status("Shipped")
    kinds = {FactKind.FULFILLED, FactKind.COUPON_USED}
    signalled = {row.source_key for row in told() if row.kind in kinds}

    for stream in ("order_states", "shipments", "reviews", "coupons"):
        _read_all(world, stream)

    found = told()
    assert {row.source_key for row in found if row.kind in kinds} == signalled
    assert FactKind.REVIEWED in {row.kind for row in found}


def test_a_price_changed_by_a_bulk_update_is_read_from_the_port(world: OscarWorld, ref: ProductRef, told: Told) -> None:
    told()

    StockRecord.objects.filter(product_id=ref.variant_id).update(price=Decimal("36.00"))

    assert told() == []
    (offer,) = world.shop.offers([ref.product_id], shop_channel=ref.shop_channel)
    assert offer.price.amount == Decimal("36.00")


def _ship_review_and_use_voucher(order: Any, ref: ProductRef) -> None:
    event_type = get_model("order", "ShippingEventType").objects.create(name="Dispatched")
    get_model("order", "ShippingEvent").objects.create(order=order, event_type=event_type)
    get_model("reviews", "ProductReview").objects.create(
        product_id=ref.product_id, user=order.user, score=4, title="Good", body="Very."
    )
    voucher = get_model("voucher", "Voucher").objects.create(
        name="Spring", code="SPRING", start_datetime=order.date_placed, end_datetime=order.date_placed
    )
    get_model("voucher", "VoucherApplication").objects.create(voucher=voucher, order=order, user=order.user)


def _read_all(world: OscarWorld, stream: str) -> None:
    position = Position(timezone.now() - timedelta(days=2))
    page = world.shop.changed_since(stream, position, limit=100)
    assert page.is_last
    activity.record_many(page.facts)


def _drain() -> None:
    for _ in range(20):
        if not pipeline.pump():
            return
    pytest.fail("the pump is never done")
