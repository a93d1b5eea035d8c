"""The contract: coupons, redeemed by orders that the shop really takes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm_plugin import clock
from crm_plugin.errors import InvalidInput, NotFound
from crm_plugin.models import Inbox
from crm_plugin.shop import CouponKind, CouponTerms, FactKind
from tests.shop_contract.asking import NOWHERE, PRICE, find_facts, make_ref
from tests.shop_contract.world import World

GUEST = "guest@example.com"
TENTH = CouponTerms(kind=CouponKind.PERCENT, percent=Decimal(10))


@pytest.mark.django_db
class CouponContract:
    """Coupons."""

    def test_a_code_is_worth_its_part_of_a_real_order(self, world: World) -> None:
        ref = make_ref(world)
        issue(world, TENTH, "TENTH")

        plain, reduced = order(world, ref, "", quantity=2), order(world, ref, "TENTH", quantity=2)

        assert total(world, plain) - total(world, reduced) == PRICE * 2 / 10
        assert world.shop.orders([plain, reduced])[reduced].coupon_codes == ("TENTH",)
        assert world.shop.orders([plain])[plain].coupon_codes == ()

    def test_a_fixed_amount_is_taken_off_once(self, world: World) -> None:
        ref, channel = make_ref(world), world.shop.channels()[0].slug
        issue(world, CouponTerms(kind=CouponKind.FIXED, amounts={channel: Decimal("7.50")}), "FIXED")

        plain, reduced = order(world, ref, "", quantity=3), order(world, ref, "FIXED", quantity=3)

        assert total(world, plain) - total(world, reduced) == Decimal("7.50")

    def test_free_shipping_leaves_the_price_of_the_goods(self, world: World) -> None:
        ref = make_ref(world)
        issue(world, CouponTerms(kind=CouponKind.FREE_SHIPPING), "SHIP")

        plain, reduced = order(world, ref, ""), order(world, ref, "SHIP")

        assert total(world, reduced) == PRICE
        assert total(world, plain) >= PRICE
        assert world.shop.orders([reduced])[reduced].coupon_codes == ("SHIP",)

    def test_a_code_is_good_for_one_order(self, world: World) -> None:
        ref = make_ref(world)
        issue(world, TENTH, "ONCE", "OTHER")
        before = world.shop.coupons(["ONCE"])["ONCE"]

        order(world, ref, "ONCE")

        after = world.shop.coupons(["ONCE"])["ONCE"]
        assert (before.is_usable, before.is_used, before.is_personal) == (True, False, True)
        assert (after.is_usable, after.is_used, after.is_personal) == (False, True, True)
        assert not world.place_order_with([(ref, 1)], "ONCE", email="other@example.com")
        assert world.shop.coupons(["OTHER"])["OTHER"].is_usable

    def test_the_code_of_a_cancelled_order_is_released_and_used_by_another_order(self, world: World) -> None:
        ref = make_ref(world)
        issue(world, TENTH, "AGAIN")
        cancelled = order(world, ref, "AGAIN")
        world.cancel_order(cancelled)

        for _twice in range(2):
            world.shop.release_coupons(["AGAIN", "UNKNOWN"], order_ref=cancelled)

        assert world.shop.coupons(["AGAIN"])["AGAIN"].is_usable
        assert order(world, ref, "AGAIN")
        assert not world.place_order_with([(ref, 1)], "AGAIN", email=GUEST)

    def test_an_order_that_did_not_use_a_code_releases_nothing(self, world: World) -> None:
        ref = make_ref(world)
        issue(world, TENTH, "MINE")
        order(world, ref, "MINE")
        other = order(world, ref, "")

        world.shop.release_coupons(["MINE"], order_ref=other)
        world.shop.release_coupons(["MINE"], order_ref=NOWHERE)

        assert world.shop.coupons(["MINE"])["MINE"].is_used

    def test_a_code_ends_with_its_series(self, world: World) -> None:
        ends_at = clock.now().replace(microsecond=0) + timedelta(days=7)
        issue(world, TENTH, "WEEK")
        series = world.shop.open_coupon_series(TENTH, name="Week", ends_at=ends_at)
        world.shop.add_coupons(series, ["ENDING"])
        over = world.shop.open_coupon_series(TENTH, name="Over", ends_at=clock.now() - timedelta(minutes=1))
        world.shop.add_coupons(over, ["OVER"])

        found = world.shop.coupons(["WEEK", "ENDING", "OVER"])

        assert (found["WEEK"].ends_at, found["ENDING"].ends_at) == (None, ends_at)
        assert (found["ENDING"].is_usable, found["OVER"].is_usable) == (True, False)
        assert not world.place_order_with([(make_ref(world), 1)], "OVER", email=GUEST)

    def test_a_taken_code_is_left_out(self, world: World) -> None:
        issue(world, TENTH, "TAKEN")
        world.make_voucher("SPRING")
        series = world.shop.open_coupon_series(TENTH, name="Other", ends_at=None)

        made = world.shop.add_coupons(series, ["TAKEN", "SPRING", "FREE"])

        assert made == {"FREE"}
        assert set(world.shop.coupons(["TAKEN", "SPRING", "FREE"])) == {"TAKEN", "SPRING", "FREE"}

    def test_codes_are_known_by_what_was_asked_for_and_unknown_ones_are_left_out(self, world: World) -> None:
        world.make_voucher("SPRING")
        issue(world, TENTH, "MINE")

        found = world.shop.coupons(["SPRING", "MINE", "NOBODYS", ""])

        assert {code: (one.code, one.is_personal) for code, one in found.items()} == {
            "SPRING": ("SPRING", False),
            "MINE": ("MINE", True),
        }
        assert not world.shop.coupons([])

    def test_a_code_for_some_products_is_good_for_these_only(self, world: World) -> None:
        mug, bowl = make_ref(world, name="Mug"), make_ref(world, name="Bowl")
        issue(world, CouponTerms(kind=CouponKind.PERCENT, percent=Decimal(20), product_ids=(mug.product_id,)), "MUG")

        refused = world.place_order_with([(bowl, 1)], "MUG", email=GUEST)
        plain, reduced = order(world, mug, ""), order(world, mug, "MUG")

        assert not refused
        assert total(world, plain) - total(world, reduced) == PRICE / 5

    def test_a_code_for_a_category_is_good_for_what_is_in_it(self, world: World) -> None:
        scents, rose, mug = world.make_category("Scents"), make_ref(world, name="Rose"), make_ref(world, name="Mug")
        world.put_in(rose, scents)
        issue(world, CouponTerms(kind=CouponKind.PERCENT, percent=Decimal(20), group_keys=(scents,)), "SCENT")

        refused = world.place_order_with([(mug, 1)], "SCENT", email=GUEST)
        plain, reduced = order(world, rose, ""), order(world, rose, "SCENT")

        assert not refused
        assert total(world, plain) - total(world, reduced) == PRICE / 5

    def test_a_code_with_a_minimum_is_refused_below_it(self, world: World) -> None:
        ref, channel = make_ref(world), world.shop.channels()[0].slug
        terms = CouponTerms(kind=CouponKind.PERCENT, percent=Decimal(10), min_spend={channel: 2 * PRICE})
        issue(world, terms, "MUCH")

        below = world.place_order_with([(ref, 1)], "MUCH", email=GUEST)

        assert not below
        assert world.shop.coupons(["MUCH"])["MUCH"].is_usable
        assert order(world, ref, "MUCH", quantity=2)

    @pytest.mark.parametrize(
        ("field", "wrong"),
        [
            ("shop_channels", {"shop_channels": ("nowhere",)}),
            ("min_spend", {"min_spend": {"nowhere": Decimal(1)}}),
            ("product_ids", {"product_ids": (NOWHERE,)}),
            ("product_ids", {"product_ids": ("x",)}),
            ("group_keys", {"group_keys": (f"category:{NOWHERE}",)}),
            ("group_keys", {"group_keys": ("x",)}),
        ],
    )
    def test_what_the_shop_does_not_have_is_refused_by_its_field(
        self, world: World, field: str, wrong: dict[str, Any]
    ) -> None:
        terms = CouponTerms(kind=CouponKind.PERCENT, percent=Decimal(10), **wrong)

        for ask in (
            partial(world.shop.check_coupon_terms, terms),
            partial(world.shop.open_coupon_series, terms, name="Wrong", ends_at=None),
        ):
            with pytest.raises(InvalidInput) as refused:
                ask()
            assert refused.value.field.partition(".")[0] == field

    def test_an_amount_in_a_channel_that_is_not_there_is_refused(self, world: World) -> None:
        with pytest.raises(InvalidInput) as refused:
            world.shop.check_coupon_terms(CouponTerms(kind=CouponKind.FIXED, amounts={"nowhere": Decimal(5)}))

        assert refused.value.field.partition(".")[0] == "amounts"

    def test_unused_codes_are_dropped_and_used_ones_stay(self, world: World) -> None:
        ref = make_ref(world)
        series = issue(world, TENTH, "USED", "UNUSED", "LEFT")
        used_by = order(world, ref, "USED")

        world.shop.drop_coupons(["USED", "UNUSED", "UNKNOWN"])

        assert set(world.shop.coupons(["USED", "UNUSED", "LEFT"])) == {"USED", "LEFT"}
        assert world.shop.orders([used_by])[used_by].coupon_codes == ("USED",)
        assert world.shop.add_coupons(series, ["MORE"]) == {"MORE"}

    def test_a_series_goes_with_the_last_of_its_codes(self, world: World) -> None:
        series = issue(world, TENTH, "FIRST", "SECOND")

        world.shop.drop_coupons(["FIRST"])
        world.shop.drop_coupons(["SECOND"])

        with pytest.raises(NotFound):
            world.shop.add_coupons(series, ["THIRD"])

    def test_a_series_that_staff_deleted_takes_no_codes(self, world: World) -> None:
        series = issue(world, TENTH, "MINE")

        world.delete_series(series)

        assert not world.shop.coupons(["MINE"])
        for gone in (series, NOWHERE, "x", ""):
            with pytest.raises(NotFound):
                world.shop.add_coupons(gone, ["MORE"])

    def test_a_code_that_staff_deleted_is_unknown_and_its_series_goes_on(self, world: World) -> None:
        series = issue(world, TENTH, "GONE", "KEPT")

        world.delete_coupon("GONE")

        assert set(world.shop.coupons(["GONE", "KEPT"])) == {"KEPT"}
        assert world.shop.add_coupons(series, ["MORE"]) == {"MORE"}

    def test_codes_for_persons_are_no_news_for_everybody(self, world: World) -> None:
        issue(world, TENTH, "MINE", "YOURS")

        told = {fact.subject for fact in find_facts(world.shop, FactKind.VOUCHER_CREATED)}
        told |= set(Inbox.objects.filter(kind=FactKind.VOUCHER_CREATED).values_list("subject", flat=True))

        assert {voucher.code for voucher in world.shop.vouchers(told, among=[]).values()} <= {""}

    def test_a_use_is_told_under_the_key_of_its_order(self, world: World) -> None:
        issue(world, TENTH, "KEYED")

        ref = order(world, make_ref(world), "KEYED")

        told = {fact.source_key for fact in find_facts(world.shop, FactKind.COUPON_USED)}
        told |= set(Inbox.objects.filter(kind=FactKind.COUPON_USED).values_list("source_key", flat=True))
        assert told <= {f"order:{ref}:coupon:KEYED"}

    def test_the_number_of_queries_does_not_grow_with_the_codes(self, world: World) -> None:
        series = world.shop.open_coupon_series(TENTH, name="Many", ends_at=None)
        many = [f"MANY{number}" for number in range(25)]
        ref = order(world, make_ref(world), "")

        for ask in (
            lambda codes: world.shop.add_coupons(series, codes),
            world.shop.coupons,
            lambda codes: world.shop.release_coupons(codes, order_ref=ref),
            lambda codes: world.shop.drop_coupons(codes[:-1]),
        ):
            assert queries(partial(ask, many[:2])) == queries(partial(ask, many[2:]))

    def test_customers_without_gift_cards_have_no_balance(self, world: World) -> None:
        customer_id = world.make_customer(email="ann@example.com")

        assert not world.shop.gift_card_balances([customer_id, NOWHERE, "x", ""])


def issue(world: World, terms: CouponTerms, *codes: str) -> str:
    """Open a series without an end, with these codes; return its ref."""
    series = world.shop.open_coupon_series(terms, name="Offer", ends_at=None)
    assert world.shop.add_coupons(series, codes) == set(codes)
    return series


def order(world: World, ref: Any, code: str, *, quantity: int = 1) -> str:
    """Return an order of a guest's with the code, which the shop takes."""
    order_ref = world.place_order_with([(ref, quantity)], code, email=GUEST)
    assert order_ref, f"{code} was refused"
    return order_ref


def total(world: World, order_ref: str) -> Decimal:
    """Return what the order costs."""
    return world.shop.orders([order_ref])[order_ref].total.amount


def queries(ask: Callable[[], Any]) -> int:
    """Return how many queries it takes."""
    with CaptureQueriesContext(connection) as seen:
        ask()
    return len(seen)
