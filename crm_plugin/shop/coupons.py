"""Coupons: codes of one person's own, and what each of them is worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


class CouponKind(StrEnum):
    """What a coupon takes off."""

    PERCENT = "percent"
    FIXED = "fixed"
    FREE_SHIPPING = "free_shipping"


@dataclass(frozen=True, slots=True, kw_only=True)
class CouponTerms:
    """What a coupon is worth, where and for what.

    Attributes:
        percent: of a coupon of that kind, above 0 and up to 100.
        amounts: what a fixed one takes off, by the slug of the channel, in the channel's currency.
        min_spend: what the goods have to cost at least, by the slug of the channel.
        product_ids, group_keys: it is good for these only; both empty: for whatever is sold.
        shop_channels: where it is good; empty: in every active one.
    """

    kind: CouponKind
    percent: Decimal | None = None
    amounts: Mapping[str, Decimal] = field(default_factory=dict)
    min_spend: Mapping[str, Decimal] = field(default_factory=dict)
    product_ids: tuple[str, ...] = ()
    group_keys: tuple[str, ...] = ()
    shop_channels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopCoupon:
    """A code as the shop has it at this moment, whoever made it.

    Attributes:
        code: in the shop's own writing.
        name: of the voucher behind it.
        is_usable: an order could use it now; False as well before it begins and after it ended.
        is_used: an order has used it up.
        is_personal: it is good for one order only.
        ends_at: the moment from which it is no longer valid; None: it does not end.
    """

    code: str
    name: str
    is_usable: bool
    is_used: bool
    is_personal: bool
    ends_at: datetime | None = None
