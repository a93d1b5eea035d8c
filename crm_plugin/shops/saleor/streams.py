"""What Saleor's own timestamps say happened: for reconcile and for the first load.

Each stream walks one indexed column, oldest first, with the primary key telling equal times apart. Its facts carry the
keys of the hooks' facts, and the times at which things happened, as far as Saleor knows them: a fact of last year must
not look like one of today.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db.models import Max, QuerySet
from saleor.account.models import User
from saleor.checkout.models import Checkout
from saleor.discount.models import Voucher
from saleor.order import FulfillmentStatus, OrderEvents
from saleor.order.models import Fulfillment, Order, OrderEvent

from crm_plugin import activity, clock
from crm_plugin.shop import Fact, FactKind, OrderState, Page, Position
from crm_plugin.shops.saleor import facts, gift_cards, likes, orders, vouchers

#: Saving an account right after making it is part of making it.
SAME_MOMENT: Final = timedelta(seconds=2)
_ORDER_COLUMNS: Final = (
    "status",
    "charge_status",
    "user_id",
    "user_email",
    "checkout_token",
    "voucher_code",
    "metadata",
    "total_gross_amount",
    "total_charged_amount",
    "created_at",
    "updated_at",
)
_EVENT_KINDS: Final = {
    OrderEvents.ORDER_FULLY_PAID: FactKind.PAID,
    OrderEvents.CANCELED: FactKind.CANCELLED,
    OrderEvents.PAYMENT_REFUNDED: FactKind.REFUNDED,
    OrderEvents.FULFILLMENT_REFUNDED: FactKind.REFUNDED,
}
_STATE_KINDS: Final = {OrderState.CANCELLED: FactKind.CANCELLED, OrderState.REFUNDED: FactKind.REFUNDED}


def streams() -> Sequence[str]:
    """Return the names, in the order in which a first load should read them."""
    return tuple(_READERS)


def changed_since(stream: str, position: Position, *, limit: int) -> Page:
    """Return the facts of the next ``limit`` rows."""
    return _READERS[stream](position, limit)


def _customers(position: Position, limit: int) -> Page:
    """Read accounts; staff are not customers."""
    rows = _after(
        User.objects.filter(is_staff=False).only("email", "date_joined", "updated_at"), "updated_at", position, limit
    )
    return _page(rows, "updated_at", position, limit, _of_customer)


def _of_customer(user: Any) -> Iterator[Fact]:
    yield facts.signed_up(user.pk, user.email, user.date_joined)
    if user.updated_at > user.date_joined + SAME_MOMENT:
        yield facts.changed_customer(user.pk, user.email, user.updated_at)


def _checkouts(position: Position, limit: int) -> Page:
    columns = ("user_id", "email", "last_change", "shipping_address_id", "billing_address_id", "collection_point_id")
    rows = _after(Checkout.objects.only(*columns), "last_change", position, limit)
    return _page(rows, "last_change", position, limit, facts.of_cart)


def _orders(position: Position, limit: int) -> Page:
    """Read orders with what became of them; an import makes them without any hook but its own."""
    rows = _after(Order.objects.only(*_ORDER_COLUMNS), "updated_at", position, limit)
    placed = [row for row in rows if row.status not in orders.NOT_PLACED]
    refunded, happened, sent = orders.refunded_among(placed), _happened(placed), _sent(row.pk for row in placed)

    def tell(row: Any) -> Iterator[Fact]:
        if row.status in orders.NOT_PLACED:
            return
        yield facts.of_order(row, FactKind.ORDERED)
        later = _STATE_KINDS.get(orders.state(row, refunded=refunded))
        for kind in (FactKind.PAID if row.charge_status in orders.PAID else None, later):
            if kind is not None:
                yield replace(facts.of_order(row, kind), occurred_at=happened.get((row.pk, kind), row.created_at))
        yield from sent.get(row.pk, ())
        yield from facts.of_delivery(row, row.metadata, otherwise=row.updated_at)

    return _page(rows, "updated_at", position, limit, tell)


def _fulfilments(position: Position, limit: int) -> Page:
    """Read fulfilments, and the orders that expired, by their events.

    The table has no indexed time, and a further part of an order leaves the order unchanged, as its expiry does.
    """
    events = OrderEvent.objects.filter(type__in=(OrderEvents.FULFILLMENT_FULFILLED_ITEMS, OrderEvents.EXPIRED))
    rows = _after(events.only("order_id", "date", "type"), "date", position, limit)
    sent = _sent(row.order_id for row in rows if row.type != OrderEvents.EXPIRED)
    expired = Order.objects.in_bulk([row.order_id for row in rows if row.type == OrderEvents.EXPIRED])

    def tell(row: Any) -> Iterable[Fact]:
        if row.type == OrderEvents.EXPIRED:
            return facts.of_expiry(expired[row.order_id])
        return sent.pop(row.order_id, ())

    return _page(rows, "date", position, limit, tell)


def _likes(position: Position, limit: int) -> Page:
    """Read the CRM's own likes, so that a first load after a loss of the stream has them too."""
    rows = activity.likes_since(position, limit=limit)
    end = Position(rows[-1].like.liked_at, rows[-1].key) if rows else position
    told = (likes.fact(FactKind.LIKED, row.customer_id, row.like.ref, at=row.like.liked_at) for row in rows)
    return Page(tuple(told), end, is_last=len(rows) < limit)


