"""The FakeShop keeps the contract of the port, so that tests on it mean something."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

import pytest

from crm_plugin import clock
from crm_plugin.errors import InvalidInput
from crm_plugin.shop import (
    Actor,
    CouponKind,
    CouponTerms,
    Fact,
    FactKind,
    GroupKind,
    NewReview,
    OrderState,
    Permission,
    Position,
    ProductRef,
)
from tests.fake_shop import FakeContext, FakeShop
from tests.shop_contract import Lines, ShopContract

TENTH = CouponTerms(kind=CouponKind.PERCENT, percent=Decimal(10))


class FakeWorld:
    """Rows of the FakeShop."""

    keeps_reviews = True

    def __init__(self, shop: FakeShop) -> None:
        self.shop = shop
        shop.keeps_reviews = True

    def make_customer(self, *, email: str, first_name: str = "", last_name: str = "") -> str:
        return self.shop.add_customer(email=email, first_name=first_name, last_name=last_name).customer_id

    def delete_customer(self, customer_id: str) -> None:
        self.shop.delete_customer(customer_id)

    def make_product(self, *, prices: Sequence[Decimal], stocks: Sequence[int], name: str) -> Sequence[ProductRef]:
        product = self.shop.add_product(price=prices[0], stock=stocks[0], name=name)
        more = zip(prices[1:], stocks[1:], strict=True)
        return [product.ref, *(self.shop.add_variant(product, price=price, stock=stock) for price, stock in more)]

    def set_price(self, ref: ProductRef, price: Decimal) -> None:
        self.shop.set_price(ref, price)

    def set_stock(self, ref: ProductRef, available: int) -> None:
        self.shop.set_stock(ref, available)

    def unpublish(self, ref: ProductRef) -> None:
        self.shop.unpublish(ref)

    def delete_product(self, ref: ProductRef) -> None:
        self.shop.delete_product(ref)

    def unsettle(self, ref: ProductRef) -> bool:
        self.shop.unsettle(ref)
        return True

    def make_category(self, name: str, *, parent: str = "") -> str:
        return self.shop.add_group(name, parent=self.shop.group_rows[parent] if parent else None).key

    def make_collection(self, name: str) -> str:
        return self.shop.add_group(name, kind=GroupKind.COLLECTION).key

    def put_in(self, ref: ProductRef, *keys: str) -> None:
        self.shop.put_in(self.shop.products[ref.product_id], *(self.shop.group_rows[key] for key in keys))

    def make_voucher(
        self,
        code: str,
        *refs: ProductRef,
        group: str = "",
        starts_at: datetime | None = None,
        is_personal: bool = False,
    ) -> str:
        products = [self.shop.products[ref.product_id] for ref in refs]
        row = self.shop.add_voucher(
            "" if is_personal else code,
            *products,
            group=self.shop.group_rows[group] if group else None,
            starts_at=starts_at,
        )
        return row.voucher_ref

    def delete_voucher(self, voucher_ref: str) -> None:
        del self.shop.voucher_rows[voucher_ref]

    def make_cart(self, lines: Lines, *, customer_id: str = "", email: str = "") -> str:
        ((ref, quantity),) = lines
        return self.shop.add_cart(ref, customer_id=customer_id, email=email, quantity=quantity).cart_ref

    def place_order(self, lines: Lines, *, customer_id: str = "", email: str = "", cart_ref: str = "") -> str:
        ((ref, quantity),) = lines
        order = self.shop.place_order(ref, customer_id=customer_id, email=email, cart_ref=cart_ref, quantity=quantity)
        return order.order_ref

    def place_order_with(self, lines: Lines, coupon_code: str, *, email: str) -> str:
        ((ref, quantity),) = lines
        if coupon_code and not self.shop.would_take(coupon_code, ref, quantity=quantity):
            return ""
        codes = [coupon_code] if coupon_code else []
        return self.shop.place_order(ref, email=email, quantity=quantity, coupon_codes=codes).order_ref

    def delete_coupon(self, code: str) -> None:
        self.shop.delete_coupon(code)

    def delete_series(self, series_ref: str) -> None:
        self.shop.delete_series(series_ref)

    def make_review(self, ref: ProductRef, *, rating: int, customer_id: str, title: str = "", body: str = "") -> str:
        who = self.shop.customer_rows[customer_id]
        review = self.shop.write_review(
            ref.product_id, rating=rating, title=title, body=body, customer_id=customer_id, email=who.email
        )
        return review.review_ref

    def delete_review(self, review_ref: str) -> None:
        del self.shop.review_rows[review_ref]

    def make_draft_order(self, lines: Lines, *, customer_id: str) -> str:
        del lines, customer_id
        return ""

    def cancel_order(self, order_ref: str) -> None:
        self.shop.set_order_state(order_ref, OrderState.CANCELLED)

    def context(
        self, *, customer_id: str = "", is_staff: bool = False, permissions: Collection[Permission] = ()
    ) -> FakeContext:
        if is_staff:
            return FakeContext(Actor("1", "staff@example.com", is_staff=True, permissions=frozenset(permissions)))
        account = self.shop.customer_rows.get(customer_id)
        return FakeContext(Actor(account.customer_id, account.email) if account else Actor())


@pytest.fixture
def world(fake_shop: FakeShop) -> FakeWorld:
    return FakeWorld(fake_shop)


class TestFakeShop(ShopContract):
    """The contract suite, run on it."""


def test_a_test_may_listen_instead_of_the_engine() -> None:
    told: list[Fact] = []
    shop = FakeShop(tell=told.append)

    shop.like("1", shop.add_product().ref)

    assert [fact.kind for fact in told] == [FactKind.LIKED]


def test_a_shop_that_is_switched_off_tells_nothing() -> None:
    told: list[Fact] = []
    shop = FakeShop(tell=told.append)
    shop.is_enabled = False

    shop.like("1", shop.add_product().ref)

    assert told == []
    assert len(shop.likes("1")) == 1


def test_a_product_has_its_own_price_in_each_channel() -> None:
    shop = FakeShop()
    product = shop.add_product(price="10.00")
    shop.list_in(ProductRef(product.product_id, "kr", product.variant_id), price=15_000)

    (here,) = shop.offers([product.product_id], shop_channel="default")
    (there,) = shop.offers([product.product_id], shop_channel="kr")

    assert (here.price.currency, there.price.currency, there.price.amount) == ("EUR", "KRW", 15_000)


def test_an_order_appears_again_in_the_stream_with_its_new_state() -> None:
    shop = FakeShop()
    order = shop.place_order(shop.add_product().ref, email="guest@example.com")
    with clock.travel(by=timedelta(hours=1)):
        shop.set_order_state(order.order_ref, OrderState.PAID)

    page = shop.changed_since("orders", _position(shop, order.order_ref), limit=10)

    assert [fact.kind for fact in page.facts] == [FactKind.ORDERED, FactKind.PAID]


def _position(shop: FakeShop, order_ref: str) -> Position:
    return Position(shop.order_rows[order_ref].placed_at, order_ref)


def test_codes_that_something_else_has_are_taken_in_any_case() -> None:
    shop = FakeShop()
    shop.taken_codes.add("Summer")
    series = shop.open_coupon_series(TENTH, name="Offer", ends_at=None)

    assert shop.add_coupons(series, ["SUMMER", "WINTER"]) == {"WINTER"}


def test_terms_are_refused_as_a_test_says() -> None:
    shop = FakeShop()
    shop.refuse_terms = InvalidInput("Not here.", field="min_spend")

    for ask in (shop.check_coupon_terms, partial(shop.open_coupon_series, name="Offer", ends_at=None)):
        with pytest.raises(InvalidInput) as refused:
            ask(TENTH)
        assert refused.value.field == "min_spend"


def test_an_order_uses_what_a_test_says_and_says_so() -> None:
    shop = FakeShop()
    series = shop.open_coupon_series(TENTH, name="Offer", ends_at=clock.now() - timedelta(days=1))
    shop.add_coupons(series, ["OVER"])

    order = shop.place_order(shop.add_product(price=50).ref, coupon_codes=["OVER", "UNKNOWN"])

    assert (order.coupon_codes, order.total.amount) == (("OVER", "UNKNOWN"), 45)
    assert shop.coupons(["OVER"])["OVER"].is_used


def test_some_lines_of_an_order_come_back() -> None:
    shop = FakeShop()
    mug, bowl = shop.add_product().ref, shop.add_product().ref
    order = shop.place_order(mug, bowl, quantity=3)

    some = shop.refund_lines(order.order_ref, mug, quantity=1)
    rest = shop.refund_lines(order.order_ref)

    assert [line.refunded_quantity for line in some.lines] == [1, 0]
    assert [line.refunded_quantity for line in rest.lines] == [3, 3]


def test_a_shop_keeps_no_reviews_unless_a_test_says_so() -> None:
    shop = FakeShop()
    mug = shop.add_product()
    review = NewReview(
        product_id=mug.product_id,
        variant_id="",
        rating=5,
        title="",
        body="",
        author="Ann",
        customer_id="",
        email="ann@example.com",
        is_published=True,
    )

    before = shop.keep_review(review)
    shop.keeps_reviews = True

    assert (before, bool(shop.keep_review(review))) == ("", True)
    assert "reviews" in shop.streams()
