"""Vouchers: a code that brings offers along, and an offer is for the goods of a range.

What an offer is good for is the range of its benefit; one without a range (shipping, or a benefit of the shop's own) is
good for whatever is in the basket.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from django.db.models import Prefetch, Q
from oscar.core.loading import get_model

from crm_plugin.shop import Fact, FactKind, Voucher
from crm_plugin.shops.oscar import site
from crm_plugin.shops.oscar.keys import primary_keys

ConditionalOffer = get_model("offer", "ConditionalOffer")
Product = get_model("catalogue", "Product")
VoucherRow = get_model("voucher", "Voucher")


def vouchers(voucher_refs: Collection[str], *, among: Collection[str]) -> Mapping[str, Voucher]:
    """Return the vouchers; each range is read once, however many offers and vouchers share it."""
    offers = (
        ConditionalOffer.objects.exclude(status=ConditionalOffer.SUSPENDED)
        .select_related("benefit__range", "condition__range")
        .order_by("pk")
    )
    rows = VoucherRow.objects.filter(pk__in=primary_keys(VoucherRow, voucher_refs)).prefetch_related(
        Prefetch("offers", queryset=offers)
    )
    covered = _Ranges(among)
    return {str(row.pk): _voucher(row, covered) for row in rows}


def news(voucher: Any) -> Fact | None:
    """Return that a voucher can be used by anybody; None for one that is meant for one person."""
    if _is_personal(voucher):
        return None
    return Fact(
        kind=FactKind.VOUCHER_CREATED,
        source_key=f"voucher:{voucher.pk}",
        occurred_at=max(voucher.date_created, voucher.start_datetime),
        subject=str(voucher.pk),
    )


class _Ranges:
    """Which of the products asked about are in a range; None: the range has everything."""

    def __init__(self, among: Collection[str]) -> None:
        self._pks = primary_keys(Product, among)
        self._known: dict[int, frozenset[str] | None] = {}

    def products(self, row: Any) -> frozenset[str] | None:
        """Return the products that are in the range, themselves or by one of their children."""
        if row.pk not in self._known:
            self._known[row.pk] = self._read(row)
        return self._known[row.pk]

    def _read(self, row: Any) -> frozenset[str] | None:
        if not row.proxy_class and _has_everything(row):
            return None
        if not self._pks:
            return frozenset()
        goods = Product.objects.filter(Q(pk__in=self._pks) | Q(parent_id__in=self._pks))
        if row.proxy_class:  # a class of the shop's own, which need not know how to list its products
            return frozenset(str(one.parent_id or one.pk) for one in goods if row.contains_product(one))
        listed = row.all_products().filter(pk__in=goods.values("pk")).order_by()
        return frozenset(str(parent or pk) for pk, parent in listed.values_list("pk", "parent_id"))


def _has_everything(row: Any) -> bool:
    return row.includes_all_products and not (row.excluded_products.exists() or row.excluded_categories.exists())


def _voucher(row: Any, covered: _Ranges) -> Voucher:
    return Voucher(
        voucher_ref=str(row.pk),
        code="" if _is_personal(row) else row.code,
        name=row.name,
        shop_channels=(site.CHANNEL,),
        made_at=row.date_created,
        starts_at=row.start_datetime,
        ends_at=row.end_datetime,
        product_ids=_products(row.offers.all(), covered),
    )


def _products(offers: Iterable[Any], covered: _Ranges) -> tuple[str, ...] | None:
    """Return what any of the offers covers; no offer at all covers nothing."""
    found: set[str] = set()
    for offer in offers:
        row = offer.benefit.range or offer.condition.range
        products = covered.products(row) if row is not None else None
        if products is None:
            return None
        found |= products
    return tuple(sorted(found))


def _is_personal(row: Any) -> bool:
    """Whether one person uses it up; a set of vouchers is a stock of codes to hand out."""
    return row.voucher_set_id is not None or row.usage == row.SINGLE_USE
