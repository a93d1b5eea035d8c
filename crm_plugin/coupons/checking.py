"""Whether codes are still good, and taking one back."""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction
from django.db.models import Q, QuerySet

from crm_plugin import clock, shop
from crm_plugin.coupons.following import follow_ends
from crm_plugin.coupons.models import Coupon, CouponState
from crm_plugin.errors import InvalidInput, NotFound


def good() -> QuerySet[Coupon]:
    """Return the coupons that somebody has and that are not over, as far as the CRM knows."""
    in_time = Q(expires_at__isnull=True) | Q(expires_at__gt=clock.now())
    return Coupon.objects.filter(in_time, state=CouponState.ISSUED)


def still_good(coupon_ids: Collection[int]) -> frozenset[int]:
    """Return which of the coupons an order could use now. The shop is asked, once; what it has deleted is void now."""
    rows = list(good().filter(pk__in=coupon_ids))
    asked = [row for row in rows if row.is_kept_by_shop or row.template_id is None]
    known = shop.current().coupons([row.code for row in asked]) if asked else {}
    gone = [row.pk for row in asked if row.code not in known]
    if gone:
        Coupon.objects.filter(pk__in=gone, state=CouponState.ISSUED).update(
            state=CouponState.VOID, is_kept_by_shop=False
        )
    follow_ends(rows, known)
    useless = {row.pk for row in asked if row.code not in known or not known[row.code].is_usable}
    return frozenset(row.pk for row in rows if row.pk not in useless)


@transaction.atomic
def withdraw(pk: int) -> Coupon:
    """Take a coupon back: it is void, and a code that the CRM made is deleted in the shop.

    A code that the merchant made in the shop itself stays there.

    Raises:
        NotFound
        InvalidInput: when it has been used.
    """
    row = Coupon.objects.select_for_update(no_key=True).filter(pk=pk).first()
    if row is None:
        raise NotFound("There is no such code.")
    if row.state == CouponState.USED:
        raise InvalidInput("An order has used this code.", field="id", code="IN_USE")
    void([row])
    return row


def void(rows: Collection[Coupon]) -> None:
    """Make locked coupons void, in the shop too."""
    kept = [row.code for row in rows if row.is_kept_by_shop]
    if kept:
        shop.current().drop_coupons(kept)
    now = clock.now()
    for row in rows:
        row.state, row.is_kept_by_shop, row.issued_at = CouponState.VOID, False, row.issued_at or now
    Coupon.objects.bulk_update(rows, ("state", "is_kept_by_shop", "issued_at"))
