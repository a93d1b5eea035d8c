"""The contract: customers, carts and orders."""

from __future__ import annotations

import pytest

from crm_plugin.shop import FactKind, OrderState
from tests.shop_contract.asking import A_UUID, NOWHERE, PRICE, find_facts, make_ref, money
from tests.shop_contract.world import World


@pytest.mark.django_db
class TradeContract:
    """Customers, carts and orders."""

    def test_customers_come_by_id_and_unknown_ones_are_left_out(self, world: World) -> None:
        ann = world.make_customer(email="ann@example.com", first_name="Ann", last_name="Lee")
        bob = world.make_customer(email="bob@example.com")

        found = world.shop.customers([ann, bob, NOWHERE, "x", ""])

        assert set(found) == {ann, bob}
        assert (found[ann].email, found[ann].first_name, found[ann].last_name) == ("ann@example.com", "Ann", "Lee")
        assert found[ann].joined_at is not None
        assert found[ann].joined_at.tzinfo is not None

    def test_a_deleted_customer_is_left_out(self, world: World) -> None:
        customer_id = world.make_customer(email="ann@example.com")

        world.delete_customer(customer_id)

        assert not world.shop.customers([customer_id])

    def test_a_cart_has_its_owner_and_its_lines(self, world: World) -> None:
        customer_id = world.make_customer(email="ann@example.com")
        ref = make_ref(world)

        cart_ref = world.make_cart([(ref, 2)], customer_id=customer_id)

        cart = world.shop.carts([cart_ref])[cart_ref]
        (line,) = cart.lines
        assert (cart.cart_ref, cart.customer_id, cart.shop_channel) == (cart_ref, customer_id, ref.shop_channel)
        assert (line.product_id, line.variant_id, line.quantity) == (ref.product_id, ref.variant_id, 2)
        assert line.unit_price == money(world, PRICE)
        assert cart.changed_at.tzinfo is not None

    def test_unknown_carts_and_orders_are_left_out(self, world: World) -> None:
        assert not world.shop.carts([NOWHERE, A_UUID, "x", ""])
        assert not world.shop.orders([NOWHERE, A_UUID, "x", ""])

    def test_a_cart_that_became_an_order_is_no_cart_any_more(self, world: World) -> None:
        customer_id = world.make_customer(email="ann@example.com")
        ref = make_ref(world)
        cart_ref = world.make_cart([(ref, 1)], customer_id=customer_id)

        order_ref = world.place_order([(ref, 1)], customer_id=customer_id, cart_ref=cart_ref)

        assert not world.shop.carts([cart_ref])
        assert order_ref in world.shop.orders([order_ref])

    def test_an_order_has_total_lines_and_customer(self, world: World) -> None:
        customer_id = world.make_customer(email="ann@example.com")
        ref = make_ref(world)

        order_ref = world.place_order([(ref, 2)], customer_id=customer_id)

        order = world.shop.orders([order_ref, NOWHERE])[order_ref]
        (line,) = order.lines
        assert (order.order_ref, order.customer_id, order.email) == (order_ref, customer_id, "ann@example.com")
        assert order.number
        assert isinstance(order.number, str)
        assert order.total.currency == money(world, PRICE).currency
        assert order.total.amount >= 2 * PRICE
        assert (line.product_id, line.variant_id, line.quantity) == (ref.product_id, ref.variant_id, 2)
        assert order.state in {OrderState.OPEN, OrderState.PAID}
        assert order.placed_at.tzinfo is not None

    def test_a_guests_order_has_an_email_and_no_customer(self, world: World) -> None:
        order_ref = world.place_order([(make_ref(world), 1)], email="guest@example.com")

        order = world.shop.orders([order_ref])[order_ref]

        assert (order.customer_id, order.email) == ("", "guest@example.com")

    def test_a_cancelled_order_says_so(self, world: World) -> None:
        order_ref = world.place_order([(make_ref(world), 1)], email="guest@example.com")

        world.cancel_order(order_ref)

        assert world.shop.orders([order_ref])[order_ref].state is OrderState.CANCELLED

    def test_an_order_that_is_not_placed_is_left_out(self, world: World) -> None:
        customer_id = world.make_customer(email="ann@example.com")
        order_ref = world.make_draft_order([(make_ref(world), 1)], customer_id=customer_id)
        if not order_ref:
            pytest.skip("this shop has no drafts")

        assert not world.shop.orders([order_ref])
        assert not [fact for fact in find_facts(world.shop, FactKind.ORDERED) if fact.order_ref == order_ref]