def _vouchers(position: Position, limit: int) -> Page:
    """Read vouchers when they begin: one that was made for later is told then.

    The column has no index. The table has a row for each thing that staff thought of and for each series of coupons,
    not for each code. Those whose codes are good for one order each are no news to anybody.
    """
    begun = Voucher.objects.filter(start_date__lte=clock.now(), single_use=False)
    rows = _after(begun, "start_date", position, limit)
    return _page(rows, "start_date", position, limit, lambda row: (vouchers.news(row),))


def _happened(rows: Iterable[Any]) -> dict[tuple[UUID, FactKind], datetime]:
    events = (
        OrderEvent.objects.filter(order_id__in=[row.pk for row in rows], type__in=_EVENT_KINDS)
        .order_by()
        .values_list("order_id", "type")
        .annotate(at=Max("date"))
    )
    return {(order_id, _EVENT_KINDS[kind]): at for order_id, kind, at in sorted(events, key=lambda event: event[2])}


def _sent(order_ids: Iterable[UUID]) -> dict[UUID, list[Fact]]:
    found: dict[UUID, list[Fact]] = {}
    rows = Fulfillment.objects.filter(order_id__in=list(order_ids), status=FulfillmentStatus.FULFILLED)
    for row in rows.select_related("order").order_by("pk"):
        arrived = facts.of_delivery(row.order, row.metadata, otherwise=max(row.created_at, row.order.updated_at))
        found.setdefault(row.order_id, []).extend((facts.of_fulfillment(row), *arrived))
    return found


def _after(rows: QuerySet[Any], column: str, position: Position, limit: int) -> list[Any]:
    """Return the rows after ``position``; written so that PostgreSQL walks the index on ``column``."""
    rows = rows.filter(**{f"{column}__gte": position.at})
    if position.key:
        rows = rows.exclude(**{column: position.at, "pk__lte": position.key})
    return list(rows.order_by(column, "pk")[:limit])


def _page(
    rows: Sequence[Any], column: str, position: Position, limit: int, tell: Callable[[Any], Iterable[Fact]]
) -> Page:
    end = Position(getattr(rows[-1], column), str(rows[-1].pk)) if rows else position
    return Page(tuple(fact for row in rows for fact in tell(row)), end, is_last=len(rows) < limit)


_READERS: Final[Mapping[str, Callable[[Position, int], Page]]] = {
    "customers": _customers,
    "checkouts": _checkouts,
    "orders": _orders,
    "fulfilments": _fulfilments,
    "likes": _likes,
    "vouchers": _vouchers,
    "gift_cards": gift_cards.events_since,
}
