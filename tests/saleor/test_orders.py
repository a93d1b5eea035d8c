"""Carts and orders, as Saleor's hooks tell them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from saleor.checkout.models import Checkout
from saleor.order.models import Order

from crm_plugin.models import Activity, Contact, ContactSpend, Failure, Inbox, Interest
from crm_plugin.shop import FactKind, ProductRef
from tests.saleor import asking, checkout, engine
from tests.saleor.world import SaleorWorld

pytestmark = [pytest.mark.saleor, pytest.mark.django_db]

CANCEL = "mutation($id: ID!) { orderCancel(id: $id) { order { id } errors { field code message } } }"
CONFIRM = "mutation($id: ID!) { orderConfirm(id: $id) { order { id } errors { field code message } } }"
FULFILL = """
mutation($order: ID, $input: OrderFulfillInput!) { orderFulfill(order: $order, input: $input) {
  fulfillments { id } errors { field code message } } }
"""

GRANT = """
mutation($id: ID!, $input: OrderGrantRefundCreateInput!) { orderGrantRefundCreate(id: $id, input: $input) {
  grantedRefund { id } errors { field code message } } }
"""
RETURN = """
mutation($order: ID!, $input: OrderReturnProductsInput!) {
  orderFulfillmentReturnProducts(order: $order, input: $input) { errors { field code message } } }
"""


@pytest.fixture
def mug(world: SaleorWorld) -> ProductRef:
    world.channel.allow_unpaid_orders = True
    world.channel.save()
    return world.make_product(prices=[Decimal(20)], stocks=[50], name="Blue Mug")[0]


def _kinds() -> list[str]:
    return list(Activity.objects.order_by("id").values_list("kind", flat=True))


def test_a_guests_checkout_becomes_a_contact_with_an_order(mug: ProductRef) -> None:
    checkout.buy(asking.anybody(), mug, email="Gus@Example.com", quantity=2)

    engine.drain()

    contact = Contact.objects.get()
    assert (contact.email, contact.customer_id, contact.orders_count) == ("gus@example.com", None, 1)
    assert ContactSpend.objects.get().amount == 40
    interest = Interest.objects.get()
    assert (interest.product_id, interest.bought_count, interest.carted_at) == (mug.product_id, 2, None)
    assert not Checkout.objects.exists()
    assert not Failure.objects.exists()


def test_an_order_is_one_activity_however_many_hooks_tell_it(mug: ProductRef) -> None:
    checkout.buy(asking.anybody(), mug, email="gus@example.com")

    told = Inbox.objects.filter(kind=FactKind.ORDERED).values_list("source_key", flat=True)
    hooks = len(told)
    engine.drain()

    assert len(set(told)) <= 1
    assert hooks >= 2  # order_created and order_confirmed
    assert _kinds().count(FactKind.ORDERED) == 1


def test_a_cart_is_carted_and_an_address_starts_the_checkout(mug: ProductRef) -> None:
    checkout.start(asking.anybody(), mug, email="gus@example.com", quantity=3)

    engine.drain()

    assert FactKind.CARTED in _kinds()
    assert FactKind.CHECKOUT_STARTED in _kinds()
    interest = Interest.objects.get()
    assert interest.carted_at is not None
    assert interest.baseline_price == 20


def test_a_nameless_cart_is_nobodys_and_does_no_harm(mug: ProductRef) -> None:
    checkout.start(asking.anybody(), mug)

    engine.drain()

    assert not Contact.objects.exists()
    assert not Inbox.objects.exists()


def test_payment_fulfilment_and_cancellation_are_told(mug: ProductRef, world: SaleorWorld) -> None:
    manager = asking.staff("manage_orders")
    sent, gone = (checkout.buy(asking.anybody(), mug, email="gus@example.com") for _ in range(2))
    line = Order.objects.order_by("number")[0].lines.get()
    stocks = [{"quantity": 1, "warehouse": asking.gid("Warehouse", world.warehouse.pk)}]

    lines = [{"orderLineId": asking.gid("OrderLine", line.pk), "stocks": stocks}]
    asking.ask(manager, FULFILL, order=sent, input={"lines": lines})
    asking.ask(manager, CANCEL, id=gone)
    engine.drain()

    told = _kinds()
    assert [told.count(kind) for kind in (FactKind.PAID, FactKind.FULFILLED, FactKind.CANCELLED)] == [2, 1, 1]
    assert not Failure.objects.exists()


def test_an_unpaid_order_counts_once_staff_confirm_it(mug: ProductRef) -> None:
    order = checkout.buy(asking.anybody(), mug, email="gus@example.com", is_paid=False)
    engine.drain()
    before = _kinds()

    asking.ask(asking.staff("manage_orders"), CONFIRM, id=order)
    engine.drain()

    assert FactKind.ORDERED not in before
    assert _kinds().count(FactKind.ORDERED) == 1


def test_an_unpaid_order_counts_once_it_is_paid(mug: ProductRef) -> None:
    order = checkout.buy(asking.anybody(), mug, email="gus@example.com", is_paid=False)
    engine.drain()
    before = _kinds()

    checkout.pay(order, amount=20)
    engine.drain()

    assert FactKind.ORDERED not in before
    assert [_kinds().count(kind) for kind in (FactKind.ORDERED, FactKind.PAID)] == [1, 1]


def test_units_that_came_back_or_were_paid_back_are_counted_once(world: SaleorWorld, mug: ProductRef) -> None:
    manager = asking.staff("manage_orders")
    key = checkout.buy(asking.anybody(), mug, email="gus@example.com", quantity=5)
    order = Order.objects.get()
    line = asking.gid("OrderLine", order.lines.get().pk)
    paid = {"transactionId": asking.gid("TransactionItem", order.payment_transactions.get().token)}

    def back() -> int:
        return world.shop.orders([str(order.pk)])[str(order.pk)].lines[0].refunded_quantity

    counted = [back()]
    asking.ask(
        manager, RETURN, order=key, input={"orderLines": [{"orderLineId": line, "quantity": 2, "replace": False}]}
    )
    counted.append(back())
    for quantity in (2, 1):  # the money for what came back, then for one more that did not
        asking.ask(manager, GRANT, id=key, input={"lines": [{"id": line, "quantity": quantity}], **paid})
        counted.append(back())
    order.granted_refunds.update(status="failure")

    assert (counted, back()) == ([0, 2, 2, 3], 2)
