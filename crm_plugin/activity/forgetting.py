"""What is over is deleted: waves, told requests, restocks; and what people merely did is forgotten after its time.

Orders, payments, deliveries, reviews and coupons are business that was done; likes are a list that somebody keeps. The
rest is behaviour, which personal data law lets nobody keep for ever (GDPR article 5(1)(e)).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from django.db import connection

from crm_plugin.shop import FactKind

#: What is forgotten: it only says that somebody was there and looked around, or follows from that (a segment joined,
#: stock asked for), or holds what a page of the storefront cared to tell (events and forms of its own).
BEHAVIOUR: Final = frozenset(
    {
        FactKind.LOGGED_IN,
        FactKind.VISITED,
        FactKind.VIEWED,
        FactKind.GROUP_VIEWED,
        FactKind.SEARCHED,
        FactKind.CARTED,
        FactKind.CHECKOUT_STARTED,
        FactKind.STOCK_AWAITED,
        FactKind.FORM_SUBMITTED,
        FactKind.CUSTOM,
        FactKind.SEGMENT_JOINED,
        FactKind.SEGMENT_LEFT,
        FactKind.MESSAGE_OPENED,
        FactKind.MESSAGE_CLICKED,
    }
)
#: Waves that one pass takes; each may have thousands of products, which go in batches too.
WAVES: Final = 100

#: Who was told in a restock that is still open may not be told in it again (``epochs``); who is told by a wave that is
#: still on its way is yet to hear.
_REQUESTS: Final = """
DELETE FROM crm_plugin_stockrequest WHERE id = ANY(ARRAY(
    SELECT r.id FROM crm_plugin_stockrequest r
    WHERE r.state IN ('told', 'cancelled') AND COALESCE(r.told_at, r.created_at) < %(before)s
        AND (r.wave_id IS NULL OR r.wave_id <> ALL(%(in_use)s::bigint[]))
        AND NOT EXISTS (SELECT 1 FROM crm_plugin_stockepoch e WHERE e.variant_id = r.variant_id
            AND e.shop_channel = r.shop_channel AND e.closed_at IS NULL AND e.opened_at <= r.told_at)
    ORDER BY COALESCE(r.told_at, r.created_at) LIMIT %(limit)s FOR UPDATE SKIP LOCKED))
"""
_EPOCHS: Final = """
DELETE FROM crm_plugin_stockepoch WHERE id = ANY(ARRAY(
    SELECT id FROM crm_plugin_stockepoch WHERE closed_at < %(before)s
    ORDER BY closed_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED))
"""
_PAST_WAVES: Final = """
SELECT id FROM crm_plugin_wave WHERE occurred_at < %(before)s AND id <> ALL(%(in_use)s::bigint[])
ORDER BY occurred_at LIMIT %(waves)s FOR UPDATE SKIP LOCKED
"""
_OF_WAVES: Final = tuple(
    f"""
    DELETE FROM {table} WHERE id = ANY(ARRAY(
        SELECT id FROM {table} WHERE wave_id = ANY(%(waves)s::bigint[]) ORDER BY id LIMIT %(limit)s))
    """  # noqa: S608 - names of our own tables
    for table in ("crm_plugin_pricedrop", "crm_plugin_restock", "crm_plugin_voucherproduct")
)
_UNNAME: Final = "UPDATE crm_plugin_stockrequest SET wave_id = NULL WHERE wave_id = ANY(%(waves)s::bigint[])"
_WAVES: Final = "DELETE FROM crm_plugin_wave WHERE id = ANY(%(waves)s::bigint[])"

#: Kind by kind, so that the index of kind and time finds the oldest. A rule may ask for what was done ever, or up to
#: three years ago (``audience.windows``), so the segments of these people are looked at again.
_FORGET: Final = """
WITH gone AS (
    DELETE FROM crm_plugin_activity WHERE id = ANY(ARRAY(
        SELECT a.id FROM unnest(%(kinds)s::text[]) AS k(kind) CROSS JOIN LATERAL (
            SELECT id FROM crm_plugin_activity o WHERE o.kind = k.kind AND o.occurred_at < %(before)s
            ORDER BY o.occurred_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED) a
        LIMIT %(limit)s))
    RETURNING contact_id, kind, product_id, shop_channel
), touched AS (
    INSERT INTO crm_plugin_touched (contact_id)
    SELECT DISTINCT g.contact_id FROM gone g
    JOIN crm_plugin_contact c ON c.id = g.contact_id AND (c.customer_id IS NOT NULL OR c.email IS NOT NULL)
    WHERE g.kind = ANY(%(touching)s)
)
SELECT contact_id, product_id, shop_channel, count(*) FILTER (WHERE kind = 'viewed'), count(*)
FROM gone GROUP BY contact_id, product_id, shop_channel
"""
_LOCK_INTERESTS: Final = """
SELECT i.id, t.views FROM crm_plugin_interest i
JOIN unnest(%s::bigint[], %s::text[], %s::text[], %s::bigint[]) AS t(contact_id, product_id, shop_channel, views)
    USING (contact_id, product_id, shop_channel)
