"""Vouchers: what staff hand out to everybody, by one code, and for which goods.

Only a voucher for specific products looks at what is in the cart; Saleor's other kinds are for all of an order. One
for specific products that names none is still being made: the dashboard makes the voucher first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from django.db.models import Count, Min, Q
from saleor.discount import VoucherType
from saleor.discount.models import Voucher as VoucherRow
from saleor.discount.models import VoucherChannelListing, VoucherCode

from crm_plugin import activity
from crm_plugin.shop import Fact, FactKind, Voucher
from crm_plugin.shops.saleor.people import as_id, as_pks


def voucher_changed(voucher: Any) -> None:
    """A voucher was made, or changed in a way that may make it one for more shoppers: its channels, its goods.

    One whose codes are good for one order each, as are all that the CRM makes, is no news to anybody.
    """
    if not voucher.single_use:
        activity.record(news(voucher))


def news(voucher: Any) -> Fact:
    """Return that there is a voucher; whether that is worth telling is asked when the fact is read."""
    return Fact(
        kind=FactKind.VOUCHER_CREATED,
        source_key=f"voucher:{voucher.pk}",
        occurred_at=voucher.start_date,
        subject=as_id(voucher.pk),
    )


def vouchers(voucher_refs: Collection[str], *, among: Collection[str]) -> Mapping[str, Voucher]:
    """Return the vouchers, in a fixed number of queries; those that only staff may use are left out."""
    rows = list(VoucherRow.objects.filter(pk__in=as_pks(voucher_refs), only_for_staff=False).order_by("pk"))
    codes = _codes([row.pk for row in rows])
    channels = _channels([row.pk for row in rows])
    narrow = [row.pk for row in rows if row.type == VoucherType.SPECIFIC_PRODUCT]
    products = _products(narrow, as_pks(among))
    return {
        as_id(row.pk): Voucher(
            voucher_ref=as_id(row.pk),
            code="" if row.single_use else codes.get(row.pk, {}).get("code") or "",
            name=row.name or "",
            shop_channels=tuple(channels[row.pk]),
            made_at=codes.get(row.pk, {}).get("made_at") or row.start_date,
            starts_at=row.start_date,
            ends_at=row.end_date,
            product_ids=tuple(sorted(products[row.pk])) if row.pk in narrow else None,
        )
        for row in rows
    }


def _codes(pks: Collection[int]) -> dict[int, dict[str, Any]]:
    """Return when each voucher got its first code, and its code when it has only one: several are handed out apart.

    Saleor keeps no time for the voucher itself, and makes it with a code.
    """
    rows = (
        VoucherCode.objects.filter(voucher_id__in=pks)
        .order_by()
        .values("voucher_id")
        .annotate(made_at=Min("created_at"), codes=Count("pk"), usable=Min("code", filter=Q(is_active=True)))
    )
    return {
        row["voucher_id"]: {"made_at": row["made_at"], "code": row["usable"] if row["codes"] == 1 else ""}
        for row in rows
    }


def _channels(pks: Collection[int]) -> defaultdict[int, list[str]]:
    found: defaultdict[int, list[str]] = defaultdict(list)
    rows = VoucherChannelListing.objects.filter(voucher_id__in=pks, channel__is_active=True).order_by("pk")
    for pk, slug in rows.values_list("voucher_id", "channel__slug"):
        found[pk].append(slug)
    return found


def _products(pks: Collection[int], among: Collection[int]) -> defaultdict[int, set[str]]:
    """Return which of the products each voucher names: itself, by a variant, its category or a collection.

    Saleor looks at the product's own category only, not at those above it.
    """
    found: defaultdict[int, set[str]] = defaultdict(set)
    for pk, product in _named(pks, among) if pks and among else ():
        found[pk].add(as_id(product))
    return found


def _named(pks: Collection[int], among: Collection[int]) -> Iterator[tuple[int, int]]:
    for links, product in (
        (VoucherRow.products, "product"),
        (VoucherRow.variants, "productvariant__product"),
        (VoucherRow.categories, "category__products"),
        (VoucherRow.collections, "collection__products"),
    ):
        rows = links.through.objects.filter(**{"voucher_id__in": pks, f"{product}__in": among}).order_by()
        yield from rows.values_list("voucher_id", product)
