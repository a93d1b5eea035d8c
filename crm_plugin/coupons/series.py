"""Series: what codes of the same terms and the same end have in common in the shop, opened when first needed."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from django.db import transaction

from crm_plugin import clock, shop
from crm_plugin.coupons import terms as coupon_terms
from crm_plugin.coupons.models import CouponSeries, CouponTemplate
from crm_plugin.errors import InvalidInput, NotFound
from crm_plugin.shop import CouponTerms

logger = logging.getLogger(__name__)

#: The most products that a coupon for what a run is about is good for.
MAX_ITEMS: Final = 20

#: The products that codes are good for; empty: as the template says.
Goods = tuple[str, ...]


def goods_of(product_ids: Collection[str]) -> Goods:
    """Return the products as a key: the first of them, whatever their order."""
    return tuple(sorted(dict.fromkeys(list(dict.fromkeys(product_ids))[:MAX_ITEMS])))


def assure(
    template: CouponTemplate, goods: Collection[Goods], *, ends_at: datetime | None
) -> Mapping[Goods, CouponSeries]:
    """Return the series for each of ``goods``, opened if need be; what the shop refuses is left out."""
    wanted = _terms_for(template, goods)
    buckets = {one: _bucket(terms, ends_at) for one, terms in wanted.items()}
    found = _found(template, buckets)
    if len(found) < len(buckets):
        # Workers that open series of the same template take turns: the second finds what the first has opened.
        CouponTemplate.objects.select_for_update(no_key=True).get(pk=template.pk)
        found = _found(template, buckets)
        for one in buckets.keys() - found.keys():
            ref = _open(wanted[one], name=template.name, ends_at=ends_at)
            if ref is not None:
                found[one] = CouponSeries.objects.create(
                    template=template, bucket=buckets[one], shop_ref=ref, ends_at=ends_at, created_at=clock.now()
                )
    return found


def add(template: CouponTemplate, series: CouponSeries, goods: Goods, codes: Collection[str]) -> frozenset[str]:
    """Put codes into the series; return those made: taken ones are left out. A series that is gone is opened anew.

    Raises:
        NotFound: when that cannot be done.
    """
    try:
        return _add(series, codes)
    except NotFound:
        logger.warning("crm: series %s of coupon %s is gone from the shop", series.shop_ref, template.pk)
        _open_again(template, series, goods)
        return _add(series, codes)


def _add(series: CouponSeries, codes: Collection[str]) -> frozenset[str]:
    with transaction.atomic():
        return shop.current().add_coupons(series.shop_ref, codes)


def _open_again(template: CouponTemplate, series: CouponSeries, goods: Goods) -> None:
    gone = series.shop_ref
    series.refresh_from_db(from_queryset=CouponSeries.objects.select_for_update(no_key=True))
    if series.shop_ref != gone:  # another worker was faster
        return
    terms = _terms_for(template, [goods]).get(goods)
    ref = _open(terms, name=template.name, ends_at=series.ends_at) if terms is not None else None
    if ref is None:
        raise NotFound(f"The series {gone} is gone, and the shop opens no other.")
    series.shop_ref = ref
    series.save(update_fields=("shop_ref",))


def _open(terms: CouponTerms, *, name: str, ends_at: datetime | None) -> str | None:
    try:
        with transaction.atomic():
            return shop.current().open_coupon_series(terms, name=name, ends_at=ends_at)
    except InvalidInput as error:
        logger.warning("crm: the shop refuses the coupon %r: %s (%s)", name, error, error.field)
        return None


def _found(template: CouponTemplate, buckets: Mapping[Goods, str]) -> dict[Goods, CouponSeries]:
    rows = CouponSeries.objects.filter(template=template, bucket__in=list(buckets.values()))
    by_bucket = {row.bucket: row for row in rows}
    return {one: by_bucket[bucket] for one, bucket in buckets.items() if bucket in by_bucket}


def _terms_for(template: CouponTemplate, goods: Collection[Goods]) -> dict[Goods, CouponTerms]:
    """Return the terms for each of ``goods``; what is good for none of them is left out."""
    terms = coupon_terms.kept(template.terms).terms
    asked = {product_id for one in goods for product_id in one}
    groups = shop.current().product_groups(asked) if asked and terms.group_keys else {}
    has_goods = bool(terms.product_ids or terms.group_keys)

    def is_covered(product_id: str) -> bool:
        in_group = not groups.get(product_id, frozenset()).isdisjoint(terms.group_keys)
        return not has_goods or product_id in terms.product_ids or in_group

    found: dict[Goods, CouponTerms] = {}
    for one in goods:
        covered = tuple(product_id for product_id in one if is_covered(product_id))
        if not one:
            found[one] = terms
        elif covered:
            found[one] = replace(terms, product_ids=covered, group_keys=())
    return found


def _bucket(terms: CouponTerms, ends_at: datetime | None) -> str:
    said = {
        "kind": terms.kind.value,
        "percent": str(terms.percent),
        "amounts": {slug: str(amount) for slug, amount in terms.amounts.items()},
        "min_spend": {slug: str(amount) for slug, amount in terms.min_spend.items()},
        "products": sorted(terms.product_ids),
        "groups": sorted(terms.group_keys),
        "channels": sorted(terms.shop_channels),
        "ends_at": ends_at.isoformat() if ends_at else "",
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
