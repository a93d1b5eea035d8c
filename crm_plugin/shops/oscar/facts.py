"""The facts of an Oscar shop: the same row gives the same fact, whether a signal or a stream tells it.

That they are one and the same shows in ``source_key``, which is made of the row's own id and, where a row can happen
more than once, of its own time.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import uuid4

from crm_plugin import activity
from crm_plugin.money import Money
from crm_plugin.shop import Fact, FactKind, OrderState
from crm_plugin.shops.oscar import site
from crm_plugin.shops.oscar.carts_orders import state_of
from crm_plugin.shops.oscar.catalogue import ids_of

#: The name of the shipping event by which a shop says that an order arrived, in any case.
DELIVERED = "delivered"

_KINDS = {
    OrderState.PAID: FactKind.PAID,
    OrderState.FULFILLED: FactKind.FULFILLED,
    OrderState.CANCELLED: FactKind.CANCELLED,
    OrderState.REFUNDED: FactKind.REFUNDED,
}


def signed_up(user: Any) -> Fact:
    """Return that somebody opened an account."""
    return Fact(
        kind=FactKind.SIGNED_UP,
        source_key=f"customer:{user.pk}:signed_up",
        occurred_at=user.date_joined,
        customer_id=str(user.pk),
        email=user.email,
    )


def ordered(order: Any) -> Fact:
    """Return that an order was placed."""
    return Fact(
        kind=FactKind.ORDERED,
        source_key=f"order:{order.number}:placed",
        occurred_at=order.date_placed,
        customer_id=str(order.user_id or ""),
        email=order.email,
        shop_channel=site.CHANNEL,
        order_ref=str(order.pk),
        cart_ref=str(order.basket_id or ""),
        amount=Money(order.total_incl_tax, order.currency),
    )


def moved_on(order: Any, *, status: str, at: datetime | None = None) -> Fact | None:
    """Return that an order reached a state that matters; None for every other status.

    A status and a shipping event that say the same are one fact: an order is fulfilled once.
    """
    state = state_of(status)
    if state is OrderState.OPEN:
        return None
    return Fact(
        kind=_KINDS[state],
        source_key=f"order:{order.number}:{state}",
        occurred_at=at,
        customer_id=str(order.user_id or ""),
        email=order.email,
        shop_channel=site.CHANNEL,
        order_ref=str(order.pk),
    )


def shipped(event: Any) -> Fact | None:
    """Return that an order arrived, or was shipped (in part): whatever else the shop calls its shipping events."""
    if event.event_type.name.strip().lower() == DELIVERED:
        return delivered(event.order, at=event.date_created)
    return moved_on(event.order, status="shipped", at=event.date_created)


def delivered(order: Any, *, at: datetime | None = None) -> Fact:
    """Return that an order arrived, under the key that it has when the CRM derives it."""
    return Fact(
        kind=FactKind.DELIVERED,
        source_key=activity.delivered_key(str(order.pk)),
        occurred_at=at,
        customer_id=str(order.user_id or ""),
        email=order.email,
        shop_channel=site.CHANNEL,
        order_ref=str(order.pk),
    )


def cart_changed(line: Any, *, is_gone: bool = False) -> Fact:
    """Return that a basket line was added, changed or (``is_gone``) taken out."""
    change = "gone" if is_gone else line.date_updated.isoformat()
    return Fact(
        kind=FactKind.CART_CHANGED,
        source_key=f"cart:{line.basket_id}:{line.pk}:{change}",
        occurred_at=None if is_gone else line.date_updated,
        customer_id=str(line.basket.owner_id or ""),
        shop_channel=site.CHANNEL,
        cart_ref=str(line.basket_id),
    )


def liked(line: Any, *, at: datetime | None = None, price: Money | None = None) -> Fact:
    """Return that a product was put on a wishlist, with the price that the person saw when it is at hand."""
    return _like(FactKind.LIKED, line, at=at, price=price)


def unliked(line: Any) -> Fact:
    """Return that a product was taken off a wishlist."""
    return _like(FactKind.UNLIKED, line)


def _like(kind: FactKind, line: Any, *, at: datetime | None = None, price: Money | None = None) -> Fact:
    product_id, variant_id = ids_of(line.product)
    return Fact(
        kind=kind,
        source_key=f"wish:{line.pk}:{kind}",
        occurred_at=at,
        customer_id=str(line.wishlist.owner_id),
        product_id=product_id,
        variant_id=variant_id,
        shop_channel=site.CHANNEL,
        amount=price,
    )


def reviewed(review: Any) -> Fact:
    """Return that a product was reviewed, by a customer or by somebody who left an address."""
    product_id, variant_id = ids_of(review.product)
    return Fact(
        kind=FactKind.REVIEWED,
        source_key=f"review:{review.pk}",
        occurred_at=review.date_created,
        customer_id=str(review.user_id or ""),
        email=review.user.email if review.user else review.email,
        product_id=product_id,
        variant_id=variant_id,
        shop_channel=site.CHANNEL,
        subject=str(review.pk),
        data={"score": review.score},
    )


def review_changed(review: Any) -> Fact:
    """Return that a review was edited, moderated or deleted. It names nobody: whose it is has not changed."""
    return Fact(
        kind=FactKind.REVIEW_CHANGED,
        source_key=f"review:{review.pk}:changed:{uuid4().hex}",
        subject=str(review.pk),
    )


def coupon_used(application: Any) -> Fact:
    """Return that a voucher was used in an order, under the key that it has when the order's facts tell it."""
    order = application.order
    return Fact(
        kind=FactKind.COUPON_USED,
        source_key=f"order:{order.pk}:coupon:{application.voucher.code}",
        occurred_at=application.date_created,
        customer_id=str(order.user_id or ""),
        email=order.email,
        shop_channel=site.CHANNEL,
        order_ref=str(order.pk),
        subject=application.voucher.code,
    )
