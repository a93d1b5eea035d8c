"""What a message may name beside products and the person: the cart, the order, the event and the coupons of its run.

Carts, orders and coupons are read again at dispatch, each in one call for all messages of a pass: a cart that became an
order, or that holds something else by now, is not what the run was about; a code that was used or withdrawn is shown to
nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from crm_plugin import activity, coupons, shop
from crm_plugin.automations.carts import PREFIX, content_of, items_of
from crm_plugin.automations.definition import Definition
from crm_plugin.automations.models import Enrollment
from crm_plugin.automations.steps import IssueCouponStep
from crm_plugin.messaging import Item, Reason, about_cart
from crm_plugin.shop import Cart, Order

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The open carts and the orders of a pass, by their refs, and which of its coupons somebody can still use."""

    carts: Mapping[str, Cart]
    orders: Mapping[str, Order]
    good_coupons: frozenset[int]

    @classmethod
    def of(cls, runs: Sequence[Enrollment]) -> Surroundings:
        """Ask the shop for what the runs are about."""
        port = shop.current()
        carts = {ref for run in runs if (ref := _cart_of(run))}
        orders = {ref for run in runs if (ref := run.context.get("order_ref", ""))}
        given = {one["id"] for run in runs for one in _coupons_of(run) if "id" in one}
        return cls(
            port.carts(carts) if carts else {},
            port.orders(orders) if orders else {},
            coupons.still_good(given) if given else frozenset(),
        )

    def extras(self, run: Enrollment) -> dict[str, Any]:
        """Return the values of a run, as ``messaging.Go`` takes them."""
        found: dict[str, Any] = {}
        if "coupon" in run.context and self._is_good(run.context["coupon"]):
            found["coupon"] = _readable(run.context["coupon"])
        if "coupons" in run.context:
            found["coupons"] = [_readable(one) for one in run.context["coupons"] if self._is_good(one)]
        found["event"] = {"name": run.context.get("subject", ""), **run.context.get("data", {})}
        if (order := self.orders.get(run.context.get("order_ref", ""))) is not None:
            url = _confirm_url(order.order_ref)
            found["order"] = {"number": order.number, "total": order.total, "confirm_url": url}
        if (cart := self.carts.get(_cart_of(run))) is not None:
            found["cart"] = about_cart(cart)
        return found

    def withheld(self, run: Enrollment, definition: Definition) -> dict[str, Reason]:
        """Return what no message of the run may show any more.

        A message that would tell a code which is gone is left out, unless the campaign does as well without one.
        """
        found: dict[str, Reason] = {}
        coupon, several = run.context.get("coupon"), run.context.get("coupons", ())
        if coupon is not None and not self._is_good(coupon) and not _goes_without(coupon, definition):
            found["coupon"] = Reason.COUPON_GONE
        if several and not any(self._is_good(one) for one in several):
            found["coupons"] = Reason.COUPON_GONE
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

    def _is_good(self, coupon: Json) -> bool:
        """Whether the code can be told; one that is everybody's (a new voucher's) is not ours to know."""
        return "id" not in coupon or coupon["id"] in self.good_coupons


def _coupons_of(run: Enrollment) -> Iterable[Json]:
    if "coupon" in run.context:
        yield run.context["coupon"]
    yield from run.context.get("coupons", ())


def _goes_without(coupon: Json, definition: Definition) -> bool:
    """Whether the step that issued the coupon says that everything goes on without one."""
    place = definition.program.place_of(str(coupon.get("step", "")))
    step = definition.program.ops[place].step if place is not None else None
    return isinstance(step, IssueCouponStep) and step.on_failure == "go_on"


def _confirm_url(order_ref: str) -> str:
    """Return where the person says that the order arrived."""
    return f"{shop.current().operator().public_url}receipt/{activity.receipt_token(order_ref)}/"


def _cart_of(run: Enrollment) -> str:
    """Return the open cart that the run has to do with; empty when there is none."""
    return "" if run.context.get("order_ref") else str(run.context.get("cart_ref", ""))


def _is_about_content(run: Enrollment) -> bool:
    """Whether the run is about what lay in a cart: it began because nothing happened, so there is no activity."""
    return run.subject_key.startswith(PREFIX) and "activity" not in run.context


def _readable(coupon: Json) -> dict[str, Any]:
    """Return a coupon with its last day as a day, which is written as its reader expects it."""
    last_day = coupon.get("expires_on")
    return {**coupon, "expires_on": date.fromisoformat(last_day) if last_day else None}
