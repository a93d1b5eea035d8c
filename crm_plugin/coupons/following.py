"""Codes that the merchant made in the shop itself: their end is the shop's to say, also once they are somebody's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

from crm_plugin import merchant, shop
from crm_plugin.coupons.models import Coupon
from crm_plugin.shop import ShopCoupon


def last_day(ends_at: datetime | None) -> date | None:
    """Return the last day, by the shop's clocks, on which a code is good that ends at a moment."""
    return None if ends_at is None else (ends_at - timedelta(microseconds=1)).astimezone(merchant.zone()).date()


def follow_ends(rows: Sequence[Coupon], known: Mapping[str, ShopCoupon] | None = None) -> int:
    """Write down the ends that codes of the shop's own have now; return how many have another one.

    Args:
        rows: coupons; those of templates, whose end the CRM said, are passed over.
        known: what the shop says of their codes; None: it is asked.
    """
    theirs = [row for row in rows if row.template_id is None]
    if not theirs:
        return 0
    found = shop.current().coupons([row.code for row in theirs]) if known is None else known
    moved = [row for row in theirs if row.code in found and found[row.code].ends_at != row.expires_at]
    for row in moved:
        row.expires_at = found[row.code].ends_at
        row.expires_on = last_day(row.expires_at)
    Coupon.objects.bulk_update(moved, ("expires_at", "expires_on"))
    return len(moved)
