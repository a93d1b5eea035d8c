"""What Saleor's hooks tell, as facts: one INSERT each, from what the hook has at hand.

Saleor calls a hook after its transaction and skips it for bulk writes; ``streams`` finds what was missed, under the
same source keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from saleor.order import FulfillmentStatus

from crm_plugin import activity
from crm_plugin.shop import Fact, FactKind
from crm_plugin.shops.saleor import deliveries, keys, orders, visitors
from crm_plugin.shops.saleor.people import as_id


def customer_created(user: Any) -> None:
    """An account was made, by its owner or by staff."""
    activity.record(signed_up(user.pk, user.email, user.date_joined))


def account_confirmed(user: Any) -> None:
    """The owner of an account has proved the address."""
    activity.record(
        Fact(
            kind=FactKind.ACCOUNT_CONFIRMED,
            source_key=keys.confirmed(user.pk),
            customer_id=as_id(user.pk),
            email=user.email,
        )
    )


def customer_changed(user: Any) -> None:
    """Name, language or address of an account may have changed."""
    activity.record(changed_customer(user.pk, user.email, user.updated_at))


def customer_deleted(user: Any) -> None:
    """An account was deleted, by its owner or by staff."""
    activity.record(
        Fact(
            kind=FactKind.CUSTOMER_DELETED,
            source_key=keys.customer_deleted(user.pk),
            customer_id=as_id(user.pk),
            email=user.email,
        )
    )


def cart_changed(checkout: Any) -> None:
    """A checkout, which is Saleor's cart as well, was made or changed."""
    activity.record_many(of_cart(checkout))


def order_placed(order: Any) -> None:
    """An order counts: it is neither a draft nor waits for staff's confirmation."""
    activity.record_many(_placed([order]))


def orders_imported(imported: Iterable[Any]) -> None:
    """Staff imported orders."""
    activity.record_many(_placed(imported))


def order_paid(order: Any) -> None:
    """An order is paid in full. That also confirms one that was placed unpaid, of which Saleor tells nothing else.

    The order at hand may not know its new status yet; the drain asks for it, and drops what still is no order.
    """
    activity.record_many(of_order(order, kind) for kind in (FactKind.ORDERED, FactKind.PAID))


def order_cancelled(order: Any) -> None:
    """An order was cancelled."""
    activity.record(of_order(order, FactKind.CANCELLED))


def order_expired(order: Any) -> None:
    """An order that nobody paid came to nothing. It never counted, and Saleor keeps the code that it held inactive."""
    activity.record_many(of_expiry(order))


def order_refunded(order: Any) -> None:
    """All that was paid for an order was paid back."""
    activity.record(of_order(order, FactKind.REFUNDED))


def fulfilled(fulfillment: Any) -> None:
    """Goods of an order left the house; a fulfilment that waits for approval has not."""
    if fulfillment.status == FulfillmentStatus.FULFILLED:
        activity.record(of_fulfillment(fulfillment))


def order_metadata_changed(order: Any) -> None:
    """Metadata may say now that an order arrived."""
    if order.status not in orders.NOT_PLACED:
        activity.record_many(of_delivery(order, order.metadata))


def fulfillment_metadata_changed(fulfillment: Any) -> None:
    """Metadata may say now that goods arrived."""
    activity.record_many(of_delivery(fulfillment.order, fulfillment.metadata))


def product_changed(product: Any) -> None:
    """Something about a product changed, its price or its place in a channel among other things; or it is gone."""
    activity.look_again([as_id(product.pk)])


def variant_changed(variant: Any) -> None:
    """Something about a variant changed; Saleor tells a new base price this way, without saying so."""
    activity.look_again([as_id(variant.product_id)])


def stock_changed(stock: Any) -> None:
    """A variant went out of stock or came back (Saleor up to 3.22)."""
    activity.look_again(variant_ids=[as_id(stock.product_variant_id)])


def price_changed(change: Any) -> None:
    """Saleor computed another price. It does not tell every change and errs in some, so: look."""
    activity.look_again(variant_ids=[as_id(change.variant_id)], shop_channel=change.channel_slug)


