"""The coupons of the FakeShop: series, their codes, and what is left on gift cards."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from crm_plugin import clock
from crm_plugin.errors import InvalidInput, NotFound
from crm_plugin.money import Money
from crm_plugin.shop import CouponKind, CouponTerms, ProductRef, ShopChannel, ShopCoupon
from tests.fake_catalogue import FakeCatalogue


@dataclass(slots=True)
class FakeSeries:
    """A series as a test holds it. ``is_useless``: staff took away what made its codes worth something."""

    series_ref: str
    terms: CouponTerms
    name: str
    ends_at: datetime | None
    is_useless: bool = False


@dataclass(slots=True, kw_only=True)
class FakeCoupon:
    """A code as a test holds it; ``series_ref`` is empty when the merchant made it in the shop itself."""

    code: str
    name: str
    series_ref: str = ""
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    is_personal: bool = True
    order_refs: set[str] = field(default_factory=set)

    @property
    def is_used(self) -> bool:
        """Whether it is used up."""
        return self.is_personal and bool(self.order_refs)

    def is_usable(self) -> bool:
        """Whether an order could use it now."""
        now = clock.now()
        has_begun = self.starts_at is None or self.starts_at <= now
        return has_begun and (self.ends_at is None or now < self.ends_at) and not self.is_used


class FakeCoupons(FakeCatalogue):
    """The coupons of the port in memory.

    Attributes:
        taken_codes: codes that ``add_coupons`` finds taken, in any case, by whatever else the shop has.
        refuse_terms: raised by whatever looks at terms, instead of the fake's own rules.
        balances: what ``gift_card_balances`` answers: by customer id, by currency.
    """

    def __init__(self, channels: Sequence[ShopChannel]) -> None:
        super().__init__(channels)
        self.taken_codes: set[str] = set()
        self.refuse_terms: InvalidInput | None = None
        self.balances: dict[str, dict[str, Decimal]] = {}
        self.series_rows: dict[str, FakeSeries] = {}
        self.coupon_rows: dict[str, FakeCoupon] = {}
        self._series_count = 0

    # What a merchant does behind the CRM's back

    def add_shop_coupon(
        self,
        code: str,
        *,
        name: str = "",
        is_personal: bool = True,
        starts_at: datetime | None = None,
        ends_at: datetime | None = None,
    ) -> FakeCoupon:
        """Add a code that the merchant makes in the shop itself."""
        coupon = FakeCoupon(
            code=code, name=name or code.title(), is_personal=is_personal, starts_at=starts_at, ends_at=ends_at
        )
        self.coupon_rows[code.upper()] = coupon
        return coupon

    def delete_coupon(self, code: str) -> None:
        """Delete a code in the shop."""
        del self.coupon_rows[code.upper()]

    def delete_series(self, series_ref: str) -> None:
        """Delete a series in the shop, with all its codes."""
        del self.series_rows[series_ref]
        self.coupon_rows = {key: row for key, row in self.coupon_rows.items() if row.series_ref != series_ref}

    def use_coupons(self, codes: Collection[str], *, order_ref: str) -> None:
        """Let an order use these codes, whether or not it could: a test says what happened."""
        for code in codes:
            if code.upper() in self.coupon_rows:
                self.coupon_rows[code.upper()].order_refs.add(order_ref)

    def would_take(self, code: str, ref: ProductRef, *, quantity: int = 1) -> bool:
        """Whether the shop would take the code for an order of so many units of a variant."""
        row = self.coupon_rows.get(code.upper())
        if row is None or not row.is_usable():
            return False
        series = self.series_rows.get(row.series_ref)
        if series is None:
            return not row.series_ref
        product, terms = self.products[ref.product_id], series.terms
        price = next(offer.price for offer in product.offers(ref.shop_channel) if offer.variant_id == ref.variant_id)
        groups = self.with_those_above(product.group_keys)
        is_for_it = ref.product_id in terms.product_ids or not groups.isdisjoint(terms.group_keys)
        return (
            not series.is_useless
            and (is_for_it or not (terms.product_ids or terms.group_keys))
            and ref.shop_channel in (terms.shop_channels or self._channels)
            and price.amount * quantity >= terms.min_spend.get(ref.shop_channel, Decimal(0))
        )

    def discounted(self, total: Money, codes: Collection[str]) -> Money:
        """Return what is left of a total after the codes of series, whatever they are good for."""
        for code in codes:
            row = self.coupon_rows.get(code.upper())
            if row is not None and row.series_ref in self.series_rows:
                total = _less(total, self.series_rows[row.series_ref].terms, self._channel_of(total.currency))
        return total

    # The port

    def check_coupon_terms(self, terms: CouponTerms) -> None:
        """Refuse channels, products and groups that are not there, and what makes no sense."""
        if self.refuse_terms is not None:
            raise self.refuse_terms
        named = {"shop_channels": terms.shop_channels, "amounts": terms.amounts, "min_spend": terms.min_spend}
        for name, slugs in named.items():
            _refuse_unknown(name, set(slugs) - set(self._channels))
        _refuse_unknown("product_ids", set(terms.product_ids) - set(self.products))
        _refuse_unknown("group_keys", set(terms.group_keys) - set(self.group_rows))
        match terms.kind:
            case CouponKind.PERCENT if terms.percent is None or not 0 < terms.percent <= 100:
                raise InvalidInput("Above 0 and up to 100.", field="percent")
            case CouponKind.FIXED if not terms.amounts or min(terms.amounts.values()) <= 0:
                raise InvalidInput("An amount above 0.", field="amounts")

    def open_coupon_series(self, terms: CouponTerms, *, name: str, ends_at: datetime | None) -> str:
        """Keep a series."""
        self.check_coupon_terms(terms)
        self._series_count += 1
        ref = f"S{self._series_count}"
        self.series_rows[ref] = FakeSeries(ref, terms, name, ends_at)
        return ref

    def add_coupons(self, series_ref: str, codes: Collection[str]) -> frozenset[str]:
        """Keep the codes that are not taken."""
        series = self.series_rows.get(series_ref)
        if series is None or series.is_useless:
            raise NotFound(f"There is no series {series_ref}.")
        taken = {code.upper() for code in self.taken_codes}
        made = [code for code in codes if code.upper() not in taken and self._row(code) is None]
        for code in made:
            self.coupon_rows[code.upper()] = FakeCoupon(
                code=code, name=series.name, series_ref=series_ref, ends_at=series.ends_at
            )
        return frozenset(made)

    def coupons(self, codes: Collection[str]) -> Mapping[str, ShopCoupon]:
        """Return the codes, found in any case."""
        known = {code: self._row(code) for code in codes}
        return {code: self._coupon(row) for code, row in known.items() if row is not None}

    def release_coupons(self, codes: Collection[str], *, order_ref: str) -> None:
        """Forget that the order used them."""
        for code in codes:
            if code.upper() in self.coupon_rows:
                self.coupon_rows[code.upper()].order_refs.discard(order_ref)

    def drop_coupons(self, codes: Collection[str]) -> None:
        """Delete the codes that nobody used, and the series of which none is left."""
        doomed = {code.upper() for code in codes}
        gone = {key: row for key, row in self.coupon_rows.items() if key in doomed and not row.order_refs}
        self.coupon_rows = {key: row for key, row in self.coupon_rows.items() if key not in gone}
        left = {row.series_ref for row in self.coupon_rows.values()}
        for series_ref in {row.series_ref for row in gone.values()} - left:
            self.series_rows.pop(series_ref, None)

    def gift_card_balances(self, customer_ids: Collection[str]) -> Mapping[str, Mapping[str, Decimal]]:
        """Return ``balances`` of these customers."""
        return {key: self.balances[key] for key in customer_ids if self.balances.get(key)}

    def _row(self, code: str) -> FakeCoupon | None:
        """Return the coupon, or the voucher for everybody, of that code."""
        for voucher in self.voucher_rows.values():
            if voucher.code and voucher.code.upper() == code.upper():
                return FakeCoupon(
                    code=voucher.code,
                    name=voucher.name,
                    starts_at=voucher.starts_at,
                    ends_at=voucher.ends_at,
                    is_personal=False,
                )
        return self.coupon_rows.get(code.upper())

    def _coupon(self, row: FakeCoupon) -> ShopCoupon:
        series = self.series_rows.get(row.series_ref)
        return ShopCoupon(
            code=row.code,
            name=row.name,
            is_usable=row.is_usable() and not (series is not None and series.is_useless),
            is_used=row.is_used,
            is_personal=row.is_personal,
            ends_at=row.ends_at,
        )

    def _channel_of(self, currency: str) -> str:
        return next(slug for slug, channel in self._channels.items() if channel.currency == currency)


def _refuse_unknown(name: str, unknown: Collection[str]) -> None:
    if unknown:
        raise InvalidInput(f"The shop has no {', '.join(sorted(unknown))}.", field=name, code="NOT_FOUND")


def _less(total: Money, terms: CouponTerms, shop_channel: str) -> Money:
    match terms.kind:
        case CouponKind.PERCENT:
            off = total.amount * (terms.percent or Decimal(0)) / 100
        case CouponKind.FIXED:
            off = terms.amounts.get(shop_channel, Decimal(0))
        case CouponKind.FREE_SHIPPING:
            off = Decimal(0)
    return Money(max(total.amount - off, Decimal(0)), total.currency)
