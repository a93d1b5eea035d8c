"""Series and codes in a real Saleor: what terms it can offer, which codes are made and deleted, and who hears of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import TestCase
from django.test.utils import CaptureQueriesContext
from saleor.app.models import App
from saleor.channel.models import Channel
from saleor.core.models import EventDelivery
from saleor.discount.models import Voucher, VoucherChannelListing, VoucherCode
from saleor.giftcard.models import GiftCard
from saleor.order.models import Order
from saleor.plugins.webhook.plugin import WebhookPlugin
from saleor.webhook.event_types import WebhookEventAsyncType
from saleor.webhook.transport.asynchronous.transport import send_webhook_request_async

from crm_plugin import clock
from crm_plugin.errors import InvalidInput, NotFound
from crm_plugin.models import Failure, Inbox
from crm_plugin.shop import CouponKind, CouponTerms, FactKind, ProductRef
from tests.saleor import asking
from tests.saleor.world import SaleorWorld

pytestmark = [pytest.mark.saleor, pytest.mark.django_db]

TENTH = CouponTerms(kind=CouponKind.PERCENT, percent=Decimal(10))
EVENTS = ("voucher_created", "voucher_codes_created", "voucher_codes_deleted", "voucher_deleted")


@pytest.fixture
def mug(world: SaleorWorld) -> ProductRef:
    return world.make_product(prices=[Decimal(80)], stocks=[50], name="Blue Mug")[0]


@pytest.fixture
def korea(world: SaleorWorld) -> Channel:
    return Channel.objects.create(slug="kr", name="KR", currency_code="KRW", default_country="KR", is_active=True)


def make(world: SaleorWorld, *codes: str, terms: CouponTerms = TENTH, ends_in: timedelta | None = None) -> str:
    """Open a series with these codes; return its ref."""
    ends_at = clock.now() + ends_in if ends_in is not None else None
    ref = world.shop.open_coupon_series(terms, name="For you", ends_at=ends_at)
    if codes:
        assert world.shop.add_coupons(ref, codes) == set(codes)
    return ref


def codes_left() -> set[str]:
    return set(VoucherCode.objects.values_list("code", flat=True))


# Terms


@pytest.mark.parametrize(
    ("kind", "terms", "field"),
    [
        ("percent", {}, "percent"),
        ("percent", {"percent": Decimal("100.1")}, "percent"),
        ("percent", {"percent": Decimal("0.0001")}, "percent"),
        ("percent", {"percent": Decimal(5), "shop_channels": ("main", "nowhere")}, "shop_channels"),
        ("percent", {"percent": Decimal(5), "product_ids": ("999999999", "x", "")}, "product_ids"),
        ("percent", {"percent": Decimal(5), "group_keys": ("category:999999999",)}, "group_keys"),
        ("percent", {"percent": Decimal(5), "min_spend": {"nowhere": Decimal(1)}}, "min_spend"),
        ("percent", {"percent": Decimal(5), "min_spend": {"kr": Decimal("10.5")}}, "min_spend"),
        ("fixed", {}, "amounts"),
        ("fixed", {"amounts": {"kr": Decimal("5.50")}}, "amounts"),
        ("fixed", {"amounts": {"main": Decimal("5.555")}}, "amounts"),
        ("fixed", {"amounts": {"main": Decimal(5)}, "shop_channels": ("main", "kr")}, "amounts"),
        ("fixed", {"amounts": {"nowhere": Decimal(5)}}, "amounts"),
        ("free_shipping", {"group_keys": ("category:1",)}, "group_keys"),
    ],
)
def test_terms_that_saleor_cannot_offer_are_refused(
    world: SaleorWorld, korea: Channel, kind: str, terms: dict[str, Any], field: str
) -> None:
    wrong = CouponTerms(kind=CouponKind(kind), **terms)

    for ask in (world.shop.check_coupon_terms, lambda one: make(world, terms=one)):
        with pytest.raises(InvalidInput) as refused:
            ask(wrong)
        assert refused.value.field == field
    assert not Voucher.objects.exists()


def test_each_channel_has_its_own_amount_in_its_own_currency(world: SaleorWorld, korea: Channel) -> None:
    amounts = {"main": Decimal("5.50"), "kr": Decimal(7000)}

    make(world, terms=CouponTerms(kind=CouponKind.FIXED, amounts=amounts, min_spend={"kr": Decimal(50_000)}))

    rows = VoucherChannelListing.objects.values_list("channel__slug", "currency", "discount_value", "min_spent_amount")
    assert set(rows) == {("main", "USD", Decimal("5.50"), None), ("kr", "KRW", 7000, 50_000)}


def test_a_percentage_is_good_in_every_active_channel(world: SaleorWorld, korea: Channel) -> None:
    Channel.objects.create(slug="old", name="Old", currency_code="EUR", default_country="DE", is_active=False)

    make(world)

    assert {"main", "kr"} <= set(VoucherChannelListing.objects.values_list("channel__slug", flat=True))
    assert not VoucherChannelListing.objects.filter(channel__is_active=False).exists()


# Codes


def test_taken_codes_are_left_out_whatever_took_them(world: SaleorWorld) -> None:
    ref = make(world)
    world.make_voucher("SPRING")
    money = {"initial_balance_amount": Decimal(5), "current_balance_amount": Decimal(5)}
    GiftCard.objects.create(code="GIFT-0001", currency="USD", **money)

    made = world.shop.add_coupons(ref, ["SPRING", "GIFT-0001", "NEW-00001", "NEW-00001"])

    assert made == {"NEW-00001"}
    assert world.shop.add_coupons(ref, ["NEW-00001"]) == frozenset()
    rows = VoucherCode.objects.filter(voucher_id=ref).values_list("code", "used", "is_active")
    assert list(rows) == [("NEW-00001", 0, True)]


def test_the_number_of_statements_does_not_grow_with_the_codes(world: SaleorWorld) -> None:
    ref = make(world)

    def counted(amount: int) -> list[int]:
        codes = [f"C{amount}-{number}" for number in range(amount)]
        told = []
        for ask in (
            lambda: world.shop.add_coupons(ref, codes),
            lambda: world.shop.coupons(codes),
            lambda: world.shop.release_coupons(codes, order_ref=""),
            lambda: world.shop.drop_coupons(codes[1:]),
        ):
            with CaptureQueriesContext(connection) as seen, TestCase.captureOnCommitCallbacks(execute=True):
                ask()
            told.append(len(seen))
        return told

    assert counted(2) == counted(2_000)
    assert codes_left() == {"C2-0", "C2000-0"}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda voucher: voucher.delete(),
        lambda _voucher: Voucher.objects.update(single_use=False),
        lambda _voucher: Voucher.objects.update(usage_limit=5),
        lambda _voucher: Voucher.objects.update(only_for_staff=True),
        lambda _voucher: Voucher.objects.update(end_date=clock.now()),
        lambda voucher: voucher.channel_listings.all().delete(),
        lambda voucher: voucher.products.clear(),
    ],
)
def test_a_series_that_staff_made_useless_takes_no_codes(
    world: SaleorWorld, mug: ProductRef, spoil: Callable[[Any], Any]
) -> None:
    ref = make(world, terms=CouponTerms(kind=CouponKind.PERCENT, percent=Decimal(5), product_ids=(mug.product_id,)))
    spoil(Voucher.objects.get(pk=ref))

    for series in (ref, "x", ""):
        with pytest.raises(NotFound):
            world.shop.add_coupons(series, ["NEW-00001"])
    assert not codes_left()


def test_a_code_says_how_it_stands(world: SaleorWorld) -> None:
    make(world, "MINE-0001", ends_in=timedelta(days=1))
    world.make_voucher("SPRING")
    world.make_voucher("LATER", starts_at=clock.now() + timedelta(days=1))
    Voucher.objects.filter(codes__code="SPRING").update(usage_limit=1)
    VoucherCode.objects.filter(code="SPRING").update(used=1)

    found = world.shop.coupons(["MINE-0001", "mine-0001", "SPRING", "LATER", "NOWHERE"])
    with clock.travel(by=timedelta(days=2)):
        later = world.shop.coupons(["MINE-0001"])["MINE-0001"]

    assert set(found) == {"MINE-0001", "mine-0001", "SPRING", "LATER"}
    mine, spent, early = found["MINE-0001"], found["SPRING"], found["LATER"]
    assert found["mine-0001"] == mine
    assert (mine.code, mine.name, mine.is_personal, mine.is_usable) == ("MINE-0001", "For you", True, True)
    assert (later.is_usable, later.is_used) == (False, False)
    assert (spent.is_usable, spent.is_used, spent.is_personal) == (False, True, True)
    assert (early.is_usable, early.is_used, early.is_personal) == (False, False, False)


def test_used_codes_and_those_of_staff_are_never_dropped(world: SaleorWorld, mug: ProductRef) -> None:
    make(world, "USED-0001", "HELD-0001", "KEPT-0001", "GONE-0001")
    make(world, "LAST-0001")
    world.make_voucher("STAFF", is_personal=True)
    VoucherCode.objects.filter(code="USED-0001").update(is_active=False)
    draft = world.place_order([(mug, 1)], email="x@example.com")
    Order.objects.filter(pk=draft).update(voucher_code="HELD-0001", status="draft")

    world.shop.drop_coupons(["USED-0001", "HELD-0001", "GONE-0001", "LAST-0001", "STAFF", "NOWHERE"])

    assert codes_left() == {"USED-0001", "HELD-0001", "KEPT-0001", "STAFF"}
    assert Voucher.objects.count() == 2


# Who hears of it


def test_apps_hear_of_series_and_codes_once_they_are_committed(
    world: SaleorWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(send_webhook_request_async, "apply_async", lambda *_args, **_kwargs: None)
    app = App.objects.create(name="An app", is_active=True)
    app.permissions.set(asking.permissions("manage_discounts"))
    webhook = app.webhooks.create(name="w", target_url="https://app.example.com/hook", is_active=True)
    for event in EVENTS:
        webhook.events.create(event_type=getattr(WebhookEventAsyncType, event.upper()))

    with TestCase.captureOnCommitCallbacks(execute=True):
        make(world, "NEW-00001", "NEW-00002")
        before = EventDelivery.objects.count()
    with TestCase.captureOnCommitCallbacks(execute=True):
        world.shop.drop_coupons(["NEW-00001", "NEW-00002"])

    told = list(EventDelivery.objects.order_by("pk").values_list("event_type", flat=True))
    payloads = [one.payload.get_payload() for one in EventDelivery.objects.filter(event_type__contains="codes")]
    assert (before, told) == (0, list(EVENTS))
    assert len(payloads) == 2
    assert all("NEW-00001" in one and "NEW-00002" in one for one in payloads)
    assert not Failure.objects.exists()


def test_an_app_that_cannot_be_told_keeps_nobody_from_a_code(
    world: SaleorWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WebhookPlugin, "voucher_codes_created", _fail)

    with TestCase.captureOnCommitCallbacks(execute=True):
        make(world, "NEW-00001")

    assert codes_left() == {"NEW-00001"}
    assert Failure.objects.get().door == "saleor.coupons"


def _fail(*_args: Any, **_kwargs: Any) -> None:
    raise RuntimeError("no broker")


def test_a_series_is_no_news_for_shoppers(world: SaleorWorld) -> None:
    with TestCase.captureOnCommitCallbacks(execute=True):
        ref = make(world, "NEW-00001")

    assert not Inbox.objects.filter(kind=FactKind.VOUCHER_CREATED).exists()
    assert world.shop.vouchers([ref], among=[])[ref].code == ""
