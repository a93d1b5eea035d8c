"""Series of coupons: an offer behind vouchers, with a benefit, a condition and ranges of its own.

Oscar binds a code to an order by the voucher's usage and to an end by the voucher's dates; what all codes of a series
share is the offer. The codes stand in one voucher set, which keeps them off the dashboard's list of vouchers and is
deleted with the last of them. Its count stays 0: in Oscar that is a set whose vouchers are made when needed.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.db import connection
from oscar.core.loading import get_model

from crm_plugin import clock
from crm_plugin.errors import InvalidInput, NotFound
from crm_plugin.shop import CouponKind, CouponTerms
from crm_plugin.shops.oscar import groups, site
from crm_plugin.shops.oscar.keys import primary_key, primary_keys

Benefit = get_model("offer", "Benefit")
Condition = get_model("offer", "Condition")
ConditionalOffer = get_model("offer", "ConditionalOffer")
Product = get_model("catalogue", "Product")
Range = get_model("offer", "Range")
RangeProduct = get_model("offer", "RangeProduct")
Voucher = get_model("voucher", "Voucher")
VoucherSet = get_model("voucher", "VoucherSet")

#: By this a set is known as one of ours. For staff, who see it in the dashboard.
DESCRIPTION: Final = "crm-plugin: one code for each person"

#: Oscar asks for an end; a voucher with this one has none.
NO_END: Final = datetime(9999, 1, 1, tzinfo=UTC)
#: A voucher is still valid at its end, a coupon no longer is.
INSTANT: Final = timedelta(microseconds=1)

#: Oscar's column: two places, twelve digits.
_MOST: Final = Decimal(10) ** 10
_LETTERS: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"


def check_terms(terms: CouponTerms) -> None:
    """Refuse what Oscar cannot offer: other channels than its one, goods that are not there, odd amounts.

    Raises:
        InvalidInput: with the wrong field of ``terms``.
    """
    for field, slugs in (
        ("shop_channels", terms.shop_channels),
        ("amounts", terms.amounts),
        ("min_spend", terms.min_spend),
    ):
        _refuse_missing(field, set(slugs) - {site.CHANNEL})
    for field, amounts in (("amounts", terms.amounts), ("min_spend", terms.min_spend)):
        _check_amounts(field, amounts)
    match terms.kind:
        case CouponKind.PERCENT if terms.percent is None or not 0 < terms.percent <= 100:
            raise InvalidInput("Above 0 and up to 100.", field="percent")
        case CouponKind.FIXED if not terms.amounts:
            raise InvalidInput(f"Say how much, in the channel {site.CHANNEL!r}.", field="amounts", code="REQUIRED")
    _check_goods(terms)


def open_series(terms: CouponTerms, *, name: str, ends_at: datetime | None) -> str:
    """Make the offer and its set; return both their keys.

    Raises:
        InvalidInput: as ``check_terms``.
    """
    check_terms(terms)
    # The names of ranges, offers and sets are unique; two series of the same name do not wait for each other either.
    label = f"{name[:80]} {''.join(secrets.choice(_LETTERS) for _ in range(6))}"
    goods = _make_range(label, product_ids=terms.product_ids, group_keys=terms.group_keys)
    offer = ConditionalOffer.objects.create(
        name=label,
        offer_type=ConditionalOffer.VOUCHER,
        benefit=_make_benefit(terms, goods),
        condition=_make_condition(terms, goods, label),
        max_basket_applications=1,
    )
    voucher_set = VoucherSet.objects.create(
        name=label,
        description=DESCRIPTION,
        count=0,
        start_datetime=clock.now(),
        end_datetime=NO_END if ends_at is None else ends_at - INSTANT,
    )
    return f"{offer.pk}-{voucher_set.pk}"


def lock_series(series_ref: str) -> tuple[Any, Any]:
    """Return the offer and the set of a series, kept from being deleted until the transaction ends.

    Those who add codes at the same time do not wait for each other.

    Raises:
        NotFound: one of them is gone, or the offer was suspended, used up, or made one that needs no code.
    """
    offer_key, _, set_key = series_ref.partition("-")
    table, column = VoucherSet._meta.db_table, VoucherSet._meta.pk.column
    quote = connection.ops.quote_name
    found = VoucherSet.objects.raw(
        f"SELECT * FROM {quote(table)} WHERE {quote(column)} = %s FOR KEY SHARE",  # noqa: S608 - names of Oscar's own
        [primary_key(VoucherSet, set_key)],
    )
    voucher_set = next(iter(found), None)
    offer = ConditionalOffer.objects.filter(
        pk=primary_key(ConditionalOffer, offer_key),
        status=ConditionalOffer.OPEN,
        offer_type=ConditionalOffer.VOUCHER,
    ).first()
    if voucher_set is None or offer is None:
        raise NotFound(f"There is no series {series_ref}.")
    return offer, voucher_set


def drop_empty(set_keys: Collection[Any]) -> None:
    """Delete those of the sets that are ours and have no voucher any more, with all that stood behind their codes.

    An offer or a range that staff renamed is theirs now, and stays; so does what another offer uses.
    """
    sets = VoucherSet.objects.select_for_update().filter(pk__in=set_keys, description=DESCRIPTION).order_by("pk")
    locked = {row.pk: row.name for row in sets}
    left = set(Voucher.objects.filter(voucher_set__in=locked).order_by().values_list("voucher_set", flat=True))
    names = [name for pk, name in locked.items() if pk not in left]
    offers = ConditionalOffer.objects.filter(name__in=names, vouchers=None)
    parts = list(offers.values_list("benefit", "condition"))
    offers.delete()
    Benefit.objects.filter(pk__in=[benefit for benefit, _condition in parts], offers=None).delete()
    Condition.objects.filter(pk__in=[condition for _benefit, condition in parts], offers=None).delete()
    ranges = [*names, *map(_everything, names)]
    Range.objects.filter(name__in=ranges, benefit=None, condition=None).delete()
    VoucherSet.objects.filter(name__in=names, description=DESCRIPTION).delete()


def _make_range(label: str, *, product_ids: Collection[str] = (), group_keys: Collection[str] = ()) -> Any:
    """Make a range of these goods; of all there are when none are named."""
    goods = Range.objects.create(name=label, includes_all_products=not product_ids and not group_keys)
    products = primary_keys(Product, product_ids)
    RangeProduct.objects.bulk_create(RangeProduct(range=goods, product_id=key) for key in sorted(products))
    if group_keys:
        goods.included_categories.set(groups.category_keys(group_keys))
    return goods


def _make_benefit(terms: CouponTerms, goods: Any) -> Any:
    match terms.kind:
        case CouponKind.PERCENT:
            return Benefit.objects.create(type=Benefit.PERCENTAGE, value=terms.percent, range=goods)
        case CouponKind.FIXED:
            return Benefit.objects.create(type=Benefit.FIXED, value=terms.amounts[site.CHANNEL], range=goods)
        case CouponKind.FREE_SHIPPING:  # Oscar: a discount on shipping has no range
            return Benefit.objects.create(type=Benefit.SHIPPING_PERCENTAGE, value=100)


def _make_condition(terms: CouponTerms, goods: Any, label: str) -> Any:
    """Make the condition: one of the goods in the basket, or so much money's worth of whatever is in it.

    Free shipping for some goods counts the money of these only: Oscar has one condition, which must name them.
    """
    least = terms.min_spend.get(site.CHANNEL)
    if least is None:
        return Condition.objects.create(type=Condition.COUNT, value=1, range=goods)
    is_for_all = goods.includes_all_products or terms.kind is CouponKind.FREE_SHIPPING
    counted = goods if is_for_all else _make_range(_everything(label))
    return Condition.objects.create(type=Condition.VALUE, value=least, range=counted)


def _everything(label: str) -> str:
    """Return the name of the range of everything that a series has beside the range of its goods."""
    return f"{label} (all)"


def _check_amounts(field: str, amounts: Mapping[str, Decimal]) -> None:
    for amount in amounts.values():
        if not 0 < amount < _MOST or amount != round(amount, 2):
            raise InvalidInput("An amount above 0 with at most two decimal places.", field=field)


def _check_goods(terms: CouponTerms) -> None:
    keys = primary_keys(Product, terms.product_ids)
    found = Product.objects.filter(pk__in=keys, parent=None).values_list("pk", flat=True) if keys else ()
    _refuse_missing("product_ids", set(terms.product_ids) - set(map(str, found)))
    known = groups.groups(terms.group_keys, language="") if terms.group_keys else ()
    _refuse_missing("group_keys", set(terms.group_keys) - set(known))


def _refuse_missing(field: str, missing: Collection[str]) -> None:
    if missing:
        raise InvalidInput(f"The shop has no {', '.join(sorted(missing))}.", field=field, code="NOT_FOUND")
