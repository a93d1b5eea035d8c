"""Placed orders."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Any, Final
from uuid import UUID

from django.db.models import Sum
from saleor.order import FulfillmentStatus, OrderChargeStatus, OrderGrantedRefundStatus, OrderStatus
from saleor.order.models import FulfillmentLine, OrderGrantedRefundLine, OrderLine
from saleor.order.models import Order as OrderRow
from saleor.payment import ChargeStatus
from saleor.payment.models import Payment, TransactionItem

from crm_plugin.money import Money
from crm_plugin.shop import Line, Order, OrderState
from crm_plugin.shops.saleor.carts import as_uuids
from crm_plugin.shops.saleor.people import as_id, language

#: Not an order yet, or never one: drafts, orders that wait for confirmation, and those that nobody paid in time.
NOT_PLACED: Final = frozenset({OrderStatus.DRAFT, OrderStatus.UNCONFIRMED, OrderStatus.EXPIRED})
PAID: Final = frozenset({OrderChargeStatus.FULL, OrderChargeStatus.OVERCHARGED})
_COLUMNS: Final = (
    "number",
    "status",
    "charge_status",
    "channel_id",
    "user_id",
    "user_email",
    "language_code",
    "checkout_token",
    "voucher_code",
    "currency",
    "total_gross_amount",
    "total_charged_amount",
    "created_at",
)
_SENT: Final = frozenset({OrderStatus.FULFILLED, OrderStatus.PARTIALLY_RETURNED})
#: What became of goods that the customer did not keep.
_RETURNED: Final = (
    FulfillmentStatus.REFUNDED,
    FulfillmentStatus.RETURNED,
    FulfillmentStatus.REFUNDED_AND_RETURNED,
    FulfillmentStatus.REPLACED,
)


def orders(order_refs: Collection[str]) -> dict[str, Order]:
    """Return the placed orders."""
    rows = list(
        OrderRow.objects.filter(pk__in=as_uuids(order_refs))
        .exclude(status__in=NOT_PLACED)
        .select_related("channel")
        .only(*_COLUMNS, "channel__slug")
    )
    lines, refunded = _lines([row.pk for row in rows]), refunded_among(rows)
    return {
        str(row.pk): Order(
            order_ref=str(row.pk),
            number=str(row.number),
            shop_channel=row.channel.slug,
            state=state(row, refunded=refunded),
            placed_at=row.created_at,
            total=Money(row.total_gross_amount, row.currency),
            lines=tuple(lines.get(row.pk, ())),
            customer_id=as_id(row.user_id),
            email=row.user_email,
            language=language(row.language_code),
            cart_ref=row.checkout_token,
            coupon_codes=(row.voucher_code,) if row.voucher_code else (),
        )
        for row in rows
    }


def state(row: Any, *, refunded: Collection[UUID]) -> OrderState:
    """Return the state of an order; ``refunded`` comes from ``refunded_among``."""
    if row.status == OrderStatus.CANCELED:
        return OrderState.CANCELLED
    if row.status == OrderStatus.RETURNED or row.pk in refunded:
        return OrderState.REFUNDED
    if row.status in _SENT:
        return OrderState.FULFILLED
    return OrderState.PAID if row.charge_status in PAID else OrderState.OPEN


def refunded_among(rows: Collection[Any]) -> set[UUID]:
    """Return which of the orders were paid back in full: nothing is charged any more, and something was refunded."""
    bare = [row.pk for row in rows if row.total_charged_amount <= 0 and row.total_gross_amount > 0]
    if not bare:
        return set()
    paid_back = (
        TransactionItem.objects.filter(order_id__in=bare)
        .order_by()
        .values_list("order_id")
        .annotate(total=Sum("refunded_value"))
        .filter(total__gt=0)
    )
    older = Payment.objects.filter(order_id__in=bare, charge_status=ChargeStatus.FULLY_REFUNDED)
    return {order_id for order_id, _total in paid_back} | set(older.values_list("order_id", flat=True))


def _lines(pks: Collection[UUID]) -> dict[UUID, list[Line]]:
    """Return the lines whose product still exists; Saleor keeps the others by name only.

    The price is Saleor's base price: promotions are in it, a voucher for the whole order is not.
    """
    back = _came_back(pks)
    rows = (
        OrderLine.objects.filter(order_id__in=pks, variant__isnull=False)
        .order_by("created_at", "pk")
        .values_list(
            "pk",
            "order_id",
            "variant_id",
            "variant__product_id",
            "quantity",
            "base_unit_price_amount",
            "unit_price_gross_amount",
            "currency",
        )
    )
    found: defaultdict[UUID, list[Line]] = defaultdict(list)
    for pk, order, variant, product, quantity, base, gross, currency in rows:
        price = Money(base or gross, currency)
        found[order].append(Line(str(pk), str(product), str(variant), quantity, price, min(back.get(pk, 0), quantity)))
    return found


def _came_back(pks: Collection[UUID]) -> dict[UUID, int]:
    """Return how many units of each line came back or were paid back.

    Staff who take goods back often grant the money for the same units apart, and nothing ties the two: the larger of
    both numbers is what came back at least.
    """
    returned = _units(FulfillmentLine.objects.filter(order_line__order_id__in=pks, fulfillment__status__in=_RETURNED))
    granted = _units(
        OrderGrantedRefundLine.objects.filter(order_line__order_id__in=pks).exclude(
            granted_refund__status=OrderGrantedRefundStatus.FAILURE
        )
    )
    return {line: max(returned.get(line, 0), granted.get(line, 0)) for line in returned.keys() | granted.keys()}


def _units(rows: Any) -> dict[UUID, int]:
    return dict(rows.order_by().values_list("order_line_id").annotate(units=Sum("quantity")))
