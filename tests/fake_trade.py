"""The trade of the FakeShop: customers, carts and orders, and the facts that their rows stand for."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from crm_plugin import clock
from crm_plugin.money import Money
from crm_plugin.shop import Cart, Customer, Fact, FactKind, Line, Order, OrderState, ProductRef, ShopChannel
from tests.fake_coupons import FakeCoupons

STATE_KINDS = {
    OrderState.PAID: FactKind.PAID,
    OrderState.FULFILLED: FactKind.FULFILLED,
    OrderState.CANCELLED: FactKind.CANCELLED,
    OrderState.REFUNDED: FactKind.REFUNDED,
}


class FakeTrade(FakeCoupons):
    """Builds and changes customers, carts and orders, silently."""

    def __init__(self, channels: Sequence[ShopChannel]) -> None:
        super().__init__(channels)
        self.customer_rows: dict[str, Customer] = {}
        self.cart_rows: dict[str, Cart] = {}
        self.order_rows: dict[str, Order] = {}
        self.order_changed_at: dict[str, datetime] = {}
        self._numbers = itertools.count(1)

    def add_customer(self, *, email: str = "", customer_id: str = "", **more: Any) -> Customer:
        """Add a customer; ``more`` are further fields of ``Customer``."""
        key = customer_id or str(next(self._numbers))
        customer = Customer(key, email or f"customer{key}@example.com", **{"joined_at": clock.now(), **more})
        self.customer_rows[key] = customer
        return customer

    def change_customer(self, customer_id: str, **changes: Any) -> Customer:
        """Change fields of a customer, silently."""
        self.customer_rows[customer_id] = replace(self.customer_rows[customer_id], **changes)
        return self.customer_rows[customer_id]

    def delete_customer(self, customer_id: str) -> None:
        """Delete the account; orders stay, as in real shops."""
        self.customer_rows.pop(customer_id, None)

    def line(self, ref: ProductRef, *, quantity: int = 1) -> Line:
        """Return a line at the present price of a variant."""
        offers = self.products[ref.product_id].offers(ref.shop_channel)
        offer = next(offer for offer in offers if ref.variant_id in ("", offer.variant_id))
        return Line(str(next(self._numbers)), ref.product_id, offer.variant_id, quantity, offer.price)

    def add_cart(self, *refs: ProductRef, quantity: int = 1, **who: str) -> Cart:
        """Put a cart with one line for each product into the shop."""
        return self.change_cart(f"cart-{next(self._numbers)}", *refs, quantity=quantity, **who)

    def change_cart(
        self,
        cart_ref: str,
        *refs: ProductRef,
        customer_id: str = "",
        email: str = "",
        visitor_id: str = "",
        quantity: int = 1,
    ) -> Cart:
        """Replace what is in a cart; no products at all empties it."""
        channel = refs[0].shop_channel if refs else self.default_channel
        lines = tuple(self.line(ref, quantity=quantity) for ref in refs)
        url = f"https://shop.example/cart/{cart_ref}/"
        self.cart_rows[cart_ref] = Cart(cart_ref, channel, lines, clock.now(), customer_id, email, url, visitor_id)
        return self.cart_rows[cart_ref]

    def place_order(
        self,
        *refs: ProductRef,
        customer_id: str = "",
        email: str = "",
        cart_ref: str = "",
        quantity: int = 1,
        coupon_codes: Collection[str] = (),
    ) -> Order:
        """Place an order of the products, or of what is in the cart, which is then gone.

        It uses the coupons, even those that the shop would refuse or does not know.
        """
        cart = self.cart_rows.pop(cart_ref, None)
        lines = tuple(self.line(ref, quantity=quantity) for ref in refs) or (cart.lines if cart else ())
        channel = refs[0].shop_channel if refs else cart.shop_channel if cart else self.default_channel
        number = str(next(self._numbers))
        account = self.customer_rows.get(customer_id)
        order = Order(
            order_ref=number,
            number=f"1{number:0>5}",
            shop_channel=channel,
            state=OrderState.OPEN,
            placed_at=clock.now(),
            total=self.discounted(_total(lines, default=self.money(0, shop_channel=channel)), coupon_codes),
            lines=lines,
            customer_id=customer_id,
            email=email or (account.email if account else ""),
            language=account.language if account else "",
            cart_ref=cart_ref,
            coupon_codes=tuple(coupon_codes),
        )
        self.use_coupons(coupon_codes, order_ref=number)
        self.order_rows[number] = order
        self.order_changed_at[number] = order.placed_at
        return order

    def set_order_state(self, order_ref: str, state: OrderState) -> Order:
        """Move an order on: paid, fulfilled, cancelled, refunded."""
        self.order_rows[order_ref] = replace(self.order_rows[order_ref], state=state)
        self.order_changed_at[order_ref] = clock.now()
        return self.order_rows[order_ref]

    def refund_lines(self, order_ref: str, *refs: ProductRef, quantity: int | None = None) -> Order:
        """Pay back so many units (None: all) of the lines of these variants; of every line when none is named."""
        order = self.order_rows[order_ref]
        named = {ref.variant_id for ref in refs}
        lines = tuple(
            replace(line, refunded_quantity=line.quantity if quantity is None else quantity)
            if not named or line.variant_id in named
            else line
            for line in order.lines
        )
        self.order_rows[order_ref] = replace(order, lines=lines)
        self.order_changed_at[order_ref] = clock.now()
        return self.order_rows[order_ref]


def signed_up(customer: Customer) -> Fact:
    """Return the fact of a sign-up, as a hook or the stream tells it."""
    return Fact(
        kind=FactKind.SIGNED_UP,
        source_key=f"customer:{customer.customer_id}:signed_up",
        occurred_at=customer.joined_at,
        customer_id=customer.customer_id,
        email=customer.email,
    )


def cart_changed(cart: Cart) -> Fact:
    """Return the fact of a changed cart, as a hook or the stream tells it."""
    return Fact(
        kind=FactKind.CART_CHANGED,
        source_key=f"cart:{cart.cart_ref}:{cart.changed_at.isoformat()}",
        occurred_at=cart.changed_at,
        customer_id=cart.customer_id,
        email=cart.email,
        shop_channel=cart.shop_channel,
        cart_ref=cart.cart_ref,
    )


def order_facts(order: Order, *, changed_at: datetime | None = None) -> tuple[Fact, ...]:
    """Return what an order's row says happened: that it was placed, and the state that it is in now."""
    placed = Fact(
        kind=FactKind.ORDERED,
        source_key=f"order:{order.order_ref}:placed",
        occurred_at=order.placed_at,
        customer_id=order.customer_id,
        email=order.email,
        shop_channel=order.shop_channel,
        order_ref=order.order_ref,
        cart_ref=order.cart_ref,
        amount=order.total,
    )
    kind = STATE_KINDS.get(order.state)
    if kind is None:
        return (placed,)
    key = f"order:{order.order_ref}:{order.state.value}"
    return (placed, replace(placed, kind=kind, source_key=key, occurred_at=changed_at))


def _total(lines: Sequence[Line], *, default: Money) -> Money:
    return Money(sum((line.unit_price.amount * line.quantity for line in lines), default.amount), default.currency)
