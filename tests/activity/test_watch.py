"""The price watch, and the rule that says whom a drop concerns."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction

from crm_plugin import activity, clock
from crm_plugin.activity import DropRule, Source, WaveKind
from crm_plugin.models import Contact, Interest, PriceDrop, PriceWatch
from crm_plugin.money import Money
from crm_plugin.shop import Fact, FactKind
from tests.activity.conftest import Drain
from tests.activity.test_projection import liked
from tests.fake_shop import FakeShop
from tests.fake_trade import order_facts
from tests.together import together

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def look(db):
    """Look at every watched price now; returns the wave of what became cheaper."""

    def run():
        PriceWatch.objects.update(due_at=clock.now())
        with transaction.atomic():
            found = activity.look(1_000).waves
        return next((wave for wave in found if activity.kind_of(wave) is WaveKind.PRICE_DROP), None)

    return run


def concerned(wave, rule=None, *, after=0, limit=100):
    """Return {customer id: items} of the people a wave concerns."""
    if wave is None:
        return {}
    select = activity.concerned_by(rule or DropRule(), wave=wave, after_contact=after, limit=limit)
    with connection.cursor() as cursor:
        cursor.execute(select.sql, select.params)
        rows = cursor.fetchall()
    names = dict(Contact.objects.values_list("pk", "customer_id"))
    return {names[pk]: json.loads(items) for pk, items in rows}


@pytest.fixture
def liked_product(drain: Drain, fake_shop: FakeShop):
    """A product at 50,000 that customer 7 liked."""
    with clock.travel(to=START):
        product = fake_shop.add_product(price=50_000, shop_channel="kr")
        activity.record(
            Fact(
                kind=FactKind.LIKED,
                source_key="like",
                customer_id="7",
                product_id=product.product_id,
                shop_channel="kr",
                occurred_at=START,
            )
        )
        drain()
    return product


@pytest.mark.feature(22)
def test_a_like_and_a_drop_of_a_tenth_concern_the_person_once_in_the_cool_down(liked_product, fake_shop, look):
    with clock.travel(to=START + timedelta(days=1)):
        fake_shop.set_price(liked_product.ref, 45_000)
        first = concerned(look())
        contact = Contact.objects.get()
        activity.mark_alerted([(contact.pk, liked_product.product_id, "kr", None)])
    with clock.travel(to=START + timedelta(days=3)):
        fake_shop.set_price(liked_product.ref, 50_000)
        risen = look()
        fake_shop.set_price(liked_product.ref, 45_000)
        again = concerned(look())

    assert list(first) == ["7"]
    assert (first["7"][0]["baseline"], first["7"][0]["limit"]) == ("50000.0000", "45000.0000")
    assert risen is None
    assert again == {}


def test_a_new_all_time_low_and_the_end_of_the_cool_down_lift_it(liked_product, fake_shop, look):
    contact = Contact.objects.get()
    with clock.travel(to=START + timedelta(days=1)):
        fake_shop.set_price(liked_product.ref, 45_000)
        look()
        activity.mark_alerted([(contact.pk, liked_product.product_id, "kr", None)])
        fake_shop.set_price(liked_product.ref, 40_000)
        lower = concerned(look())
        activity.mark_alerted([(contact.pk, liked_product.product_id, "kr", None)])
    with clock.travel(to=START + timedelta(days=16)):
        fake_shop.set_price(liked_product.ref, 44_000)
        look()
        fake_shop.set_price(liked_product.ref, 43_000)
        later = concerned(look())

    assert list(lower) == ["7"]
    assert list(later) == ["7"]


def test_a_drop_concerns_no_visitor_who_cannot_be_told(liked_product, fake_shop, look, drain):
    for number in range(3):
        activity.record(
            Fact(
                kind=FactKind.VIEWED,
                source_key=f"view {number}",
                visitor_id="a",
                product_id=liked_product.product_id,
                shop_channel="kr",
            )
        )
    drain()
    fake_shop.set_price(liked_product.ref, 45_000)

    assert list(concerned(look())) == ["7"]


@pytest.mark.parametrize(("price", "people"), [("9.10", []), ("8.90", ["7"])])
def test_a_carted_product_needs_the_whole_threshold(drain, fake_shop, look, price, people):
    product = fake_shop.add_product(price=10)
    activity.record(liked(product, "7", at=clock.now(), kind=FactKind.CARTED))
    drain()

    fake_shop.set_price(product.ref, Decimal(price))

    assert list(concerned(look())) == people


def test_two_small_drops_are_measured_from_what_the_person_saw(liked_product, fake_shop, look):
    with clock.travel(to=START + timedelta(days=1)):
        fake_shop.set_price(liked_product.ref, 47_000)
        small = concerned(look())
        fake_shop.set_price(liked_product.ref, 44_000)
        together = concerned(look())

    assert (small, list(together)) == ({}, ["7"])


def test_first_load_never_fires(liked_product, look):
    assert PriceWatch.objects.count() == 1
    assert look() is None
    assert PriceDrop.objects.count() == 0


def test_a_drop_between_the_like_and_the_first_look_is_found(drain, fake_shop, look):
    product = fake_shop.add_product(price=50)
    activity.record(liked(product, "7", at=clock.now(), amount=Money(Decimal(50), "EUR")))
    fake_shop.set_price(product.ref, 30)
    drain()

    wave = look()

    assert list(concerned(wave)) == ["7"]
    assert PriceDrop.objects.values_list("old_price", "new_price").get() == (Decimal(50), Decimal(30))


def test_a_price_that_the_shop_is_still_computing_is_left_alone(liked_product, fake_shop, look):
    fake_shop.set_price(liked_product.ref, 30_000)
    fake_shop.unsettle(liked_product.ref)
    unsettled = look()
    fake_shop.unsettle(liked_product.ref, is_settled=True)

    assert unsettled is None
    assert list(concerned(look())) == ["7"]


def test_what_cannot_be_bought_fires_when_it_comes_back_cheaper(liked_product, fake_shop, look):
    fake_shop.unpublish(liked_product.whole)
    fake_shop.set_price(liked_product.ref, 30_000)
    hidden = look()
    fake_shop.publish(liked_product.whole)

    assert hidden is None
    assert list(concerned(look())) == ["7"]


def test_a_purchase_or_an_unlike_ends_the_interest(liked_product, drain, fake_shop, look):
    with clock.travel(to=START + timedelta(days=1)):
        other = fake_shop.add_customer(customer_id="8")
        activity.record(
            Fact(
                kind=FactKind.LIKED,
                source_key="like8",
                customer_id=other.customer_id,
                product_id=liked_product.product_id,
                shop_channel="kr",
            )
        )
        drain()
    with clock.travel(to=START + timedelta(days=2)):
        order = fake_shop.place_order(liked_product.ref, customer_id="8")
        activity.record_many(order_facts(order))
        activity.record(
            Fact(
                kind=FactKind.UNLIKED,
                source_key="unlike7",
                customer_id="7",
                product_id=liked_product.product_id,
                shop_channel="kr",
            )
        )
        drain()
        fake_shop.set_price(liked_product.ref, 30_000)

        assert concerned(look()) == {}


@pytest.mark.parametrize(("views", "days_ago", "people"), [(1, 1, []), (2, 1, ["7"]), (2, 61, [])])
def test_views_count_from_two_on_and_for_sixty_days(drain, fake_shop, look, views, days_ago, people):
    product = fake_shop.add_product(price=100)
    with clock.travel(to=START - timedelta(days=days_ago)):
        for n in range(views):
            activity.record(liked(product, "7", at=clock.now() + timedelta(seconds=n), kind=FactKind.VIEWED))
        drain()
    with clock.travel(to=START):
        fake_shop.set_price(product.ref, 80)

        assert list(concerned(look())) == people


def test_the_rule_of_a_campaign_narrows_sources_and_amounts(liked_product, fake_shop, look):
    fake_shop.set_price(liked_product.ref, 44_000)
    wave = look()

    assert concerned(wave, DropRule(sources=frozenset({Source.CARTED}))) == {}
    assert concerned(wave, DropRule(min_amount={"KRW": Decimal(10_000)})) == {}
    assert list(concerned(wave, DropRule(min_amount={"KRW": Decimal(6_000), "EUR": Decimal(10_000)}))) == ["7"]


def test_an_import_that_drops_many_prices_is_one_wave_with_one_row_a_person(drain, fake_shop, look):
    products = [fake_shop.add_product(price=100) for _ in range(5)]
    activity.record_many(liked(p, c, at=clock.now()) for p in products for c in ("7", "8"))
    drain()
    for product in products:
        fake_shop.set_price(product.ref, 50)

    people = concerned(look())

    assert {customer: len(items) for customer, items in people.items()} == {"7": 5, "8": 5}


def test_people_come_in_resumable_chunks(drain, fake_shop, look):
    product = fake_shop.add_product(price=100)
    activity.record_many(liked(product, str(n), at=clock.now()) for n in range(5))
    drain()
    fake_shop.set_price(product.ref, 50)
    wave = look()

    first = concerned(wave, limit=3)
    last = Contact.objects.filter(customer_id__in=first).order_by("-pk").first()
    second = concerned(wave, after=last.pk, limit=3)

    assert len(first) == 3
    assert set(first) | set(second) == {"0", "1", "2", "3", "4"}
    assert not set(first) & set(second)


@pytest.mark.parametrize("told", ["product", "variant", "promotion"])
def test_a_told_change_is_looked_at_before_its_time(told, liked_product, drain, fake_shop):
    other = fake_shop.add_product(price=10, shop_channel="kr")
    activity.record(liked(other, "8", at=START))
    drain()
    later = dict(PriceWatch.objects.values_list("product_id", "due_at"))
    fake_shop.promotions["P1"] = [liked_product.product_id]
    named = {
        "product": {"product_ids": [liked_product.product_id]},
        "variant": {"variant_ids": [liked_product.variant_id]},
        "promotion": {"promotion_refs": ["P1", "unheard-of"]},
    }

    with clock.travel(to=START + timedelta(seconds=1)):
        activity.look_again(**named[told])
        drain()

        moved = dict(PriceWatch.objects.values_list("product_id", "due_at"))
        assert moved == later | {liked_product.product_id: clock.now()}
        assert clock.now() < later[liked_product.product_id]


def test_a_variant_of_the_product_that_is_not_the_one_carted_does_not_count(drain, fake_shop, look):
    product = fake_shop.add_product(price=100)
    small = fake_shop.add_variant(product, price=20)
    fact = liked(product, "7", at=clock.now(), kind=FactKind.CARTED)
    activity.record(replace(fact, variant_id=product.variant_id))
    drain()
    fake_shop.set_price(small, 10)

    assert concerned(look()) == {}
    assert Interest.objects.get().baseline_price == Decimal(100)


def test_products_nobody_cares_for_any_more_are_not_watched(liked_product):
    Interest.objects.all().delete()

    gone = activity.forget_unwanted(100)

    assert (gone, PriceWatch.objects.count()) == (1, 0)


@pytest.mark.django_db(transaction=True)
def test_a_watch_is_kept_while_the_first_interest_in_its_product_is_being_written(liked_product, drain):
    Interest.objects.all().delete()
    activity.record(replace(liked(liked_product, "8", at=clock.now()), shop_channel="kr"))
    forgotten = []

    with transaction.atomic():
        drain()
        together(lambda: forgotten.append(activity.forget_unwanted(100)))

    assert (forgotten, PriceWatch.objects.count()) == ([0], 1)
    assert (activity.forget_unwanted(100), Interest.objects.get().contact.customer_id) == (0, "8")


def test_looking_costs_the_same_number_of_queries_whatever_is_due(
    drain, fake_shop, look, django_assert_max_num_queries
):
    products = [fake_shop.add_product(price=100) for _ in range(50)]
    activity.record_many(liked(p, "7", at=clock.now()) for p in products)
    drain()
    for product in products[:25]:
        fake_shop.set_price(product.ref, 90)

    with django_assert_max_num_queries(12):
        look()

    assert PriceDrop.objects.count() == 25
