"""Which orders used which coupons, as the stream tells it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection

_TOLD: Final = """
SELECT a.subject, a.order_ref FROM crm_plugin_activity a WHERE a.id = ANY(%s::bigint[]) AND a.subject <> ''
UNION
SELECT u.subject, u.order_ref FROM crm_plugin_activity x
JOIN crm_plugin_activity u ON u.order_ref = x.order_ref AND u.order_ref <> '' AND u.kind = 'coupon_used'
    AND u.subject <> ''
WHERE x.id = ANY(%s::bigint[])
"""
_USES: Final = """
SELECT u.subject, u.contact_id, u.order_ref, u.occurred_at, EXISTS (SELECT FROM crm_plugin_activity x
    WHERE x.order_ref = u.order_ref AND x.order_ref <> '' AND x.kind = 'cancelled')
FROM crm_plugin_activity u WHERE u.kind = 'coupon_used' AND u.subject <> '' AND u.subject = ANY(%s)
ORDER BY u.occurred_at, u.order_ref, u.id
"""


@dataclass(frozen=True, slots=True)
class CouponUse:
    """An order that used a coupon. ``is_cancelled``: it came to nothing."""

    code: str
    contact_id: int
    order_ref: str
    used_at: datetime
    is_cancelled: bool


def coupons_told_of(used: Sequence[int], cancelled: Sequence[int]) -> frozenset[tuple[str, str]]:
    """Return the codes, each with the order, that ``coupon_used`` and ``cancelled`` activities are about."""
    with connection.cursor() as cursor:
        cursor.execute(_TOLD, [list(used), list(cancelled)])
        return frozenset(cursor.fetchall())


def coupon_uses(codes: Collection[str]) -> list[CouponUse]:
    """Return every use of the codes, the oldest first, in one query."""
    with connection.cursor() as cursor:
        cursor.execute(_USES, [list(codes)])
        return [CouponUse(*row) for row in cursor.fetchall()]
