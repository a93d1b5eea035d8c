"""Coupons in a real Oscar shop: vouchers of one person each, redeemed by real orders."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.timezone import localtime
from oscar.core.loading import get_model

from crm_plugin import activity, clock, contacts, coupons, merchant, pipeline
from crm_plugin.contacts import Person
from crm_plugin.models import Activity
from crm_plugin.shop import CouponKind, CouponTerms, FactKind, Position, ProductRef
from crm_plugin.shops.oscar import site
from tests.shops.oscar.coupon_story import FIVE_OFF, GUEST, TENTH, issue, make, order
from tests.shops.oscar.world import OscarWorld, User

Basket = get_model("basket", "Basket")
Order = get_model("order", "Order")
OrderDiscount = get_model("order", "OrderDiscount")
PaymentEvent = get_model("order", "PaymentEvent")
PaymentEventType = get_model("order", "PaymentEventType")
ShippingEvent = get_model("order", "ShippingEvent")
ShippingEventType = get_model("order", "ShippingEventType")
Voucher = get_model("voucher", "Voucher")
VoucherApplication = get_model("voucher", "VoucherApplication")

pytestmark = pytest.mark.django_db


@pytest.fixture
def ref(world: OscarWorld) -> ProductRef:
    return make(world, "Celadon bowl", "48.00")


def queries(ask: Callable[[], object]) -> int:
    with CaptureQueriesContext(connection) as seen:
        ask()
    return len(seen)


def test_an_order_says_what_the_code_took_off(world: OscarWorld, ref: ProductRef) -> None:
    issue(world, TENTH, "WELCOME7")

    placed = order(world, ref, "welcome7")

    (discount,) = OrderDiscount.objects.filter(order=placed)
    assert (discount.voucher_code, discount.amount) == ("WELCOME7", Decimal("4.80"))
    assert placed.lines.get().line_price_incl_tax == Decimal("43.20")
    assert Voucher.objects.get(code="WELCOME7").num_orders == 1


def test_of_two_baskets_with_the_same_code_one_becomes_an_order(world: OscarWorld, ref: ProductRef) -> None:
    issue(world, FIVE_OFF, "ONCE")
    baskets = [Basket.objects.get(pk=world.make_cart([(ref, 1)])) for _ in range(2)]
    for basket in baskets:
        basket.vouchers.add(Voucher.objects.get(code="ONCE"))

    world.check_out(baskets[0], email="first@example.com")
    with pytest.raises(ValueError, match="already been used"), transaction.atomic():
        world.check_out(baskets[1], email="second@example.com")

    assert VoucherApplication.objects.count() == Order.objects.count() == 1


def test_two_codes_of_a_series_do_not_add_up(world: OscarWorld, ref: ProductRef) -> None:
    issue(world, FIVE_OFF, "FIRST", "SECOND")
    shopper = Client()
    shopper.post(reverse("basket:add", kwargs={"pk": ref.product_id}), {"quantity": 2})

    for code in ("FIRST", "SECOND"):
        shopper.post(reverse("basket:vouchers-add"), {"code": code})

    assert [voucher.code for voucher in Basket.objects.get().vouchers.all()] == ["FIRST"]


def test_a_cancelled_order_gives_its_code_back(world: OscarWorld, ref: ProductRef) -> None:
    issue(world, FIVE_OFF, "AGAIN", "OTHER")
    cancelled, kept = order(world, ref, "AGAIN"), order(world, ref, "OTHER")
    cancelled.set_status("Cancelled")

    world.shop.release_coupons(["again", "OTHER"], order_ref=str(cancelled.pk))

    counts = dict(Voucher.objects.values_list("code", "num_orders"))
    assert counts == {"AGAIN": 0, "OTHER": 1}
    assert list(VoucherApplication.objects.values_list("order", flat=True)) == [kept.pk]
    assert order(world, ref, "AGAIN").total_discount_incl_tax == Decimal("5.00")


def test_free_shipping_takes_off_the_shipping_and_nothing_else(world: OscarWorld, ref: ProductRef) -> None:
    issue(world, CouponTerms(kind=CouponKind.FREE_SHIPPING), "SHIP")

    plain, free = order(world, ref), order(world, ref, "SHIP")

    assert plain.total_incl_tax - free.total_incl_tax == plain.shipping_incl_tax > free.shipping_incl_tax == 0
    assert free.lines.get().line_price_incl_tax == Decimal("48.00")


def test_free_shipping_for_some_goods_needs_one_of_them_in_the_basket(world: OscarWorld, ref: ProductRef) -> None:
    other = make(world, "Mug", "10.00")
    issue(world, CouponTerms(kind=CouponKind.FREE_SHIPPING, product_ids=(ref.product_id,)), "SHIP")

    refused = world.place_order_with([(other, 1)], "SHIP", email="guest@example.com")
    both = world.place_order_with([(other, 1), (ref, 1)], "SHIP", email="guest@example.com")

    assert refused == ""
    assert Order.objects.get(pk=both).shipping_incl_tax == 0


def test_a_minimum_counts_everything_in_the_basket(world: OscarWorld, ref: ProductRef) -> None:
    mug = make(world, "Mug", "30.00")
    terms = CouponTerms(
        kind=CouponKind.PERCENT,
        percent=Decimal(50),
        min_spend={site.CHANNEL: Decimal(70)},
        product_ids=(mug.product_id,),
    )
    issue(world, terms, "HALF")

    below = world.place_order_with([(mug, 2)], "HALF", email="guest@example.com")
    above = world.place_order_with([(mug, 1), (ref, 1)], "HALF", email="guest@example.com")

    assert below == ""
    assert Order.objects.get(pk=above).total_discount_incl_tax == Decimal("15.00")


def test_a_child_is_covered_by_its_parent(world: OscarWorld) -> None:
    small, large = world.make_product(prices=[Decimal(20), Decimal(30)], stocks=[5, 5], name="Shirt")
    issue(world, CouponTerms(kind=CouponKind.PERCENT, percent=Decimal(10), product_ids=(small.product_id,)), "SHIRT")

    assert order(world, large, "SHIRT").total_discount_incl_tax == Decimal("3.00")


def test_a_thousand_codes_cost_as_many_queries_as_ten(world: OscarWorld, ref: ProductRef) -> None:
    series = world.shop.open_coupon_series(TENTH, name="Many", ends_at=None)
    ten, thousand = ([f"{prefix}{number:04}" for number in range(count)] for prefix, count in (("A", 10), ("B", 1_000)))
    used = order(world, ref, "")

    for ask, most in (
        (partial(world.shop.add_coupons, series), 9),
        (world.shop.coupons, 1),
        (partial(world.shop.release_coupons, order_ref=str(used.pk)), 5),
    ):
        assert queries(partial(ask, ten)) == queries(partial(ask, thousand)) <= most

    # Django deletes a hundred rows at a time.
    assert queries(partial(world.shop.drop_coupons, thousand[1:])) <= queries(partial(world.shop.drop_coupons, ten)) + 9
    assert set(Voucher.objects.values_list("code", flat=True)) == {"B0000"}


def test_a_code_is_kept_in_upper_case_and_found_in_any(world: OscarWorld) -> None:
    series = world.shop.open_coupon_series(TENTH, name="Summer", ends_at=None)

    made = world.shop.add_coupons(series, ["summer-a1", "Summer-B2"])

    assert made == {"summer-a1", "Summer-B2"}
    assert {code: one.code for code, one in world.shop.coupons(["Summer-a1", "SUMMER-B2"]).items()} == {
        "Summer-a1": "SUMMER-A1",
        "SUMMER-B2": "SUMMER-B2",
    }
    assert world.shop.add_coupons(series, ["SUMMER-A1"]) == set()


def test_the_longest_name_and_code_fit_and_a_taken_name_is_a_taken_code(world: OscarWorld) -> None:
    code = "C" * 64
    series = issue(world, TENTH, code, name="N" * 80)
    name = Voucher.objects.get().name
    Voucher.objects.filter(code=code).update(code="RENAMED")

    assert len(name) <= 128
    assert name.endswith(code)
    assert world.shop.add_coupons(series, [code, "FREE"]) == {"FREE"}


def test_a_use_that_is_told_thrice_is_one_activity(world: OscarWorld, ref: ProductRef) -> None:
    issue(world, TENTH, "KEYED")
    start = Position(clock.now() - timedelta(minutes=5))

    placed = order(world, ref, "KEYED")
    pipeline.pump()
    for stream in ("orders", "coupons"):
        activity.record_many(world.shop.changed_since(stream, start, limit=10).facts)
    pipeline.pump()

    used = Activity.objects.get(kind=FactKind.COUPON_USED)
    assert (used.source_key, used.subject) == (f"order:{placed.pk}:coupon:KEYED", "KEYED")
    assert used.order_ref == str(placed.pk)


def test_lines_say_how_many_units_came_back(world: OscarWorld) -> None:
    mug, bowl, vase = (make(world, name, "10.00") for name in ("Mug", "Bowl", "Vase"))
    key = world.place_order([(ref, 3) for ref in (mug, bowl, vase)], email="guest@example.com")
    row = Order.objects.get(pk=key)
    lines = {str(line.product_id): line for line in row.lines.all()}
    paid_back = PaymentEvent.objects.create(
        order=row, amount=10, event_type=PaymentEventType.objects.create(name="Refunded")
    )
    paid_back.line_quantities.create(line=lines[mug.product_id], quantity=2)
    for name in ("Returned", "Shipped"):
        event = ShippingEvent.objects.create(order=row, event_type=ShippingEventType.objects.create(name=name))
        event.line_quantities.create(line=lines[mug.product_id], quantity=1)
    type(lines[bowl.product_id]).objects.filter(pk=lines[bowl.product_id].pk).update(status="Returned")

    found = {line.product_id: line.refunded_quantity for line in world.shop.orders([key])[key].lines}
    Order.objects.filter(pk=key).update(status="Refunded")
    all_of_it = {line.refunded_quantity for line in world.shop.orders([key])[key].lines}

    assert found == {mug.product_id: 2, bowl.product_id: 3, vase.product_id: 0}
    assert all_of_it == {3}


def test_a_signed_in_customer_redeems_as_a_guest_does(world: OscarWorld, ref: ProductRef) -> None:
    issue(world, FIVE_OFF, "MINE", "YOURS")
    user = User.objects.get(pk=world.make_customer(email="ann@example.com"))
    for code, buyer in (("MINE", user), ("YOURS", None)):
        basket = Basket.objects.get(pk=world.make_cart([(ref, 1)], customer_id=str(user.pk) if buyer else ""))
        basket.vouchers.add(Voucher.objects.get(code=code))

        world.check_out(basket, email="guest@example.com", user=buyer)

    assert set(VoucherApplication.objects.values_list("voucher__code", "user")) == {("MINE", user.pk), ("YOURS", None)}


def test_a_coupon_goes_its_whole_way_and_comes_back_when_the_order_is_cancelled(
    world: OscarWorld, ref: ProductRef
) -> None:
    ann = contacts.get_or_create(Person(world.make_customer(email="ann@example.com"), "ann@example.com"))
    welcome = coupons.create_template("Welcome", terms={"kind": "percent", "percent": 15}, expires_in_days=7)
    with transaction.atomic():
        issued = coupons.issue(welcome.pk, [coupons.Request("run", ann.pk, "campaign:1/coupon")])["run"]
    assert isinstance(issued, coupons.Issued)
    states = []

    placed = order(world, ref, issued.code)
    pipeline.pump()
    used = coupons.Coupon.objects.get()
    states.append(used.state)
    placed.set_status("Cancelled")
    pipeline.pump()
    states.append(coupons.Coupon.objects.get().state)

    assert states == [coupons.CouponState.USED, coupons.CouponState.ISSUED]
    assert (used.order_ref, used.used_by_id) == (str(placed.pk), contacts.get_or_create(Person("", GUEST)).pk)
    assert order(world, ref, issued.code).total_discount_incl_tax == Decimal("7.20")


@pytest.mark.feature(20)
def test_a_code_ends_at_the_end_of_its_last_day_by_the_shop_s_clocks(world: OscarWorld, ref: ProductRef) -> None:
    ann = contacts.get_or_create(Person("", "ann@example.com"))
    template = coupons.create_template("Welcome", terms={"kind": "percent", "percent": 15}, expires_in_days=7)
    with transaction.atomic():
        issued = coupons.issue(template.pk, [coupons.Request("run", ann.pk, "campaign:1/coupon")])["run"]
    assert isinstance(issued, coupons.Issued)

    voucher = Voucher.objects.get()

    end = localtime(voucher.end_datetime, merchant.zone())
    assert end.date() == issued.expires_on == localtime(clock.now(), merchant.zone()).date() + timedelta(days=7)
    assert (end.hour, end.minute, end.second) == (23, 59, 59)
    assert world.shop.coupons([issued.code])[issued.code].ends_at == issued.expires_at
    assert voucher.usage == Voucher.SINGLE_USE


@pytest.mark.feature(71)
def test_a_code_comes_on_top_of_a_reduced_price(world: OscarWorld, ref: ProductRef) -> None:
    issue(world, TENTH, "TENTH")
    world.set_price(ref, Decimal("40.00"))

    placed = order(world, ref, "TENTH")

    assert placed.lines.get().line_price_incl_tax == Decimal("36.00")
