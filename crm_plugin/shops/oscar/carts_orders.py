"""Baskets and orders, read in a few queries however many are asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from django.db.models import Prefetch
from oscar.core.loading import get_class, get_model

from crm_plugin.money import Money
from crm_plugin.shop import Cart, Line, Order, OrderState
from crm_plugin.shops.oscar import recovery, site
from crm_plugin.shops.oscar.catalogue import ids_of, sale_of
from crm_plugin.shops.oscar.keys import primary_keys

Basket = get_model("basket", "Basket")
BasketLine = get_model("basket", "Line")
OrderRow = get_model("order", "Order")
OrderLine = get_model("order", "Line")
PaymentEventQuantity = get_model("order", "PaymentEventQuantity")
ShippingEventQuantity = get_model("order", "ShippingEventQuantity")
VoucherApplication = get_model("voucher", "VoucherApplication")
Selector = get_class("partner.strategy", "Selector")

#: A frozen basket is being paid for: still a cart, until it becomes an order or thaws again.
_OPEN: Final = (Basket.OPEN, Basket.FROZEN)

#: Oscar's statuses are words that each shop chooses (``OSCAR_ORDER_STATUS_PIPELINE``); these are understood, in any
#: case. Another one leaves an order open.
_STATES: Final = {
    "paid": OrderState.PAID,
    "shipped": OrderState.FULFILLED,
    "dispatched": OrderState.FULFILLED,
    "delivered": OrderState.FULFILLED,
    "complete": OrderState.FULFILLED,
    "completed": OrderState.FULFILLED,
    "cancelled": OrderState.CANCELLED,
    "canceled": OrderState.CANCELLED,
    "refunded": OrderState.REFUNDED,
    "returned": OrderState.REFUNDED,
}
#: What a shop calls its events when units were paid back, or came back, in any case.
_BACK: Final = frozenset({"refund", "refunded", "return", "returned"})


def state_of(status: str) -> OrderState:
    """Return what a status of the shop's own pipeline means to marketing."""
    return _STATES.get(status.strip().lower(), OrderState.OPEN)


def carts(cart_refs: Collection[str]) -> Mapping[str, Cart]:
    """Return the open baskets, each with the link that brings its shopper back to it."""
    lines = BasketLine.objects.select_related("product__product_class", "product__parent__product_class", "stockrecord")
    rows = (
        Basket.objects.filter(pk__in=primary_keys(Basket, cart_refs), status__in=_OPEN)
        .select_related("owner")
        .prefetch_related(Prefetch("lines", queryset=lines.order_by("pk")))
    )
    strategy = Selector().strategy()
    return {str(row.pk): _cart(row, strategy=strategy) for row in rows}


def orders(order_refs: Collection[str]) -> Mapping[str, Order]:
    """Return the orders by primary key."""
    events = (
        Prefetch("payment_event_quantities", queryset=PaymentEventQuantity.objects.select_related("event__event_type")),
        Prefetch(
            "shipping_event_quantities", queryset=ShippingEventQuantity.objects.select_related("event__event_type")
        ),
    )
    lines = OrderLine.objects.select_related("product").prefetch_related(*events).order_by("pk")
    used = VoucherApplication.objects.select_related("voucher").order_by("pk")
    rows = (
        OrderRow.objects.filter(pk__in=primary_keys(OrderRow, order_refs))
        .select_related("user")
        .prefetch_related(Prefetch("lines", queryset=lines), Prefetch("voucherapplication_set", queryset=used))
    )
    return {str(row.pk): _order(row) for row in rows}


def _cart(row: Any, *, strategy: Any) -> Cart:
    rows = list(row.lines.all())
    changed_at = max([row.date_created, *(line.date_updated for line in rows)])
    return Cart(
        cart_ref=str(row.pk),
        shop_channel=site.CHANNEL,
        lines=tuple(_cart_lines(rows, strategy=strategy)),
        changed_at=changed_at,
        customer_id=str(row.owner_id or ""),
        email=row.owner.email if row.owner else "",
        recovery_url=recovery.url_of(row),
    )


def _cart_lines(rows: Iterable[Any], *, strategy: Any) -> Iterable[Line]:
    for row in rows:
        sale = sale_of(row.product, strategy=strategy, stock_record=row.stockrecord)
        if sale is not None:
            yield _line(row, unit_price=sale.price)


def _order(row: Any) -> Order:
    return Order(
        order_ref=str(row.pk),
        number=str(row.number),
        shop_channel=site.CHANNEL,
        state=state_of(row.status),
        placed_at=row.date_placed,
        total=Money(row.total_incl_tax, row.currency),
        # A line whose product was deleted since says nothing of what the person is interested in.
        lines=tuple(
            _line(
                line,
                unit_price=Money(line.unit_price_incl_tax, row.currency),
                refunded_quantity=_refunded(line, order=row),
            )
            for line in row.lines.all()
            if line.product is not None and line.unit_price_incl_tax is not None
        ),
        customer_id=str(row.user_id or ""),
        email=row.email,
        cart_ref=str(row.basket_id or ""),
        coupon_codes=tuple(dict.fromkeys(use.voucher.code for use in row.voucherapplication_set.all())),
    )


def _refunded(line: Any, *, order: Any) -> int:
    """Return how many units came back or were paid back: all when a status says so, else what the events count."""
    if OrderState.REFUNDED in (state_of(order.status or ""), state_of(line.status or "")):
        return int(line.quantity)
    counts = [
        sum(row.quantity for row in rows if row.event.event_type.name.strip().lower() in _BACK)
        for rows in (line.payment_event_quantities.all(), line.shipping_event_quantities.all())
    ]
    return min(max(counts), int(line.quantity))  # what came back was paid back: the same units, told twice


def _line(row: Any, *, unit_price: Money, refunded_quantity: int = 0) -> Line:
    product_id, _variant_id = ids_of(row.product)
    return Line(
        line_id=str(row.pk),
        product_id=product_id,
        variant_id=str(row.product_id),
        quantity=row.quantity,
        unit_price=unit_price,
        refunded_quantity=refunded_quantity,
    )
