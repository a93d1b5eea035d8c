"""Carts and orders."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from crm_plugin.money import Money


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a cart or an order.

    Attributes:
        unit_price: what one unit costs the person, without coupons.
        refunded_quantity: of an order, how many units came back or were paid back.
    """

    line_id: str
    product_id: str
    variant_id: str
    quantity: int
    unit_price: Money
    refunded_quantity: int = 0


@dataclass(frozen=True, slots=True)
class Cart:
    """An open cart. ``recovery_url`` brings the shopper back to it; empty when the shop has none.

    ``visitor_id`` is the browser that it was filled in, when the shop knows.
    """

    cart_ref: str
    shop_channel: str
    lines: tuple[Line, ...]
    changed_at: datetime
    customer_id: str = ""
    email: str = ""
    recovery_url: str = ""
    visitor_id: str = ""

    @property
    def quantity(self) -> int:
        """How many units are in it."""
        return sum(line.quantity for line in self.lines)

    @property
    def total(self) -> Money | None:
        """What it is worth without coupons; None when it is empty."""
        if not self.lines:
            return None
        amount = sum((line.unit_price.amount * line.quantity for line in self.lines), Decimal(0))
        return Money(amount, self.lines[0].unit_price.currency)


class OrderState(StrEnum):
    """The states of an order that matter to marketing."""

    OPEN = "open"
    PAID = "paid"
    FULFILLED = "fulfilled"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"


@dataclass(frozen=True, slots=True)
class Order:
    """A placed order. ``customer_id`` is empty for a guest; ``coupon_codes`` are the codes that it used."""

    order_ref: str
    number: str
    shop_channel: str
    state: OrderState
    placed_at: datetime
    total: Money
    lines: tuple[Line, ...]
    customer_id: str = ""
    email: str = ""
    language: str = ""
    cart_ref: str = ""
    coupon_codes: tuple[str, ...] = ()
