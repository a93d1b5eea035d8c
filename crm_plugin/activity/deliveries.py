"""That an order was delivered, where no shop says so: some days after it was sent, unless it came to nothing.

What is found goes through the inbox like every fact that a shop tells, so that campaigns start by it. The stream of
what was sent is walked over from two months ago to the day that counts, page by page, again and again: an order that
was told late, or whose last parcel was, is found by the next walk.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db import connection

from crm_plugin import clock, merchant
from crm_plugin.activity.models import Watermark
from crm_plugin.activity.recording import record_many
from crm_plugin.shop import Fact, FactKind

#: What was sent longer ago than this, plus the days that a delivery takes, is nobody's news.
LOOK_BACK: Final = timedelta(days=60)
#: The next walk begins so long after the last one ended: parcels count in days.
REST: Final = timedelta(hours=1)

_PURPOSE: Final = "derive"
_STREAM: Final = "deliveries"
_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)

#: The next page of the stream, by time and id.
_PAGE = """
SELECT id, occurred_at FROM crm_plugin_activity
WHERE kind = 'fulfilled' AND occurred_at >= %(at)s AND occurred_at <= %(until)s
    AND (occurred_at, id) > (%(at)s, %(key)s)
ORDER BY occurred_at, id LIMIT %(limit)s
"""
#: Of an order that was sent in parts the last one counts. Each question about the order goes by its index.
_DELIVERED = """
SELECT DISTINCT ON (f.order_ref) f.order_ref, f.occurred_at, f.contact_id, f.shop_channel
FROM crm_plugin_activity f
WHERE f.id = ANY(%s::bigint[]) AND f.order_ref <> '' AND NOT EXISTS (SELECT 1 FROM crm_plugin_activity o
    WHERE o.order_ref <> '' AND o.order_ref = f.order_ref AND (o.kind IN ('delivered', 'cancelled', 'refunded')
        OR (o.kind = 'fulfilled' AND o.occurred_at > f.occurred_at)))
ORDER BY f.order_ref, f.occurred_at DESC, f.id
"""
_ARRIVED = """
SELECT order_ref, max(occurred_at) FROM crm_plugin_activity
WHERE order_ref <> '' AND order_ref = ANY(%s) AND kind = 'delivered' GROUP BY order_ref
"""


def delivered_key(order_ref: str) -> str:
    """Return the key of an order's delivery, whoever tells it: told by the shop and derived, it is one."""
    return f"order:{order_ref}:delivered"


def delivered_at(order_refs: Collection[str]) -> dict[str, datetime]:
    """Return when the orders arrived, as far as is known; one that came in parts, when the last one did."""
    with connection.cursor() as cursor:
        cursor.execute(_ARRIVED, [sorted(order_refs)])
        return dict(cursor.fetchall())


def derive_deliveries(limit: int) -> int:
    """Look at the next ``limit`` parcels that were sent so long ago that they have arrived. Must run in a transaction.

    How long that is, the merchant decides (``delivered_after_days``); 0 is never.

    Returns:
        How many were looked at; 0 when there is nothing to do before the next walk.
    """
    days = merchant.load().delivered_after_days
    if not days:
        return 0
    until = clock.now() - timedelta(days=days)
    mark = _mark()
    if mark is None:  # another worker is at it
        return 0
    if mark.is_done or mark.at < until - LOOK_BACK:
        if mark.is_done and until - REST < mark.at <= until:
            return 0
        mark.at, mark.key, mark.is_done = until - LOOK_BACK, "", False
    rows = _page(mark, until=until, limit=limit)
    record_many(_facts([pk for pk, _at in rows], after=timedelta(days=days)))
    mark.is_done = len(rows) < limit
    mark.at, mark.key = (until, "") if mark.is_done else (rows[-1][1], str(rows[-1][0]))
    mark.save(update_fields=("at", "key", "is_done"))
    return len(rows)


def _mark() -> Watermark | None:
    """Lock how far the walk is; None when another worker has it."""
    Watermark.objects.bulk_create(
        [Watermark(purpose=_PURPOSE, stream=_STREAM, at=_BEGINNING, is_done=True)], ignore_conflicts=True
    )
    return Watermark.objects.select_for_update(skip_locked=True).filter(purpose=_PURPOSE, stream=_STREAM).first()


def _page(mark: Watermark, *, until: datetime, limit: int) -> Sequence[tuple[int, datetime]]:
    with connection.cursor() as cursor:
        cursor.execute(_PAGE, {"at": mark.at, "until": until, "key": int(mark.key or 0), "limit": limit})
        rows: list[tuple[int, datetime]] = cursor.fetchall()
    return rows


def _facts(ids: Sequence[int], *, after: timedelta) -> list[Fact]:
    rows: list[tuple[Any, ...]] = []
    if ids:
        with connection.cursor() as cursor:
            cursor.execute(_DELIVERED, [list(ids)])
            rows = cursor.fetchall()
    return [
        Fact(
            kind=FactKind.DELIVERED,
            source_key=delivered_key(order_ref),
            occurred_at=sent_at + after,
            contact_id=contact_id,
            shop_channel=shop_channel,
            order_ref=order_ref,
        )
        for order_ref, sent_at, contact_id, shop_channel in rows
    ]
