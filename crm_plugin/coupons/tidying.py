"""Housekeeping: codes that are over, and codes that nobody needs in the shop any more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db import connection

from crm_plugin import clock, shop
from crm_plugin.coupons.following import follow_ends
from crm_plugin.coupons.models import Coupon
from crm_plugin.ids import array

#: How long the shop keeps a code that is over, for who asks about it (AutomateWoo's, features part 2a).
KEPT_FOR: Final = timedelta(days=14)

_DUE: Final = """
SELECT id FROM crm_plugin_coupon WHERE state = 'issued' AND expires_at <= %s
ORDER BY expires_at LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
"""
_EXPIRE: Final = """
UPDATE crm_plugin_coupon SET state = 'expired' WHERE id = ANY(%s::bigint[]) AND expires_at <= %s
"""
_OVER: Final = """
SELECT id, code, series_id FROM crm_plugin_coupon
WHERE is_kept_by_shop AND state = 'expired' AND expires_at <= %s
ORDER BY expires_at LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
"""
_DROPPED: Final = """
UPDATE crm_plugin_coupon SET is_kept_by_shop = FALSE, series_id = NULL WHERE id = ANY(%s::bigint[])
"""
_CLOSE: Final = """
DELETE FROM crm_plugin_couponseries s WHERE s.id = ANY(%s::bigint[])
    AND NOT EXISTS (SELECT FROM crm_plugin_coupon c WHERE c.series_id = s.id)
"""


def tidy(limit: int) -> int:
    """Let coupons expire that are over, and delete in the shop those that have been for two weeks. In a transaction.

    Args:
        limit: the most coupons of each.

    Returns:
        How many coupons changed.
    """
    now = clock.now()
    done = _expire(now, limit)
    with connection.cursor() as cursor:
        cursor.execute(_OVER, [now - KEPT_FOR, limit])
        over = cursor.fetchall()
    if over:
        _drop(over)
    return done + len(over)


def _expire(now: datetime, limit: int) -> int:
    """Let coupons expire, but for those of the shop's own whose end was moved; return how many changed."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE, [now, limit])
        due = [pk for (pk,) in cursor.fetchall()]
        if due:
            follow_ends(list(Coupon.objects.filter(pk__in=due, template=None)))
            cursor.execute(_EXPIRE, [array(due), now])
    return len(due)


def _drop(rows: Sequence[tuple[int, str, int | None]]) -> None:
    shop.current().drop_coupons([code for _pk, code, _series in rows])
    with connection.cursor() as cursor:
        cursor.execute(_DROPPED, [array(pk for pk, _code, _series in rows)])
        cursor.execute(_CLOSE, [array({series for _pk, _code, series in rows if series is not None})])
