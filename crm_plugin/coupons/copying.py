"""What this room keeps about people, for the copy that they may ask for."""

from __future__ import annotations

from collections.abc import Collection

from crm_plugin.contacts import Part
from crm_plugin.coupons.models import Coupon


def copy_of(contact_ids: Collection[int]) -> list[Part]:
    """Return the parts of this room: the codes that people got, and those of others that they used.

    Who used somebody's code, and whose code somebody used, is the other person's.
    """
    used = Coupon.objects.filter(used_by_id__in=contact_ids)
    return [
        Part(name="coupons", rows=Coupon.objects.filter(contact_id__in=contact_ids), without=frozenset({"used_by_id"})),
        Part(
            name="coupons_of_others",
            rows=used,
            without=frozenset({"contact_id", "occasion", "created_at", "issued_at"}),
        ),
    ]
