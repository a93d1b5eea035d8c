"""Codes that the merchant made in the shop itself, and that belong to a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models.functions import Upper

from crm_plugin import activity, clock, shop
from crm_plugin.coupons.following import last_day
from crm_plugin.coupons.models import Coupon, CouponState
from crm_plugin.coupons.occasions import Issued, issued_fact
from crm_plugin.errors import InvalidInput
from crm_plugin.shop import ShopCoupon

MAX_PAIRS: Final = 1_000


@transaction.atomic
def assign(pairs: Sequence[tuple[str, int]]) -> int:
    """Say of codes of the shop whose they are; return of how many that was not known. All of them, or none.

    Args:
        pairs: codes, each with the id of a contact.

    Raises:
        InvalidInput: with the place of the wrong pair: a code that the shop does not know, that is no longer good, that
            more than one order can use, or that is somebody else's.
    """
    if len(pairs) > MAX_PAIRS:
        raise InvalidInput(f"At most {MAX_PAIRS} at once.", field="pairs", code="LIMIT")
    found = shop.current().coupons([code for code, _contact in pairs])
    rows = Coupon.objects.annotate(key=Upper("code")).filter(key__in=[code.upper() for code, _contact in pairs])
    present = {row.key: row for row in rows.order_by("pk").select_for_update(no_key=True)}
    drafts: dict[str, Coupon] = {}
    for place, (code, contact_id) in enumerate(pairs):
        key = code.upper()
        _check(found.get(code), place)
        if key in drafts:
            raise _wrong(place, "This code is there twice.", code="UNIQUE")
        before = present.get(key)
        if before is not None and (before.state != CouponState.VOID or before.template_id is not None):
            if before.contact_id != contact_id or before.state != CouponState.ISSUED:
                raise _wrong(place, "This code is somebody's already.", code="UNIQUE")
            continue
        drafts[key] = _draft(found[code], contact_id, before)
    _save(drafts)
    activity.record_many(
        issued_fact(_issued(row), contact_id=row.contact_id or 0, by="shop") for row in drafts.values()
    )
    return len(drafts)


def _check(coupon: ShopCoupon | None, place: int) -> None:
    if coupon is None:
        raise _wrong(place, "The shop has no such code.", code="NOT_FOUND")
    if not coupon.is_personal:
        raise _wrong(place, "More than one order can use this code, so it is nobody's own.")
    if coupon.is_used:
        raise _wrong(place, "An order has used this code.", code="IN_USE")
    if coupon.ends_at is not None and coupon.ends_at <= clock.now():
        raise _wrong(place, "This code has expired.")


def _draft(coupon: ShopCoupon, contact_id: int, before: Coupon | None) -> Coupon:
    now = clock.now()
    return Coupon(
        pk=before.pk if before else None,
        contact_id=contact_id,
        code=coupon.code,
        name=coupon.name[:80],
        state=CouponState.ISSUED,
        created_at=before.created_at if before else now,
        issued_at=now,
        expires_at=coupon.ends_at,
        expires_on=last_day(coupon.ends_at),
    )


def _save(drafts: Mapping[str, Coupon]) -> None:
    again = [row for row in drafts.values() if row.pk]
    if again:
        Coupon.objects.bulk_update(
            again, ("contact", "code", "name", "state", "issued_at", "expires_at", "expires_on", "order_ref", "used_at")
        )
    try:
        with transaction.atomic():
            Coupon.objects.bulk_create([row for row in drafts.values() if not row.pk])
    except IntegrityError:  # at this very moment
        raise InvalidInput("Somebody else has given out one of these codes; look again.", field="pairs") from None


def _issued(row: Coupon) -> Issued:
    return Issued(row.pk, row.code, row.name, row.expires_on, row.expires_at)


def _wrong(place: int, message: str, *, code: str = "INVALID") -> InvalidInput:
    return InvalidInput(message, field=f"pairs.{place}.code", code=code)
