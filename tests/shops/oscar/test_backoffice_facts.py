"""What staff and processes do to orders, prices and accounts is told."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from oscar.core.loading import get_model

from crm_plugin import activity
from crm_plugin.models import Inbox
from crm_plugin.shop import FactKind, Position, ProductRef
from tests.shops.oscar.world import OscarWorld, User

Told = Callable[..., list[Inbox]]
Order = get_model("order", "Order")
ShippingEvent = get_model("order", "ShippingEvent")
ShippingEventType = get_model("order", "ShippingEventType")
StockRecord = get_model("partner", "StockRecord")
Voucher = get_model("voucher", "Voucher")
VoucherApplication = get_model("voucher", "VoucherApplication")


@pytest.fixture
def ref(world: OscarWorld) -> ProductRef:
    return world.make_product(prices=[Decimal("48.00")], stocks=[20], name="Celadon bowl")[0]


@pytest.fixture
def order(world: OscarWorld, ref: ProductRef, told: Told) -> Any:
    customer_id = world.make_customer(email="ann@example.com")
    order = Order.objects.get(pk=world.place_order([(ref, 1)], customer_id=customer_id))
    told()
    return order


def test_an_order_is_told_with_a_text_number_whoever_sends_the_signal(
    world: OscarWorld, ref: ProductRef, told: Told
) -> None:
    customer_id = world.make_customer(email="ann@example.com")
    told()

    order_ref = world.place_order([(ref, 2)], customer_id=customer_id)

    (row,) = told(kind=FactKind.ORDERED)
    number = Order.objects.get(pk=order_ref).number
    assert (row.order_ref, row.source_key) == (order_ref, f"order:{number}:placed")
    assert (row.customer_id, row.email, row.amount) == (customer_id, "ann@example.com", Decimal("96.00"))


def test_a_status_that_means_nothing_to_marketing_is_not_told(order: Any, told: Told) -> None:
    order.set_status("Being processed")

    assert told() == []


def test_a_cancelled_order_is_told(order: Any, told: Told) -> None:
    order.set_status("Cancelled")

    (row,) = told()
    assert (row.kind, row.order_ref) == (FactKind.CANCELLED, str(order.pk))
    assert row.source_key == f"order:{order.number}:cancelled"


def test_shipping_event_and_status_are_one_fulfilment(order: Any, told: Told) -> None:
    event_type = ShippingEventType.objects.create(name="Dispatched")
    ShippingEvent.objects.create(order=order, event_type=event_type)
    order.set_status("Being processed")
    order.set_status("Shipped")

    rows = told()

    assert [row.kind for row in rows] == [FactKind.FULFILLED] * 2
    assert {row.source_key for row in rows} == {f"order:{order.number}:fulfilled"}


def test_a_shipping_event_called_delivered_is_told_as_such_and_found_by_the_stream(
    world: OscarWorld, order: Any, told: Told
) -> None:
    ShippingEvent.objects.create(order=order, event_type=ShippingEventType.objects.create(name="DELIVERED"))

    (row,) = told()
    page = world.shop.changed_since("shipments", Position(order.date_placed), limit=10)

    assert (row.kind, row.order_ref, row.email) == (FactKind.DELIVERED, str(order.pk), "ann@example.com")
    assert row.source_key == activity.delivered_key(str(order.pk))  # as when the CRM derives it: it is one
    assert [(fact.kind, fact.source_key) for fact in page.facts] == [(FactKind.DELIVERED, row.source_key)]


def test_a_price_saved_in_the_dashboard_makes_the_engine_look_again(
    world: OscarWorld, ref: ProductRef, client: Client, told: Told
) -> None:
    staff = User.objects.get(pk=world.make_customer(email="staff@example.com"))
    staff.is_staff = staff.is_superuser = True
    staff.save()
    client.force_login(staff)
    record = StockRecord.objects.get(product_id=ref.product_id)
    told()

    path = reverse("dashboard:catalogue-product", kwargs={"pk": ref.product_id})
    answer = client.post(path, {**_unchanged(client.get(path).content.decode()), "stockrecords-0-price": "36.00"})

    assert answer.status_code == 302
    record.refresh_from_db()
    assert record.price == Decimal("36.00")
    (row,) = told(kind=FactKind.CATALOGUE_CHANGED)
    assert row.product_id == ref.product_id


def test_a_child_whose_stock_changes_names_its_parent(world: OscarWorld, told: Told) -> None:
    refs = world.make_product(prices=[Decimal(30), Decimal(20)], stocks=[3, 3], name="Throw")
    told()

    StockRecord.objects.get(product_id=refs[1].variant_id).save()

    (row,) = told()
    assert (row.kind, row.product_id, row.variant_id) == (
        FactKind.CATALOGUE_CHANGED,
        refs[1].product_id,
        refs[1].variant_id,
    )


def test_a_used_voucher_is_told_with_its_code(order: Any, told: Told) -> None:
    voucher = Voucher.objects.create(
        name="Spring", code="SPRING", start_datetime=order.date_placed, end_datetime=order.date_placed
    )

    VoucherApplication.objects.create(voucher=voucher, order=order, user=order.user)

    (row,) = told()
    assert (row.kind, row.order_ref, row.subject) == (FactKind.COUPON_USED, str(order.pk), "SPRING")


def test_a_changed_name_is_told_and_a_login_time_is_not(world: OscarWorld, told: Told) -> None:
    user = User.objects.get(pk=world.make_customer(email="ann@example.com"))
    told()

    user.first_name = "Anna"
    user.save()
    user.save(update_fields=["last_login"])

    (row,) = told()
    assert (row.kind, row.customer_id) == (FactKind.CUSTOMER_CHANGED, str(user.pk))


def test_accounts_deleted_in_bulk_are_each_told_and_their_wishlists_are_not(
    world: OscarWorld, ref: ProductRef, told: Told
) -> None:
    customer_ids = {world.make_customer(email=f"{name}@example.com") for name in ("ann", "bob")}
    for customer_id in customer_ids:
        world.shop.like(customer_id, ref)
        world.make_cart([(ref, 1)], customer_id=customer_id)
    told()

    User.objects.filter(pk__in=customer_ids).delete()

    rows = told()
    assert {row.customer_id for row in rows} == customer_ids
    assert [row.kind for row in rows] == [FactKind.CUSTOMER_DELETED] * 2


def _unchanged(html: str) -> dict[str, str]:
    from demo.browser import Page  # noqa: PLC0415 - it reads a form as a browser does

    return dict(Page("http://testserver/", html).form("create_update_product_form").values) | {"action": "save"}
