"""The link by which somebody confirms the receipt of an order: nothing is confirmed but by the button."""

from __future__ import annotations

import pytest
from django.test import Client

from crm_plugin import activity, pipeline
from crm_plugin.models import Activity, Inbox
from crm_plugin.shop import Order, OrderState
from tests.fake_shop import FakeShop

pytestmark = pytest.mark.django_db


@pytest.fixture
def order(fake_shop: FakeShop) -> Order:
    """An order of somebody who wrote in English."""
    customer = fake_shop.add_customer(email="ann@example.com")
    mug = fake_shop.add_product(name="Mug", price=20)
    return fake_shop.place_order(mug.ref, customer_id=customer.customer_id, email="ann@example.com")


def url(order: Order) -> str:
    return f"/crm/receipt/{activity.receipt_token(order.order_ref)}/"


def confirmed() -> list[str]:
    pipeline.pump()
    return list(Activity.objects.filter(kind="receipt_confirmed").values_list("order_ref", flat=True))


@pytest.mark.parametrize("method", ["get", "head"])
def test_looking_at_the_page_confirms_nothing(client: Client, order: Order, method: str) -> None:
    answer = getattr(client, method)(url(order))

    assert answer.status_code == 200
    assert confirmed() == []


@pytest.mark.feature(16)
def test_the_button_confirms_the_order_once(client: Client, order: Order) -> None:
    shown = client.get(url(order)).content.decode()

    first = client.post(url(order)).content.decode()
    again = client.post(url(order)).content.decode()
    done = confirmed()
    later = client.get(url(order)).content.decode()

    assert f"order {order.number}" in shown
    assert "<button" in shown
    assert all("You have confirmed" in page and "<button" not in page for page in (first, again, later))
    assert done == [order.order_ref]


@pytest.mark.parametrize("state", [OrderState.CANCELLED, OrderState.REFUNDED])
def test_an_order_that_came_to_nothing_cannot_be_confirmed(
    client: Client, fake_shop: FakeShop, order: Order, state: OrderState
) -> None:
    fake_shop.set_order_state(order.order_ref, state)

    page = client.post(url(order)).content.decode()

    assert "There is nothing to confirm" in page
    assert confirmed() == []


def test_a_forged_link_is_no_page(client: Client, order: Order) -> None:
    answers = [
        client.post(address).status_code
        for address in (url(order)[:-3] + "aa/", f"/crm/receipt/{order.order_ref}/", f"/crm/receipt/{'x' * 5_000}/")
    ]

    assert answers == [404, 404, 404]
    assert not Inbox.objects.exists()


def test_the_page_is_korean_for_a_korean_order(client: Client, order: Order) -> None:
    page = client.get(url(order), headers={"Accept-Language": "ko"}).content.decode()

    assert '<html lang="ko">' in page
    assert "구매확정" in page
