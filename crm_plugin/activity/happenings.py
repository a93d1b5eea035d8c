"""Activities as automations meet them: who did what, with which products."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import connection

from crm_plugin.activity.models import ProductGroup
from crm_plugin.shop import FactKind

#: Activities about an order as a whole: what they are about are the products that were bought in it.
OF_ORDERS = frozenset(
    {
        FactKind.ORDERED,
        FactKind.PAID,
        FactKind.FULFILLED,
        FactKind.DELIVERED,
        FactKind.CANCELLED,
        FactKind.REFUNDED,
    }
)

_HAPPENINGS = """
SELECT a.id, a.contact_id, a.kind, a.occurred_at, a.product_id, a.variant_id, a.shop_channel, a.order_ref, a.cart_ref,
    a.subject, a.amount, a.currency, a.data, c.first_order_at
FROM crm_plugin_activity a
JOIN crm_plugin_contact c ON c.id = a.contact_id AND (c.customer_id IS NOT NULL OR c.email IS NOT NULL)
WHERE a.id = ANY(%s::bigint[]) ORDER BY a.id
"""
_BOUGHT_IN = """
SELECT order_ref, product_id, variant_id, shop_channel, amount, currency FROM crm_plugin_activity
WHERE order_ref = ANY(%s) AND order_ref <> '' AND kind = 'bought' ORDER BY id
"""
_TOTALS_OF = """
SELECT order_ref, amount, currency, shop_channel, occurred_at FROM crm_plugin_activity
WHERE order_ref = ANY(%s) AND order_ref <> '' AND kind = 'ordered'
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One activity of somebody who is known.

    Attributes:
        items: the product that it is about, or those of its order, in the form of ``Enrollment.items``.
        amount: of the activity; of its order when the activity is about one and says nothing.
        is_first_order: its order is the contact's first that stands.
    """

    activity_id: int
    contact_id: int
    kind: FactKind
    occurred_at: datetime
    shop_channel: str
    order_ref: str
    cart_ref: str
    subject: str
    amount: Decimal | None
    currency: str
    data: Mapping[str, Any]
    items: Sequence[Mapping[str, str]]
    is_first_order: bool

    @property
    def product_ids(self) -> tuple[str, ...]:
        """The products that it is about."""
        return tuple(item["product_id"] for item in self.items)

    @property
    def subject_key(self) -> str:
        """What a run that it starts is about (``order:7``, ``product:81``, ``about:SUMMER``); empty: the person."""
        if self.order_ref:
            return f"order:{self.order_ref}"
        if self.items:
            return f"product:{self.items[0]['product_id']}"
        if self.cart_ref:
            return f"cart:{self.cart_ref}"
        return f"about:{self.subject}" if self.subject else ""

    @property
    def context(self) -> dict[str, Any]:
        """What a run that it starts remembers of it."""
        known = {
            "activity": self.activity_id,
            "kind": self.kind.value,
            "subject": self.subject,
            "order_ref": self.order_ref,
            "cart_ref": self.cart_ref,
            "shop_channel": self.shop_channel,
            "data": dict(self.data),
            "coupon": self._coupon,
        }
        return {name: value for name, value in known.items() if value}

    @property
    def _coupon(self) -> dict[str, Any]:
        """The coupon that was issued, in the form of ``Enrollment.context``."""
        if self.kind is not FactKind.COUPON_ISSUED:
            return {}
        known = {"id": self.data["coupon_id"]} if "coupon_id" in self.data else {}  # one of the CRM's own
        return known | {
            "code": self.subject,
            "expires_on": _day(self.data.get("expires_on")),
            "name": str(self.data.get("name") or ""),
        }


def happenings(ids: Collection[int]) -> list[Happening]:
    """Return the activities of known people, by id, in one query, and two more when there are orders among them."""
    with connection.cursor() as cursor:
        cursor.execute(_HAPPENINGS, [list(ids)])
        rows = cursor.fetchall()
        orders = {order_ref for *_, order_ref, _cart, _s, _a, _c, _d, _f in rows if order_ref}
        lines: dict[str, list[dict[str, str]]] = defaultdict(list)
        totals: dict[str, tuple[Any, ...]] = {}
        if orders:
            cursor.execute(_BOUGHT_IN, [list(orders)])
            for order_ref, product_id, variant_id, shop_channel, *_ in cursor.fetchall():
                if product_id not in {line["product_id"] for line in lines[order_ref]}:
                    lines[order_ref].append(_item(product_id, variant_id, shop_channel))
            cursor.execute(_TOTALS_OF, [list(orders)])
            totals = {order_ref: rest for order_ref, *rest in cursor.fetchall()}
    return [_happening(row, lines, totals) for row in rows]


def groups_of(product_ids: Iterable[str]) -> dict[str, frozenset[str]]:
    """Return the keys of the groups that the products are in, as far as the CRM has read them."""
    found: dict[str, set[str]] = defaultdict(set)
    rows = ProductGroup.objects.filter(product_id__in=list(product_ids)).values_list("product_id", "group_key")
    for product_id, group_key in rows:
        found[product_id].add(group_key)
    return {product_id: frozenset(keys) for product_id, keys in found.items()}


def _happening(
    row: tuple[Any, ...], lines: Mapping[str, list[dict[str, str]]], totals: Mapping[str, Sequence[Any]]
) -> Happening:
    (pk, contact_id, kind, at, product_id, variant_id, channel, order_ref, cart_ref, subject, amount, currency, data,
     first_order_at) = row  # fmt: skip
    of_order = FactKind(kind) in OF_ORDERS
    total = totals.get(order_ref) if of_order else None
    if amount is None and total:
        amount, currency = total[0], total[1]
    items = lines.get(order_ref, []) if of_order else ([_item(product_id, variant_id, channel)] if product_id else [])
    placed_at = totals[order_ref][3] if order_ref in totals else at
    return Happening(
        activity_id=pk,
        contact_id=contact_id,
        kind=FactKind(kind),
        occurred_at=at,
        shop_channel=channel or (total[2] if total else ""),
        order_ref=order_ref,
        cart_ref=cart_ref,
        subject=subject,
        amount=amount,
        currency=currency,
        data=json.loads(data),
        items=items,
        is_first_order=bool(order_ref) and first_order_at is not None and placed_at <= first_order_at,
    )


def _item(product_id: str, variant_id: str, shop_channel: str) -> dict[str, str]:
    return {"product_id": product_id, "variant_id": variant_id, "shop_channel": shop_channel}


def _day(value: Any) -> str | None:
    """Return the day as ISO text; None when it is none."""
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError:
        return None
