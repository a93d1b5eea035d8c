"""What can be bought again, and whom that concerns."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

from crm_plugin import activity, clock
from crm_plugin.activity import InterestRule, Source, WaveKind
from crm_plugin.models import PriceWatch, Restock, Wave
from crm_plugin.shop import FactKind
from tests.activity.asking import answer
from tests.activity.conftest import Drain
from tests.activity.test_projection import liked
from tests.fake_catalogue import FakeProduct
from tests.fake_shop import FakeShop
from tests.fake_trade import order_facts

pytestmark = pytest.mark.django_db

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def look() -> dict[WaveKind, int]:
    """Look at everything now; returns the waves by their kind."""
    PriceWatch.objects.update(due_at=clock.now())
    with transaction.atomic():
        found = activity.look(1_000).waves
    return {kind: wave for wave in found if (kind := activity.kind_of(wave)) is not None}


def waiting(wave: int, rule: InterestRule | None = None, **more: Any) -> dict[str, list[dict[str, Any]]]:
    """Return {customer id: items} of the people who wait for the wave's restocks."""
    values = {"min_available": 1, "after_contact": 0, "limit": 100, **more}
    return answer(activity.waiting_for(rule or InterestRule(), wave=wave, **values))


@pytest.fixture
def gone(drain: Drain, fake_shop: FakeShop) -> FakeProduct:
    """A product that is sold out, and that customer 7 likes."""
    with clock.travel(to=START):
        product = fake_shop.add_product(price=50, stock=0)
        activity.record(liked(product, "7", at=START))
        drain()
    return product


def test_what_is_sold_out_and_has_stock_again_is_a_wave_that_concerns_who_likes_it(
    gone: FakeProduct, fake_shop: FakeShop
) -> None:
    fake_shop.set_stock(gone.ref, 3)

    waves = look()

    assert set(waves) == {WaveKind.BACK_IN_STOCK}
    assert Restock.objects.values_list("variant_id", "available").get() == (gone.variant_id, 3)
    assert waiting(waves[WaveKind.BACK_IN_STOCK]) == {
        "7": [{"product_id": gone.product_id, "variant_id": "", "shop_channel": "default"}]
    }
    assert look() == {}


def test_what_was_hidden_is_back_when_it_is_shown_and_has_stock(gone: FakeProduct, fake_shop: FakeShop) -> None:
    fake_shop.unpublish(gone.whole)
    look()
    fake_shop.publish(gone.whole)
    shown_but_sold_out = look()
    fake_shop.set_stock(gone.ref, None)

    assert shown_but_sold_out == {}
    assert set(look()) == {WaveKind.BACK_IN_STOCK}


def test_the_first_load_never_fires_nor_does_more_of_what_is_there(drain: Drain, fake_shop: FakeShop) -> None:
    product = fake_shop.add_product(price=50, stock=1)
    activity.record(liked(product, "7", at=clock.now()))
    drain()
    first = look()
    fake_shop.set_stock(product.ref, 100)

    assert (first, look()) == ({}, {})
    assert not Wave.objects.exists()


def test_what_came_and_went_between_two_looks_is_nothing(gone: FakeProduct, fake_shop: FakeShop) -> None:
    fake_shop.set_stock(gone.ref, 1)
    fake_shop.set_stock(gone.ref, 0)

    assert look() == {}
    assert not Restock.objects.exists()


def test_what_comes_back_cheaper_is_two_waves_of_one_look(gone: FakeProduct, fake_shop: FakeShop) -> None:
    fake_shop.unpublish(gone.whole)
    look()
    fake_shop.set_price(gone.ref, 30)
    fake_shop.set_stock(gone.ref, 1)
    fake_shop.publish(gone.whole)

    assert set(look()) == {WaveKind.PRICE_DROP, WaveKind.BACK_IN_STOCK}


def test_an_unsettled_price_puts_the_restock_off_and_does_not_lose_it(gone: FakeProduct, fake_shop: FakeShop) -> None:
    fake_shop.set_stock(gone.ref, 1)
    fake_shop.unsettle(gone.ref)
    unsettled = look()
    fake_shop.unsettle(gone.ref, is_settled=True)

    assert unsettled == {}
    assert set(look()) == {WaveKind.BACK_IN_STOCK}


@pytest.mark.parametrize(("stock", "people"), [(4, []), (5, ["7"]), (None, ["7"])])
def test_fewer_than_the_least_number_are_no_news(
    gone: FakeProduct, fake_shop: FakeShop, stock: int | None, people: list[str]
) -> None:
    fake_shop.set_stock(gone.ref, stock)

    assert list(waiting(look()[WaveKind.BACK_IN_STOCK], min_available=5)) == people


def test_interest_in_one_variant_waits_for_that_variant(drain: Drain, fake_shop: FakeShop) -> None:
    product = fake_shop.add_product(price=50, stock=0)
    small = fake_shop.add_variant(product, price=50, stock=0)
    now = clock.now()
    activity.record(replace(liked(product, "7", at=now, kind=FactKind.CARTED), variant_id=product.variant_id))
    activity.record(replace(liked(product, "8", at=now, kind=FactKind.CARTED), variant_id=small.variant_id))
    activity.record(liked(product, "9", at=now))
    drain()

    fake_shop.set_stock(small, 2)

    assert set(waiting(look()[WaveKind.BACK_IN_STOCK])) == {"8", "9"}


def test_the_interest_must_stand_and_be_of_the_kinds_that_count(
    gone: FakeProduct, drain: Drain, fake_shop: FakeShop
) -> None:
    with clock.travel(to=START + timedelta(days=1)):
        for customer in ("8", "9"):
            activity.record(liked(gone, customer, at=clock.now(), kind=FactKind.CARTED))
        drain()
        activity.record_many(order_facts(fake_shop.place_order(gone.ref, customer_id="9")))
        drain()
    with clock.travel(to=START + timedelta(days=3)):
        fake_shop.set_stock(gone.ref, 2)
        wave = look()[WaveKind.BACK_IN_STOCK]

        assert set(waiting(wave)) == {"7", "8"}
        assert set(waiting(wave, InterestRule(sources=frozenset({Source.LIKED})))) == {"7"}
        assert set(waiting(wave, InterestRule(lookback_days=1))) == {"7"}
        assert set(waiting(wave, limit=1)) == {"7"}


def test_looking_for_restocks_costs_the_same_number_of_queries_whatever_is_due(
    drain: Drain, fake_shop: FakeShop, django_assert_max_num_queries: Any
) -> None:
    products = [fake_shop.add_product(price=100, stock=0) for _ in range(30)]
    activity.record_many(liked(product, "7", at=clock.now()) for product in products)
    drain()
    for product in products:
        fake_shop.set_stock(product.ref, 1)

    with django_assert_max_num_queries(16):
        look()

    assert Restock.objects.count() == 30
