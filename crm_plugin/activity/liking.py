"""Questions about likes as the stream has them: the price at that time, and what is liked most.

They are the same in every shop, whether it keeps the lists itself or not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection

from crm_plugin.money import Money
from crm_plugin.shop import ProductRef

#: The like that put it there is the newest one before the list's time; a shop that knows the time of its lists only
#: (Oscar) has none before, and then the newest of all is the best that is known.
_PRICES: Final = """
SELECT DISTINCT ON (k.place) k.place, a.amount, a.currency
FROM unnest(%(contacts)s::bigint[], %(products)s::text[], %(variants)s::text[], %(channels)s::text[],
    %(times)s::timestamptz[]) WITH ORDINALITY AS k(contact_id, product_id, variant_id, shop_channel, liked_at, place)
JOIN crm_plugin_activity a ON a.contact_id = k.contact_id AND a.kind = 'liked' AND a.product_id = k.product_id
    AND a.product_id <> '' AND a.variant_id = k.variant_id AND a.shop_channel = k.shop_channel
WHERE a.amount IS NOT NULL
ORDER BY k.place, a.occurred_at <= k.liked_at DESC, a.occurred_at DESC
"""

#: ``like_changed_at`` is there once somebody liked it, also when they took it back; the index has such rows only.
_MOST_LIKED: Final = """
SELECT product_id, count(liked_at), count(*) FROM crm_plugin_interest
WHERE shop_channel = %s AND like_changed_at IS NOT NULL
GROUP BY product_id HAVING count(liked_at) > 0 ORDER BY 2 DESC, 3 DESC, product_id LIMIT %s
"""
_LIKED_BY: Final = """
SELECT count(*) FROM crm_plugin_interest
WHERE product_id = %s AND shop_channel = %s AND liked_at IS NOT NULL AND (%s = '' OR variant_id IN ('', %s))
"""


@dataclass(frozen=True, slots=True)
class Liking:
    """A like of a contact's, as their list has it."""

    contact_id: int
    ref: ProductRef
    liked_at: datetime


@dataclass(frozen=True, slots=True)
class Liked:
    """How many people like a product now, visitors too, and how many ever did."""

    product_id: str
    now_count: int
    ever_count: int


def prices_when_liked(likings: Sequence[Liking]) -> Mapping[Liking, Money]:
    """Return the price that each person saw when they liked it, in one query; what nobody wrote down is left out."""
    if not likings:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            _PRICES,
            {
                "contacts": [one.contact_id for one in likings],
                "products": [one.ref.product_id for one in likings],
                "variants": [one.ref.variant_id for one in likings],
                "channels": [one.ref.shop_channel for one in likings],
                "times": [one.liked_at for one in likings],
            },
        )
        return {likings[place - 1]: Money(amount, currency) for place, amount, currency in cursor.fetchall()}


def most_liked(shop_channel: str, *, limit: int) -> list[Liked]:
    """Return the products of a channel that most people like now, in one query."""
    with connection.cursor() as cursor:
        cursor.execute(_MOST_LIKED, [shop_channel, limit])
        return [Liked(*row) for row in cursor.fetchall()]


def likers_count(ref: ProductRef) -> int:
    """Return how many people like the product now, visitors too; of a variant, who likes it or the whole product."""
    with connection.cursor() as cursor:
        cursor.execute(_LIKED_BY, [ref.product_id, ref.shop_channel, ref.variant_id, ref.variant_id])
        return int(cursor.fetchone()[0])