def promotion_changed(promotion: Any) -> None:
    """A promotion was made, changed, began or ended."""
    activity.look_again(promotion_refs=[as_id(promotion.pk)])


# Facts that hooks and streams have in common


def signed_up(user_id: int, email: str, joined_at: Any) -> Fact:
    """Return the fact of a new account."""
    return Fact(
        kind=FactKind.SIGNED_UP,
        source_key=keys.signed_up(user_id),
        occurred_at=joined_at,
        customer_id=as_id(user_id),
        email=email,
    )


def changed_customer(user_id: int, email: str, updated_at: Any) -> Fact:
    """Return the fact of a changed account."""
    return Fact(
        kind=FactKind.CUSTOMER_CHANGED,
        source_key=keys.customer_changed(user_id, updated_at),
        occurred_at=updated_at,
        customer_id=as_id(user_id),
        email=email,
    )


def of_cart(checkout: Any) -> list[Fact]:
    """Return the facts of a checkout as it stands."""
    changed = Fact(
        kind=FactKind.CART_CHANGED,
        source_key=keys.cart_changed(checkout.pk, checkout.last_change),
        occurred_at=checkout.last_change,
        customer_id=as_id(checkout.user_id),
        email=checkout.email or "",
        visitor_id=visitors.of_checkout(checkout),
        cart_ref=str(checkout.pk),
    )
    if not _has_started(checkout):
        return [changed]
    return [changed, replace(changed, kind=FactKind.CHECKOUT_STARTED, source_key=keys.checkout_started(checkout.pk))]


def of_order(order: Any, kind: FactKind) -> Fact:
    """Return the fact that ``kind`` happened to an order, at a time that only the caller may know."""
    return Fact(
        kind=kind,
        source_key=keys.order(order.pk, "placed" if kind is FactKind.ORDERED else kind.value),
        occurred_at=order.created_at if kind is FactKind.ORDERED else None,
        customer_id=as_id(order.user_id),
        email=order.user_email,
        # Only who places an order is in that browser then; staff may cancel it.
        visitor_id=visitors.visitor_of(order.metadata) if kind is FactKind.ORDERED else "",
        order_ref=str(order.pk),
        cart_ref=order.checkout_token,
        data={"coupon": order.voucher_code} if order.voucher_code else {},
    )


def of_expiry(order: Any) -> list[Fact]:
    """Return the fact that an order that expired let go of its code, if it held one."""
    if not order.voucher_code:
        return []
    return [
        Fact(
            kind=FactKind.COUPON_LET_GO,
            source_key=keys.coupon_let_go(order.pk),
            order_ref=str(order.pk),
            subject=order.voucher_code,
        )
    ]


def of_fulfillment(fulfillment: Any) -> Fact:
    """Return the fact of one fulfilment."""
    order = fulfillment.order
    return Fact(
        kind=FactKind.FULFILLED,
        source_key=keys.fulfilled(fulfillment.pk),
        occurred_at=fulfillment.created_at,
        customer_id=as_id(order.user_id),
        email=order.user_email,
        order_ref=str(order.pk),
    )


def of_delivery(order: Any, metadata: Any, *, otherwise: datetime | None = None) -> list[Fact]:
    """Return the fact that an order arrived, if metadata says so; with ``otherwise`` when it does not say when.

    The first parcel counts: an order arrives once.
    """
    at = deliveries.delivered_at(metadata, otherwise=otherwise)
    return [replace(of_order(order, FactKind.DELIVERED), occurred_at=at)] if at is not None else []


def _placed(candidates: Iterable[Any]) -> Iterator[Fact]:
    for order in candidates:
        if order.status not in orders.NOT_PLACED:
            yield of_order(order, FactKind.ORDERED)


def _has_started(checkout: Any) -> bool:
    """Whether the shopper went on from the cart: a guest gave an address to write to, anybody one to deliver to."""
    is_known_guest = checkout.user_id is None and bool(checkout.email)
    places = (checkout.shipping_address_id, checkout.billing_address_id, checkout.collection_point_id)
    return is_known_guest or any(place is not None for place in places)
