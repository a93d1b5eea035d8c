"""What a message may name beside products and the person: the cart, the order, the event and the coupons of its run.

Carts and orders are read from the shop at dispatch, each in one call for all messages of a pass: a cart that became an
order, or that holds something else by now, is not what the run was about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from crm_plugin import shop
from crm_plugin.automations.carts import PREFIX, content_of, items_of
from crm_plugin.automations.models import Enrollment
from crm_plugin.messaging import Item, about_cart
from crm_plugin.shop import Cart, Order


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The open carts and the orders of a pass, by their refs."""

    carts: Mapping[str, Cart]
    orders: Mapping[str, Order]

    @classmethod
    def of(cls, runs: Sequence[Enrollment]) -> Surroundings:
        """Ask the shop for what the runs are about."""
        port = shop.current()
        carts = {ref for run in runs if (ref := _cart_of(run))}
        orders = {ref for run in runs if (ref := run.context.get("order_ref", ""))}
        return cls(port.carts(carts) if carts else {}, port.orders(orders) if orders else {})

    def extras(self, run: Enrollment) -> dict[str, Any]:
        """Return the values of a run, as ``messaging.Go`` takes them."""
        found: dict[str, Any] = {}
        if "coupon" in run.context:
            found["coupon"] = _readable(run.context["coupon"])
        if "coupons" in run.context:
            found["coupons"] = [_readable(one) for one in run.context["coupons"]]
        found["event"] = {"name": run.context.get("subject", ""), **run.context.get("data", {})}
        if (order := self.orders.get(run.context.get("order_ref", ""))) is not None:
            found["order"] = {"number": order.number, "total": order.total}
        if (cart := self.carts.get(_cart_of(run))) is not None:
            found["cart"] = about_cart(cart)
        return found

    def items(self, run: Enrollment) -> list[Item]:
        """Return the products of a run: what lies in its cart now, else what it was entered with."""
        cart = self.carts.get(_cart_of(run)) if _is_about_content(run) else None
        if cart is None:
            return [Item.from_json(item) for item in run.items]
        return [Item.from_json(item) for item in items_of(cart)]

    def has_moved_on(self, run: Enrollment) -> bool:
        """Whether the run is about the content of a cart that is gone, or holds something else by now."""
        cart = self.carts.get(_cart_of(run))
        return _is_about_content(run) and (cart is None or content_of(cart) != run.epoch)


def _cart_of(run: Enrollment) -> str:
    """Return the open cart that the run has to do with; empty when there is none."""
    return "" if run.context.get("order_ref") else str(run.context.get("cart_ref", ""))


def _is_about_content(run: Enrollment) -> bool:
    """Whether the run is about what lay in a cart: it began because nothing happened, so there is no activity."""
    return run.subject_key.startswith(PREFIX) and "activity" not in run.context


def _readable(coupon: Mapping[str, Any]) -> dict[str, Any]:
    """Return a coupon with its last day as a day, which is written as its reader expects it."""
    last_day = coupon.get("expires_on")
    return {**coupon, "expires_on": date.fromisoformat(last_day) if last_day else None}
