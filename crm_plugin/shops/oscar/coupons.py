"""Coupons: vouchers that one order uses up, one for each person. Made and read many at once.

Oscar cannot bind a voucher to a person: who used a code that was not theirs is found out afterwards. Codes are upper
case, as Oscar's own form makes them, and found in any case, as its basket finds them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.db.models import Count, Exists, IntegerField, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from oscar.core.loading import get_model

from crm_plugin import clock
from crm_plugin.shop import ShopCoupon
from crm_plugin.shops.oscar import coupon_series
from crm_plugin.shops.oscar.coupon_series import INSTANT, NO_END
from crm_plugin.shops.oscar.keys import primary_key

ConditionalOffer = get_model("offer", "ConditionalOffer")
Order = get_model("order", "Order")
Voucher = get_model("voucher", "Voucher")
VoucherApplication = get_model("voucher", "VoucherApplication")
VoucherOffer = Voucher.offers.through

#: Codes of which somebody makes one between our look and our insert are looked for again so often.
_ROUNDS: Final = 3
_NAME_LENGTH: Final = 128


def add_coupons(series_ref: str, codes: Collection[str]) -> frozenset[str]:
    """Put codes into a series, in a fixed number of statements; return those made.

    Raises:
        NotFound: the series is gone or gives nothing any more.
    """
    wanted = {_key(code): code for code in codes}
    with transaction.atomic():
        offer, voucher_set = coupon_series.lock_series(series_ref)
        for _round in range(_ROUNDS):
            rows = _free_ones(voucher_set, wanted)
            if _insert(rows, offer):
                return frozenset(wanted[row.code] for row in rows)
    return frozenset()


def coupons(codes: Collection[str]) -> Mapping[str, ShopCoupon]:
    """Return the codes that the shop knows, whoever made them, in one query."""
    asked = {code: _key(code) for code in codes}
    used = VoucherApplication.objects.filter(voucher=OuterRef("pk"))
    offered = VoucherOffer.objects.filter(voucher=OuterRef("pk"), conditionaloffer__status=ConditionalOffer.OPEN)
    rows = Voucher.objects.filter(code__in=set(asked.values())).annotate(
        has_order=Exists(used), has_offer=Exists(offered)
    )
    found = {row.code: _coupon(row) for row in rows} if asked else {}
    return {code: found[key] for code, key in asked.items() if key in found}


def release_coupons(codes: Collection[str], *, order_ref: str) -> None:
    """Forget that the order used these codes, so that another one can."""
    keys = {_key(code) for code in codes}
    with transaction.atomic():
        VoucherApplication.objects.filter(voucher__code__in=keys, order_id=primary_key(Order, order_ref)).delete()
        uses = VoucherApplication.objects.filter(voucher=OuterRef("pk")).order_by().values("voucher")
        counted = Subquery(uses.annotate(count=Count("pk")).values("count"), output_field=IntegerField())
        Voucher.objects.filter(code__in=keys).update(num_orders=Coalesce(counted, 0))


def drop_coupons(codes: Collection[str]) -> None:
    """Delete the codes that no order used, and the series of ours of which none is left.

    An order that is being placed with one of them has locked it, and is waited for.
    """
    with transaction.atomic():
        named = Voucher.objects.select_for_update().filter(code__in={_key(code) for code in codes}).order_by("pk")
        locked = {row.pk: row.voucher_set_id for row in named}
        used = set(VoucherApplication.objects.filter(voucher__in=locked).values_list("voucher", flat=True))
        doomed = {pk: set_key for pk, set_key in locked.items() if pk not in used}
        Voucher.objects.filter(pk__in=doomed).delete()
        coupon_series.drop_empty({set_key for set_key in doomed.values() if set_key is not None})


def _free_ones(voucher_set: Any, codes: Collection[str]) -> list[Any]:
    """Return a voucher for each of the codes that no voucher has, nor its name."""
    names = {code: _name(voucher_set, code) for code in codes}
    rows = Voucher.objects.filter(Q(code__in=names) | Q(name__in=names.values())).order_by()
    taken = {word for found in rows.values_list("code", "name") for word in found}
    return [
        Voucher(
            code=code,
            name=name,
            usage=Voucher.SINGLE_USE,
            voucher_set_id=voucher_set.pk,
            start_datetime=voucher_set.start_datetime,
            end_datetime=voucher_set.end_datetime,
        )
        for code, name in names.items()
        if taken.isdisjoint((code, name))
    ]


def _insert(rows: Collection[Any], offer: Any) -> bool:
    """Write the vouchers; False, and none of them, when somebody made one of the codes since we looked."""
    try:
        with transaction.atomic():
            made = Voucher.objects.bulk_create(rows)
            VoucherOffer.objects.bulk_create(VoucherOffer(voucher=row, conditionaloffer=offer) for row in made)
    except IntegrityError:
        return False
    return True


def _coupon(row: Any) -> ShopCoupon:
    is_personal = row.usage == Voucher.SINGLE_USE
    is_used = is_personal and row.has_order
    return ShopCoupon(
        code=row.code,
        name=row.name,
        is_usable=row.has_offer and not is_used and row.is_active(clock.now()),
        is_used=is_used,
        is_personal=is_personal,
        ends_at=_end_of(row.end_datetime),
    )


def _end_of(end: datetime) -> datetime | None:
    """Return the moment from which a voucher is invalid: just after its end when that is the last instant before."""
    if end >= NO_END - INSTANT:
        return None
    return end + INSTANT if end.microsecond == 999_999 else end


def _name(voucher_set: Any, code: str) -> str:
    """Return the name that a shopper reads in the basket: unique, because the code is."""
    return f"{voucher_set.name[: _NAME_LENGTH - 1 - len(code)]} {code}"


def _key(code: str) -> str:
    return code.strip().upper()
