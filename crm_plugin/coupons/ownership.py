"""What this room does when two contacts turn out to be one, and when a contact asks to be forgotten."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from django.db import connection

from crm_plugin.contacts import Merge
from crm_plugin.coupons.checking import void
from crm_plugin.coupons.models import Coupon, CouponState
from crm_plugin.coupons.occasions import STAFF

#: Of two codes for one occasion, the one that was used counts, else one that is good, else the target's.
_WORTH: Final = {CouponState.USED.value: 2, CouponState.ISSUED.value: 1}
_FORGET: Final = """
UPDATE crm_plugin_coupon SET contact_id = NULL, order_ref = '',
    occasion = CASE WHEN starts_with(occasion, %(staff)s) THEN %(staff)s ELSE occasion END
WHERE contact_id = ANY(%(ids)s::bigint[])
"""
_FORGET_USER: Final = """
UPDATE crm_plugin_coupon SET used_by_id = NULL, order_ref = '' WHERE used_by_id = ANY(%(ids)s::bigint[])
"""


def absorb(merge: Merge) -> None:
    """Give the source contact's coupons to the target. Of two for one occasion, one is taken back. In a transaction."""
    source, target = merge.source_id, merge.target_id
    rows = list(Coupon.objects.filter(contact_id__in=(source, target)).order_by("pk").select_for_update(no_key=True))
    theirs = {row.occasion: row for row in rows if row.contact_id == target and row.occasion}
    surplus: list[Coupon] = []
    for row in rows:
        if row.contact_id == source and row.occasion in theirs:
            surplus.append(min(row, theirs[row.occasion], key=lambda one: (_WORTH.get(one.state, 0), one is not row)))
    void([row for row in surplus if row.state == CouponState.ISSUED])
    for row in surplus:  # first out of the way, then over
        row.occasion = f"merged:{row.pk}"
        row.save(update_fields=("occasion",))
    Coupon.objects.filter(contact_id=source).update(contact_id=target)
    Coupon.objects.filter(used_by_id=source).update(used_by_id=target)
    Coupon.objects.filter(used_by_id=target, contact_id=target).update(used_by_id=None)


def forget(contact_ids: Collection[int]) -> None:
    """Forget whose the coupons of people were, and which orders used them; the counts stay, and the codes stay good."""
    with connection.cursor() as cursor:
        for statement in (_FORGET, _FORGET_USER):
            cursor.execute(statement, {"ids": list(contact_ids), "staff": STAFF})
