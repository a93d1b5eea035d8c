"""Ingredients of stories about timers: carts that change, checkouts that begin, and workers at a minute of a day."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from crm_plugin import activity, clock, pipeline
from crm_plugin.shop import Cart, Fact, FactKind
from tests.fake_shop import FakeShop
from tests.fake_trade import cart_changed, order_facts

DAY = datetime(2027, 3, 1, tzinfo=UTC)
_keys = count(1)


def at(moment: str, *, day: int = 0) -> datetime:
    """Return a moment written as ``HH:MM`` of the first day, or of one after it."""
    hours, minutes = map(int, moment.split(":"))
    return DAY + timedelta(days=day, hours=hours, minutes=minutes)


@contextmanager
def time(moment: str, *, day: int = 0) -> Iterator[None]:
    """Let it be that moment."""
    with clock.travel(to=at(moment, day=day)):
        yield


def work(moment: str, *, day: int = 0) -> None:
    """Let the workers work at a moment until nothing is left to do."""
    with time(moment, day=day):
        pipeline.pump()
        pipeline.deliver()
        pipeline.pump()


def tell_cart(cart: Cart) -> None:
    """Tell the engine of a cart as it is now."""
    activity.record(cart_changed(cart))


def fill(fake_shop: FakeShop, cart_ref: str, *products: Any, quantity: int = 1, **who: str) -> Cart:
    """Put products into a cart, in place of what was in it, and tell the engine."""
    cart = fake_shop.change_cart(cart_ref, *(one.ref for one in products), quantity=quantity, **who)
    tell_cart(cart)
    return cart


def begin_checkout(cart_ref: str, **who: str) -> None:
    """Tell that somebody began to check out."""
    activity.record(
        Fact(kind=FactKind.CHECKOUT_STARTED, source_key=f"checkout:{next(_keys)}", cart_ref=cart_ref, **who)
    )


def buy(fake_shop: FakeShop, *products: Any, **who: str) -> Any:
    """Place an order and tell the engine."""
    order = fake_shop.place_order(*(one.ref for one in products), **who)
    activity.record_many(order_facts(order))
    return order


def view(product: Any, *, customer_id: str) -> None:
    """Tell that somebody looked at a product."""
    activity.record(
        Fact(
            kind=FactKind.VIEWED,
            source_key=f"view:{next(_keys)}",
            customer_id=customer_id,
            product_id=product.product_id,
            shop_channel="default",
        )
    )


def abandoned(what: str = "cart", minutes: int = 60, **more: Any) -> dict[str, Any]:
    """A trigger for carts or checkouts that are left alone."""
    return {"type": "abandoned", "what": what, "after_minutes": minutes, **more}


def after(deed: str, *amounts: int, unit: str = "hours", **more: Any) -> dict[str, Any]:
    """A trigger so long after something."""
    return {"type": "after", "activity": deed, "unit": unit, "amounts": list(amounts), **more}
