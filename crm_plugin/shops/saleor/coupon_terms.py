"""What coupons are worth, as a voucher of Saleor's: one for a series of codes that one order each can use.

Three things are not as Saleor's dashboard would make them. A fixed amount for some goods is taken off once an order,
from the cheapest of them: Saleor would take it off every unit. A category covers what is below it, as everywhere in the
CRM: Saleor looks at the product's own category only. And there is no usage limit: that would be of all codes together.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, assert_never

from saleor.channel.models import Channel
from saleor.core.prices import quantize_price
from saleor.discount import DiscountValueType, VoucherType
from saleor.discount.models import Voucher, VoucherChannelListing
from saleor.product.models import Product

from crm_plugin import clock
from crm_plugin.errors import InvalidInput
from crm_plugin.shop import CouponKind, CouponTerms, GroupKind
from crm_plugin.shops.saleor import groups, marks, nowhere
from crm_plugin.shops.saleor.people import as_pks

#: Saleor keeps so many places of a percentage.
_PLACES: Final = Decimal("0.001")


@dataclass(frozen=True, slots=True)
class _Channel:
    pk: int
    currency: str
    is_active: bool


def check(terms: CouponTerms) -> None:
    """Refuse what Saleor cannot offer.

    Raises:
        InvalidInput: with the wrong field.
    """
    _worth(terms, _channels())
    _refuse_unknown_goods(terms)


def make_voucher(terms: CouponTerms, *, name: str, ends_at: datetime | None) -> Voucher:
    """Make the voucher of a series, without codes yet. Must run in a transaction.

    Raises:
        InvalidInput: as ``check``.
    """
    channels = _channels()
    worth = _worth(terms, channels)
    _refuse_unknown_goods(terms)
    has_goods = bool(terms.product_ids or terms.group_keys)
    is_fixed = terms.kind is CouponKind.FIXED
    voucher = Voucher.objects.create(
        type=_type(terms.kind, has_goods=has_goods),
        name=name,
        discount_value_type=DiscountValueType.FIXED if is_fixed else DiscountValueType.PERCENTAGE,
        start_date=clock.now(),
        end_date=ends_at,
        single_use=True,
        apply_once_per_order=is_fixed and has_goods,
        private_metadata={marks.SERIES: _kept_end(ends_at)},
    )
    VoucherChannelListing.objects.bulk_create(
        VoucherChannelListing(
            voucher=voucher,
            channel_id=channels[slug].pk,
            currency=channels[slug].currency,
            discount_value=value,
            min_spent_amount=terms.min_spend.get(slug),
        )
        for slug, value in worth.items()
    )
    if has_goods:
        voucher.products.add(*as_pks(terms.product_ids))
        voucher.categories.add(*groups.with_those_below(terms.group_keys))
        voucher.collections.add(*groups.pks_of(terms.group_keys, GroupKind.COLLECTION))
        nowhere.name_it_too(voucher)
    return voucher


def has_another_end(voucher: Voucher) -> bool:
    """Whether a series does not end when it was to end."""
    return voucher.private_metadata.get(marks.SERIES) != _kept_end(voucher.end_date)


def _kept_end(ends_at: datetime | None) -> str:
    return ends_at.astimezone(UTC).isoformat() if ends_at is not None else ""


def _type(kind: CouponKind, *, has_goods: bool) -> str:
    kind_of_voucher: str = VoucherType.SPECIFIC_PRODUCT if has_goods else VoucherType.ENTIRE_ORDER
    return VoucherType.SHIPPING if kind is CouponKind.FREE_SHIPPING else kind_of_voucher


def _channels() -> dict[str, _Channel]:
    rows = Channel.objects.order_by("pk").values_list("slug", "pk", "currency_code", "is_active")
    return {slug: _Channel(*row) for slug, *row in rows}


def _worth(terms: CouponTerms, channels: Mapping[str, _Channel]) -> dict[str, Decimal]:
    """Return what is taken off, by the slug of each channel that it is good in.

    A fixed coupon that names no channels is good in those that it has an amount for.
    """
    for field in ("shop_channels", "amounts", "min_spend"):
        _refuse_unknown(field, set(getattr(terms, field)) - channels.keys())
    _refuse_wrong_prices("amounts", terms.amounts, channels)
    _refuse_wrong_prices("min_spend", terms.min_spend, channels)
    named = terms.shop_channels or [slug for slug, channel in channels.items() if channel.is_active]
    if not named:
        raise InvalidInput("The shop has no active channel.", field="shop_channels")
    match terms.kind:
        case CouponKind.FIXED:
            return _amounts(terms, terms.shop_channels or terms.amounts)
        case CouponKind.PERCENT:
            return dict.fromkeys(named, _percent(terms.percent))
        case CouponKind.FREE_SHIPPING:
            if terms.product_ids or terms.group_keys:
                field = "product_ids" if terms.product_ids else "group_keys"
                raise InvalidInput("Saleor delivers an order for free whatever is in it.", field=field)
            return dict.fromkeys(named, Decimal(100))
        case _:
            assert_never(terms.kind)


def _amounts(terms: CouponTerms, slugs: Collection[str]) -> dict[str, Decimal]:
    without = sorted(slug for slug in slugs if terms.amounts.get(slug, 0) <= 0)
    if without or not slugs:
        raise InvalidInput(f"An amount above 0 in each channel: {', '.join(without)}", field="amounts")
    return {slug: terms.amounts[slug] for slug in slugs}


def _percent(percent: Decimal | None) -> Decimal:
    if percent is None or not 0 < percent <= 100 or percent != percent.quantize(_PLACES):
        raise InvalidInput("Above 0 and up to 100, of at most three places.", field="percent")
    return percent


def _refuse_wrong_prices(field: str, prices: Mapping[str, Decimal], channels: Mapping[str, _Channel]) -> None:
    for slug, amount in prices.items():
        currency = channels[slug].currency
        if amount < 0 or amount != quantize_price(amount, currency):
            raise InvalidInput(f"{amount} is no amount of {currency}, the currency of {slug}.", field=field)


def _refuse_unknown_goods(terms: CouponTerms) -> None:
    if terms.product_ids:
        pks = Product.objects.filter(pk__in=as_pks(terms.product_ids)).order_by().values_list("pk", flat=True)
        _refuse_unknown("product_ids", set(terms.product_ids) - {str(pk) for pk in pks})
    if terms.group_keys:
        _refuse_unknown("group_keys", set(terms.group_keys) - groups.groups(terms.group_keys, language="").keys())


def _refuse_unknown(field: str, unknown: Collection[str]) -> None:
    if unknown:
        raise InvalidInput(f"Saleor has no {', '.join(sorted(unknown))}.", field=field, code="NOT_FOUND")
