"""Series of coupons in a real Oscar shop: what staff do with them, what is cleaned up, and two workers at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.timezone import localtime
from oscar.core.loading import get_model

from crm_plugin import clock
from crm_plugin.errors import NotFound
from crm_plugin.models import Inbox
from crm_plugin.shop import CouponKind, CouponTerms, FactKind, Position, ProductRef
from crm_plugin.shops.oscar import coupon_series, site
from tests.shops.oscar.coupon_story import TENTH, issue, make, order
from tests.shops.oscar.world import PASSWORD, OscarWorld, User
from tests.together import WAIT_SECONDS, together

Benefit = get_model("offer", "Benefit")
Condition = get_model("offer", "Condition")
ConditionalOffer = get_model("offer", "ConditionalOffer")
Range = get_model("offer", "Range")
Voucher = get_model("voucher", "Voucher")
VoucherSet = get_model("voucher", "VoucherSet")

Told = Callable[..., list[Inbox]]

pytestmark = pytest.mark.django_db


@pytest.fixture
def ref(world: OscarWorld) -> ProductRef:
    return make(world, "Celadon bowl", "48.00")


@pytest.fixture
def staff(client: Client) -> Client:
    User.objects.create_superuser("boss", "boss@example.com", PASSWORD)
    client.login(username="boss", password=PASSWORD)
    return client


def behind_codes() -> list[int]:
    """How many rows stand behind the codes of all series."""
    return [model.objects.count() for model in (VoucherSet, ConditionalOffer, Benefit, Condition, Range)]


def test_a_suspended_offer_makes_its_codes_useless(world: OscarWorld) -> None:
    series = issue(world, TENTH, "MINE")

    ConditionalOffer.objects.get().suspend()

    assert not world.shop.coupons(["MINE"])["MINE"].is_usable
    with pytest.raises(NotFound):
        world.shop.add_coupons(series, ["MORE"])


def test_codes_of_a_series_follow_the_dates_that_staff_gave_it(world: OscarWorld, staff: Client) -> None:
    series = issue(world, TENTH, "ONE", "TWO")
    row = VoucherSet.objects.get()
    until = clock.now().replace(microsecond=0) + timedelta(days=30)

    answer = staff.post(
        reverse("dashboard:voucher-set-update", kwargs={"pk": row.pk}),
        {
            "name": row.name,
            "code_length": row.code_length,
            "description": row.description,
            "start_datetime": localtime(row.start_datetime).strftime("%Y-%m-%d %H:%M"),
            "end_datetime": localtime(until).strftime("%Y-%m-%d %H:%M"),
            "count": row.count,
            "usage": Voucher.SINGLE_USE,
            "offers": [ConditionalOffer.objects.get().pk],
        },
    )
    world.shop.add_coupons(series, ["THREE"])

    assert answer.status_code == 302
    found = world.shop.coupons(["ONE", "TWO", "THREE"])
    assert set(found) == set(Voucher.objects.values_list("code", flat=True)) == {"ONE", "TWO", "THREE"}
    assert {one.ends_at for one in found.values()} == {until.replace(second=0)}


def test_codes_stay_off_the_dashboard_s_list_of_vouchers(world: OscarWorld, staff: Client) -> None:
    issue(world, TENTH, "MINE")
    world.make_voucher("SPRING")

    listed = staff.get(reverse("dashboard:voucher-list")).context["vouchers"]
    sets = staff.get(reverse("dashboard:voucher-set-list")).context["voucher_sets"]

    assert [voucher.code for voucher in listed] == ["SPRING"]
    assert len(sets) == 1


def test_nothing_is_left_of_a_series_but_what_others_use(world: OscarWorld, ref: ProductRef) -> None:
    five = {site.CHANNEL: Decimal(5)}
    before = behind_codes()
    for kind in CouponKind:
        terms = CouponTerms(kind=kind, percent=Decimal(5), amounts=five)
        issue(world, terms, f"{kind}-1")
        issue(world, replace(terms, product_ids=(ref.product_id,)), f"{kind}-2")
        issue(world, replace(terms, product_ids=(ref.product_id,), min_spend=five), f"{kind}-3")

    world.shop.drop_coupons([f"{kind}-{number}" for kind in CouponKind for number in (1, 2, 3)])

    assert behind_codes() == before


def test_what_the_merchant_made_stays_when_a_code_of_theirs_is_dropped(world: OscarWorld) -> None:
    world.make_voucher("THEIRS", is_personal=True)
    now = clock.now()
    pool = VoucherSet.objects.create(
        name="Pool", count=1, code_length=8, start_datetime=now, end_datetime=now + timedelta(days=1)
    )
    Voucher.objects.update(voucher_set=pool)
    before = behind_codes()

    world.shop.drop_coupons(["THEIRS"])

    assert not Voucher.objects.exists()
    assert behind_codes() == before


def test_what_staff_renamed_or_use_elsewhere_stays(world: OscarWorld) -> None:
    issue(world, TENTH, "RENAMED", name="Renamed")
    issue(world, TENTH, "SHARED", name="Shared")
    renamed, shared = ConditionalOffer.objects.order_by("pk")
    ConditionalOffer.objects.filter(pk=renamed.pk).update(name="Ours now")
    Voucher.objects.get(pk=world.make_voucher("SPRING")).offers.add(shared)

    world.shop.drop_coupons(["RENAMED", "SHARED"])

    assert {renamed.pk, shared.pk} < set(ConditionalOffer.objects.values_list("pk", flat=True))
    assert not VoucherSet.objects.exists()
    assert order(world, make(world, "Mug", "10.00"), "SPRING").total_discount_incl_tax > 0


def test_codes_of_persons_are_neither_told_nor_read_by_the_stream(world: OscarWorld, told: Told) -> None:
    issue(world, TENTH, *(f"MINE{number}" for number in range(20)))
    spring = world.make_voucher("SPRING")

    page = world.shop.changed_since("vouchers", Position(clock.now() - timedelta(days=1)), limit=1)

    assert [row.subject for row in told(kind=FactKind.VOUCHER_CREATED)] == [spring]
    assert ([fact.subject for fact in page.facts], page.is_last) == ([spring], True)


@pytest.mark.django_db(transaction=True)
def test_two_workers_who_draw_the_same_codes_share_them(world: OscarWorld) -> None:
    first, second = (world.shop.open_coupon_series(TENTH, name="Same", ends_at=None) for _ in range(2))
    codes = [f"SAME{number}" for number in range(50)]
    made: list[frozenset[str]] = []

    together(*(lambda series=series: made.append(world.shop.add_coupons(series, codes)) for series in (first, second)))

    assert made[0] | made[1] == set(codes)
    assert not made[0] & made[1]
    assert Voucher.objects.count() == 50


@pytest.mark.django_db(transaction=True)
def test_a_series_that_gets_a_code_is_not_deleted_under_it(world: OscarWorld) -> None:
    series = issue(world, TENTH, "OLD")
    has_added, may_end = threading.Event(), threading.Event()

    def add() -> None:
        with transaction.atomic():
            world.shop.add_coupons(series, ["NEW"])
            has_added.set()
            assert may_end.wait(WAIT_SECONDS)

    def drop() -> None:
        assert has_added.wait(WAIT_SECONDS)
        threading.Timer(0.5, may_end.set).start()
        world.shop.drop_coupons(["OLD"])

    together(add, drop)

    assert set(Voucher.objects.values_list("code", flat=True)) == {"NEW"}
    assert world.shop.coupons(["NEW"])["NEW"].is_usable
    assert world.shop.add_coupons(series, ["MORE"]) == {"MORE"}


def test_who_adds_codes_to_a_series_does_not_wait_for_others_who_do(world: OscarWorld) -> None:
    series = issue(world, TENTH, "MINE")

    with CaptureQueriesContext(connection) as seen:
        coupon_series.lock_series(series)

    assert next(query["sql"] for query in seen if " FOR " in query["sql"]).endswith("FOR KEY SHARE")
