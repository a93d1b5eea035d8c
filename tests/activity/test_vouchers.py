"""Which vouchers are news, for which products, and whom they concern."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

from crm_plugin import activity, clock
from crm_plugin.activity import InterestRule, Purpose, Source, WaveKind
from crm_plugin.conf import settings as conf
from crm_plugin.models import Activity, Inbox, VoucherProduct, Wave
from crm_plugin.shop import Fact, FactKind
from tests.activity.asking import answer
from tests.activity.conftest import Drain
from tests.activity.test_projection import liked
from tests.fake_catalogue import FakeProduct, FakeVoucher
from tests.fake_shop import FakeShop
from tests.together import together

pytestmark = pytest.mark.django_db

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
CARTED_OR_LIKED = InterestRule(sources=frozenset({Source.CARTED, Source.LIKED}))


def tell(*vouchers: FakeVoucher) -> tuple[int, ...]:
    """Do what the drain does with facts about vouchers; returns the waves that began."""
    activity.record_many(voucher.fact for voucher in vouchers)
    return drain_vouchers()


def drain_vouchers() -> tuple[int, ...]:
    with transaction.atomic():
        batch = activity.claim(1_000)
        if batch is None:
            return ()
        activity.project(batch, activity.people_in(batch))
        return activity.voucher_waves(batch)


def told_of(wave: int) -> set[str]:
    """Return the products of a wave."""
    return set(VoucherProduct.objects.filter(wave_id=wave).values_list("product_id", flat=True))


def concerned(wave: int, code: str, **more: Any) -> dict[str, list[dict[str, Any]]]:
    """Return {customer id: items} of the people whom the voucher concerns."""
    values = {"after_contact": 0, "limit": 100, **more}
    return answer(activity.could_use(CARTED_OR_LIKED, code=code, wave=wave, **values))


@pytest.fixture
def mug(drain: Drain, fake_shop: FakeShop) -> FakeProduct:
    """A product that customer 7 likes."""
    product = fake_shop.add_product(price=50)
    activity.record(liked(product, "7", at=clock.now()))
    drain()
    return product


def test_a_new_voucher_is_a_wave_of_the_products_that_anybody_cares_for(mug: FakeProduct, fake_shop: FakeShop) -> None:
    voucher = fake_shop.add_voucher("SPRING", mug, fake_shop.add_product())

    (wave,) = tell(voucher)

    assert activity.kind_of(wave) is WaveKind.NEW_VOUCHER
    row = VoucherProduct.objects.get()
    assert (row.voucher_ref, row.code, row.product_id, row.shop_channel) == (
        voucher.voucher_ref,
        "SPRING",
        mug.product_id,
        "default",
    )
    assert Inbox.objects.count() == 0
    assert not Activity.objects.filter(kind=FactKind.VOUCHER_CREATED).exists()


def test_a_voucher_told_twice_is_one_wave(mug: FakeProduct, fake_shop: FakeShop) -> None:
    voucher = fake_shop.add_voucher("SPRING", mug)

    waves = [*tell(voucher, voucher), *tell(voucher)]

    assert len(waves) == Wave.objects.count() == 1


def test_a_product_added_to_a_new_voucher_is_told_by_itself(
    drain: Drain, mug: FakeProduct, fake_shop: FakeShop
) -> None:
    voucher = fake_shop.add_voucher("SPRING", mug)
    tell(voucher)
    bowl = fake_shop.add_product()
    activity.record(liked(bowl, "7", at=clock.now()))
    drain()

    voucher.products.add(bowl.product_id)
    (wave,) = tell(voucher)

    assert told_of(wave) == {bowl.product_id}


def test_a_voucher_for_a_group_is_told_for_what_somebody_cares_for_in_it(mug: FakeProduct, fake_shop: FakeShop) -> None:
    kitchen = fake_shop.add_group("Kitchen")
    fake_shop.put_in(mug, kitchen)
    for _ in range(3):
        fake_shop.put_in(fake_shop.add_product(), kitchen)

    (wave,) = tell(fake_shop.add_voucher("SPRING", group=kitchen))

    assert told_of(wave) == {mug.product_id}


def test_a_voucher_for_everything_concerns_whoever_cares_for_anything_where_it_is_valid(
    drain: Drain, mug: FakeProduct, fake_shop: FakeShop
) -> None:
    abroad = fake_shop.add_product(shop_channel="kr")
    activity.record(replace(liked(abroad, "8", at=clock.now()), shop_channel="kr"))
    drain()

    (wave,) = tell(fake_shop.add_voucher("SPRING"))

    assert told_of(wave) == {""}
    assert list(concerned(wave, "SPRING")) == ["7"]


def test_a_voucher_that_begins_later_is_told_by_reconcile_then(mug: FakeProduct, fake_shop: FakeShop) -> None:
    with clock.travel(to=START):
        activity.step("vouchers", purpose=Purpose.RECONCILE)
        voucher = fake_shop.add_voucher("LATER", mug, starts_at=START + timedelta(days=2))
        at_once = tell(voucher)
    waves = []
    for hours in (47, 48, 49):
        with clock.travel(to=START + timedelta(hours=hours, seconds=1)):
            activity.step("vouchers", purpose=Purpose.RECONCILE)
            waves.append(drain_vouchers())

    assert at_once == ()
    assert [len(found) for found in waves] == [0, 1, 0]


@pytest.mark.parametrize("case", ["over", "old", "personal", "nowhere", "nothing"])
def test_what_is_no_news_to_anybody_begins_no_wave(mug: FakeProduct, fake_shop: FakeShop, case: str) -> None:
    old = clock.now() - timedelta(hours=conf().trigger_max_age_hours + 1)
    with clock.travel(to=old if case == "old" else clock.now()):
        voucher = fake_shop.add_voucher("" if case == "personal" else "SPRING", mug)
    if case == "over":
        voucher.ends_at = clock.now() - timedelta(seconds=1)
    if case == "nowhere":
        voucher.shop_channels = ()
    if case == "nothing":
        voucher.products = {fake_shop.add_product().product_id}

    assert tell(voucher) == ()
    assert not Wave.objects.exists()


def test_who_has_the_code_or_has_used_it_is_left_out(drain: Drain, mug: FakeProduct, fake_shop: FakeShop) -> None:
    for customer in ("8", "9"):
        activity.record(liked(mug, customer, at=clock.now()))
    for customer, kind, code in (
        ("7", FactKind.COUPON_ISSUED, "OTHER"),
        ("8", FactKind.COUPON_ISSUED, "SPRING"),
        ("9", FactKind.COUPON_USED, "SPRING"),
    ):
        activity.record(Fact(kind=kind, source_key=f"{customer}:{code}", customer_id=customer, subject=code))
    drain()

    (wave,) = tell(fake_shop.add_voucher("SPRING", mug))

    assert list(concerned(wave, "SPRING")) == ["7"]


def test_a_mail_about_everything_shows_what_the_person_cared_for_last(drain: Drain, fake_shop: FakeShop) -> None:
    products = [fake_shop.add_product() for _ in range(25)]
    activity.record_many(
        liked(product, "7", at=START + timedelta(minutes=number)) for number, product in enumerate(products)
    )
    drain()

    (wave,) = tell(fake_shop.add_voucher("SPRING"))

    items = concerned(wave, "SPRING")["7"]
    assert [item["product_id"] for item in items] == [product.product_id for product in products[:-21:-1]]


def test_the_voucher_of_a_wave_is_gone_once_nobody_can_use_it(mug: FakeProduct, fake_shop: FakeShop) -> None:
    voucher = fake_shop.add_voucher("SPRING", mug, ends_at=clock.now() + timedelta(days=1))
    (wave,) = tell(voucher)
    before = activity.voucher_of(wave)
    with clock.travel(by=timedelta(days=1, seconds=1)):
        over = activity.voucher_of(wave)
    del fake_shop.voucher_rows[voucher.voucher_ref]

    assert before is not None
    assert before.code == "SPRING"
    assert (over, activity.voucher_of(wave)) == (None, None)


@pytest.mark.django_db(transaction=True)
def test_two_workers_that_are_told_of_the_same_voucher_begin_one_wave(drain: Drain, fake_shop: FakeShop) -> None:
    product = fake_shop.add_product()
    activity.record(liked(product, "7", at=clock.now()))
    drain()
    voucher = fake_shop.add_voucher("SPRING", product)
    activity.record_many([voucher.fact, voucher.fact])

    def work() -> None:
        with transaction.atomic():
            batch = activity.claim(1)
            assert batch is not None
            activity.project(batch, activity.people_in(batch))
            activity.voucher_waves(batch)

    together(work, work)

    assert Wave.objects.count() == VoucherProduct.objects.count() == 1
