"""Whom to ask for a review of what, and when not: what shops that do well by it agree on.

Bazaarvoice: at most five products in a message, the dearest first and among equals the one with the fewest reviews,
none that was delivered more than 180 days ago, none that was reviewed. Yotpo: the same product once in twelve months
(features part 2a). A reminder of the same run is no second request.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from django.db import connection

from crm_plugin import clock
from crm_plugin.reviews.ratings import ProductRating, ratings

MAX_PRODUCTS: Final = 5
TOO_LATE: Final = timedelta(days=180)
AGAIN_AFTER: Final = timedelta(days=365)

_PAIRS = "unnest(%s::bigint[], %s::text[]) AS t(contact_id, product_id)"
_REVIEWED = f"""
SELECT t.contact_id, t.product_id FROM {_PAIRS}
WHERE EXISTS (SELECT FROM crm_plugin_review r WHERE r.contact_id = t.contact_id AND r.product_id = t.product_id)
"""  # noqa: S608 - only constants are put in
_ASKED = f"""
SELECT q.contact_id, q.product_id, q.enrollment_id FROM {_PAIRS}
JOIN crm_plugin_reviewrequest q ON q.contact_id = t.contact_id AND q.product_id = t.product_id AND q.asked_at > %s
"""  # noqa: S608
_MARK = """
INSERT INTO crm_plugin_reviewrequest AS q (contact_id, product_id, enrollment_id, asked_at)
SELECT DISTINCT ON (contact_id, product_id) contact_id, product_id, enrollment_id, %s
FROM unnest(%s::bigint[], %s::text[], %s::bigint[]) AS t(contact_id, product_id, enrollment_id)
ORDER BY contact_id, product_id, enrollment_id
ON CONFLICT (contact_id, product_id) DO UPDATE SET enrollment_id = excluded.enrollment_id, asked_at = excluded.asked_at
"""

_Pair = tuple[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A run that would ask somebody for reviews.

    Attributes:
        product_ids: what it could ask about; what was refunded is none of it.
        delivered_at: when the products arrived; None when nobody knows, as of a product that was registered.
        prices: what a unit of each cost, as far as it is known.
    """

    enrollment_id: int
    contact_id: int
    product_ids: Sequence[str]
    delivered_at: datetime | None = None
    prices: Mapping[str, Decimal] = field(default_factory=dict)


def may_ask(requests: Sequence[Ask]) -> dict[int, tuple[str, ...]]:
    """Return about which products each run may ask now, in the order in which a message shows them.

    Of two runs about the same product of the same person, the first has it. A run that has asked before asks about the
    same products again, as far as they were not reviewed, and about no others. Four queries, however many runs.
    """
    in_time = [one for one in requests if one.delivered_at is None or clock.now() - one.delivered_at <= TOO_LATE]
    pairs = sorted({(one.contact_id, product_id) for one in in_time for product_id in one.product_ids})
    if not pairs:
        return {one.enrollment_id: () for one in requests}
    reviewed, asked = _reviewed(pairs), _asked(pairs)
    known = ratings({product_id for _contact_id, product_id in pairs})
    found: dict[int, tuple[str, ...]] = {one.enrollment_id: () for one in requests}
    taken: set[_Pair] = set(reviewed)
    for one in in_time:
        open_ones = [product_id for product_id in one.product_ids if (one.contact_id, product_id) not in taken]
        found[one.enrollment_id] = _in_order(_unasked(one, open_ones, asked), one, known)[:MAX_PRODUCTS]
        taken |= {(one.contact_id, product_id) for product_id in found[one.enrollment_id]}
    return found


def mark_asked(asked: Collection[tuple[int, str, int]]) -> None:
    """Remember that runs asked people about products: (contact, product, run). Must run in a transaction."""
    if not asked:
        return
    columns = [list(column) for column in zip(*asked, strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(_MARK, [clock.now(), *columns])


def _unasked(one: Ask, product_ids: Sequence[str], asked: Mapping[_Pair, int | None]) -> list[str]:
    """Return those of the products that nobody else asked about; if this run did before, those that it asked about."""
    runs = {product_id: asked.get((one.contact_id, product_id)) for product_id in one.product_ids}
    if one.enrollment_id in runs.values():
        return [product_id for product_id in product_ids if runs[product_id] == one.enrollment_id]
    return [product_id for product_id in product_ids if (one.contact_id, product_id) not in asked]


def _in_order(product_ids: Sequence[str], one: Ask, known: Mapping[str, ProductRating]) -> tuple[str, ...]:
    distinct = dict.fromkeys(product_ids)
    return tuple(sorted(distinct, key=lambda key: (-one.prices.get(key, Decimal(0)), known[key].count)))


def _reviewed(pairs: Sequence[_Pair]) -> set[_Pair]:
    with connection.cursor() as cursor:
        cursor.execute(_REVIEWED, _columns(pairs))
        return set(cursor.fetchall())


def _asked(pairs: Sequence[_Pair]) -> dict[_Pair, int | None]:
    """Return which run asked whom about which product in the last twelve months."""
    found: defaultdict[_Pair, int | None] = defaultdict()
    with connection.cursor() as cursor:
        cursor.execute(_ASKED, [*_columns(pairs), clock.now() - AGAIN_AFTER])
        for contact_id, product_id, enrollment_id in cursor.fetchall():
            found[contact_id, product_id] = enrollment_id
    return dict(found)


def _columns(pairs: Sequence[_Pair]) -> list[list[int] | list[str]]:
    return [[contact_id for contact_id, _ in pairs], [product_id for _, product_id in pairs]]
