"""What the tests of coupons do in an Oscar shop again and again."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from oscar.core.loading import get_model

from crm_plugin import clock
from crm_plugin.shop import CouponKind, CouponTerms, ProductRef
from crm_plugin.shops.oscar import site
from tests.shops.oscar.world import OscarWorld

Order = get_model("order", "Order")

GUEST: Final = "guest@example.com"
TENTH: Final = CouponTerms(kind=CouponKind.PERCENT, percent=Decimal(10))
FIVE_OFF: Final = CouponTerms(kind=CouponKind.FIXED, amounts={site.CHANNEL: Decimal(5)})


def make(world: OscarWorld, name: str, price: str) -> ProductRef:
    """Make a product."""
    return world.make_product(prices=[Decimal(price)], stocks=[50], name=name)[0]


def issue(world: OscarWorld, terms: CouponTerms, *codes: str, name: str = "Welcome") -> str:
    """Open a series that is good for a week, with these codes; return its ref."""
    series = world.shop.open_coupon_series(terms, name=name, ends_at=clock.now() + timedelta(days=7))
    assert world.shop.add_coupons(series, codes) == set(codes)
    return series


def order(world: OscarWorld, ref: ProductRef, code: str = "", *, quantity: int = 1) -> Any:
    """Return the order of a guest's who typed in the code, which the shop took."""
    key = world.place_order_with([(ref, quantity)], code, email=GUEST)
    assert key
    return Order.objects.get(pk=key)
