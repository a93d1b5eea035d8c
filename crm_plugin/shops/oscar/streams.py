"""What happened after a moment, by the shop's own timestamps: what bulk writes and crashed processes never signalled.

Oscar keeps no time for three things, and no stream finds them when no signal told them: a line put by a bulk write on a
wishlist that is older than the watermark, a change of a customer's name or address, and a review that was edited or
moderated. The first two are read anew whenever the person does something else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Q
from oscar.core.loading import get_model

from crm_plugin import clock
from crm_plugin.errors import NotFound
from crm_plugin.shop import Fact, Page, Position
from crm_plugin.shops.oscar import facts, vouchers
from crm_plugin.shops.oscar.keys import key_of, primary_key

User: Any = get_user_model()
Order = get_model("order", "Order")
OrderStatusChange = get_model("order", "OrderStatusChange")
ShippingEvent = get_model("order", "ShippingEvent")
BasketLine = get_model("basket", "Line")
WishLine = get_model("wishlists", "Line")
ProductReview = get_model("reviews", "ProductReview")
Voucher = get_model("voucher", "Voucher")
VoucherApplication = get_model("voucher", "VoucherApplication")


@dataclass(frozen=True, slots=True)
class _Stream:
    """Rows in the order of a timestamp; ``fact`` may find that a row means nothing to marketing."""

    rows: Any
    time: str
    fact: Callable[[Any], Fact | None]

    def read(self, position: Position, *, limit: int) -> Page:
        """Return the rows after ``position``."""
        rows = list(self._after(position).order_by(self.time, "pk")[: limit + 1])
        read, is_last = rows[:limit], len(rows) <= limit
        end = Position(self._time_of(read[-1]), key_of(read[-1])) if read else position
        found = (self.fact(row) for row in read)
        return Page(tuple(fact for fact in found if fact is not None), end, is_last)

    def _after(self, position: Position) -> Any:
        key = primary_key(self.rows.model, position.key) if position.key else None
        if key is None:
            return self.rows.filter(**{f"{self.time}__gte": position.at})
        later = Q(**{f"{self.time}__gt": position.at}) | Q(**{self.time: position.at, "pk__gt": key})
        # The first condition is implied by the second; it is what lets an index on the time be used.
        return self.rows.filter(**{f"{self.time}__gte": position.at}).filter(later)

    def _time_of(self, row: Any) -> Any:
        for name in self.time.split("__"):
            row = getattr(row, name)
        return row


class _Begun(_Stream):
    """Rows by the time at which they begin, once it has come: what is made for later is told then."""

    __slots__ = ()

    def _after(self, position: Position) -> Any:
        return super()._after(position).filter(**{f"{self.time}__lte": clock.now()})


def _status_changed(change: Any) -> Fact | None:
    return facts.moved_on(change.order, status=change.new_status, at=change.date_created)


def _liked(line: Any) -> Fact:
    return facts.liked(line, at=line.wishlist.date_created)


_STREAMS: Mapping[str, _Stream] = {
    "customers": _Stream(User._default_manager.all(), "date_joined", facts.signed_up),
    "orders": _Stream(Order.objects.select_related("user"), "date_placed", facts.ordered),
    "order_states": _Stream(OrderStatusChange.objects.select_related("order__user"), "date_created", _status_changed),
    "shipments": _Stream(
        ShippingEvent.objects.select_related("order__user", "event_type"), "date_created", facts.shipped
    ),
    "carts": _Stream(BasketLine.objects.select_related("basket"), "date_updated", facts.cart_changed),
    "likes": _Stream(
        WishLine.objects.filter(product__isnull=False).select_related("wishlist", "product"),
        "wishlist__date_created",
        _liked,
    ),
    "reviews": _Stream(
        ProductReview.objects.filter(product__isnull=False).select_related("product", "user"),
        "date_created",
        facts.reviewed,
    ),
    "coupons": _Stream(
        VoucherApplication.objects.select_related("order__user", "voucher"), "date_created", facts.coupon_used
    ),
    # The coupons of persons, of which there may be very many, are no news; they would only fill pages.
    "vouchers": _Begun(Voucher.objects.exclude(usage=Voucher.SINGLE_USE), "start_datetime", vouchers.news),
}


def streams() -> Sequence[str]:
    """Return the names of the streams."""
    return tuple(_STREAMS)


def changed_since(stream: str, position: Position, *, limit: int) -> Page:
    """Return what happened in a stream after ``position``, oldest first.

    Raises:
        NotFound: there is no such stream.
    """
    if stream not in _STREAMS:
        raise NotFound(f"There is no stream {stream!r}; there are {', '.join(_STREAMS)}.")
    return _STREAMS[stream].read(position, limit=limit)