ORDER BY contact_id, product_id, shop_channel FOR UPDATE OF i
"""
#: A view that is forgotten does not count any more; what is newer than ``before`` stands.
_FADE: Final = """
UPDATE crm_plugin_interest i SET views_count = GREATEST(i.views_count - t.views, 0),
    last_viewed_at = CASE WHEN i.last_viewed_at >= %(before)s THEN i.last_viewed_at END,
    carted_at = CASE WHEN i.carted_at >= %(before)s THEN i.carted_at END,
    cart_ref = CASE WHEN i.carted_at >= %(before)s THEN i.cart_ref ELSE '' END,
    checkout_at = CASE WHEN i.checkout_at >= %(before)s THEN i.checkout_at END
FROM unnest(%(ids)s::bigint[], %(views)s::bigint[]) AS t(id, views) WHERE i.id = t.id
"""
_DROP_INTERESTS: Final = """
DELETE FROM crm_plugin_interest WHERE id = ANY(%(ids)s::bigint[]) AND last_interest_at < %(before)s
    AND liked_at IS NULL AND bought_at IS NULL AND views_count = 0
"""


def forget_past(before: datetime, limit: int, *, waves_in_use: Collection[int] = ()) -> int:
    """Delete requests, restocks and waves that were over before a moment. Must run in a transaction.

    Args:
        before: what ended later stays.
        limit: the most rows of each table; again and again, until nothing is left.
        waves_in_use: waves that are still on their way to people.

    Returns:
        How many rows went.
    """
    values: dict[str, Any] = {"before": before, "limit": limit, "in_use": list(waves_in_use), "waves": WAVES}
    with connection.cursor() as cursor:
        gone = 0
        for statement in (_REQUESTS, _EPOCHS):
            cursor.execute(statement, values)
            gone += cursor.rowcount
        cursor.execute(_PAST_WAVES, values)
        waves = [pk for (pk,) in cursor.fetchall()]
    return gone + (_forget_waves(waves, limit) if waves else 0)


def forget_behaviour(before: datetime, limit: int, *, touching: Collection[FactKind]) -> int:
    """Forget what people merely did before a moment, and the interests that rest on nothing else.

    Must run in a transaction. The counters of an interest stay those of the stream.

    Args:
        before: what was done later stays.
        limit: the most activities; again and again, until nothing is left.
        touching: the kinds that segments ask for.

    Returns:
        How many activities went.
    """
    values: dict[str, Any] = {
        "kinds": sorted(BEHAVIOUR),
        "before": before,
        "limit": limit,
        "touching": sorted(BEHAVIOUR & frozenset(touching)),
    }
    with connection.cursor() as cursor:
        cursor.execute(_FORGET, values)
        rows = cursor.fetchall()
        if products := [row[:4] for row in rows if row[1]]:
            cursor.execute(_LOCK_INTERESTS, [list(column) for column in zip(*products, strict=True)])
            found = cursor.fetchall()
            values |= {"ids": [pk for pk, _views in found], "views": [views for _pk, views in found]}
            cursor.execute(_FADE, values)
            cursor.execute(_DROP_INTERESTS, values)
    return sum(row[4] for row in rows)


def _forget_waves(waves: list[int], limit: int) -> int:
    """Delete the next rows of these waves, and the waves themselves once they have none."""
    gone, is_empty = 0, True
    with connection.cursor() as cursor:
        for statement in _OF_WAVES:
            cursor.execute(statement, {"waves": waves, "limit": limit})
            gone += cursor.rowcount
            is_empty = is_empty and cursor.rowcount < limit
        if is_empty:
            cursor.execute(_UNNAME, {"waves": waves})
            cursor.execute(_WAVES, {"waves": waves})
            gone += cursor.rowcount
    return gone
