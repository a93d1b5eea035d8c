"""Confirming the receipt of an order, by its customer and nobody else."""

from __future__ import annotations

import pytest

from crm_plugin import ids, pipeline
from crm_plugin.models import Activity, Inbox
from crm_plugin.shop import OrderState
from tests.fake_shop import FakeShop
from tests.graphql.conftest import CUSTOMER, Ask

pytestmark = pytest.mark.django_db

CONFIRM = "mutation($order: ID!) { crmReceiptConfirm(order: $order) { isConfirmed errors { field code } } }"


@pytest.mark.feature(16)
def test_a_customer_confirms_an_order_once(ask: Ask, shop: FakeShop) -> None:
    mug = shop.add_product(name="Mug", price=20)
    order = shop.place_order(mug.ref, customer_id=CUSTOMER.customer_id, email=CUSTOMER.email)

    answers = [
        ask(CONFIRM, caller=CUSTOMER, order=ids.to_global("Order", order.order_ref)).data["crmReceiptConfirm"]
        for _ in range(2)
    ]
    pipeline.pump()

    assert answers == [{"isConfirmed": True, "errors": []}] * 2
    assert Activity.objects.get(kind="receipt_confirmed").order_ref == order.order_ref


@pytest.mark.parametrize("whose", ["another", "nobody", "cancelled"])
def test_what_is_no_order_of_the_caller_is_refused(ask: Ask, shop: FakeShop, whose: str) -> None:
    mug = shop.add_product(name="Mug", price=20)
    owner = "another" if whose == "another" else CUSTOMER.customer_id
    order = shop.place_order(mug.ref, customer_id=owner)
    if whose == "cancelled":
        shop.set_order_state(order.order_ref, OrderState.CANCELLED)
    ref = "unknown" if whose == "nobody" else order.order_ref

    answer = ask(CONFIRM, caller=CUSTOMER, order=ids.to_global("Order", ref)).data["crmReceiptConfirm"]

    assert answer["isConfirmed"] is None
    assert [error["field"] for error in answer["errors"]] == ["order"]
    assert not Inbox.objects.filter(kind="receipt_confirmed").exists()
