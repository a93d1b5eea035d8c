"""Whose turn it is when stock comes: in waves, in order, nobody twice in an epoch and nobody lost."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_plugin import activity, clock, merchant
from crm_plugin.activity import epochs, watch
from crm_plugin.models import StockEpoch, StockRequest, Wave
from crm_plugin.shop import ProductRef
from tests.activity.conftest import Drain
from tests.activity.standing_in_line import HOUR, MINUTE, START, People, ask, line, look, mug, people, turn
from tests.fake_catalogue import FakeProduct
from tests.fake_shop import FakeShop
from tests.together import together

__all__ = ["mug", "people"]

pytestmark = pytest.mark.django_db


def test_twelve_of_twenty_are_told_of_four_units_and_the_others_of_what_is_left_later(
    people: People, fake_shop: FakeShop, mug: FakeProduct
) -> None:
    everybody = people(20)
    ask(everybody, mug.ref)
    with clock.travel(to=START + HOUR):
        fake_shop.set_stock(mug.ref, 4)
        look()
        first, at_once = turn(), turn()
        fake_shop.set_stock(mug.ref, 1)
    with clock.travel(to=START + 2 * HOUR - MINUTE):
        too_early = turn()
    with clock.travel(to=START + 2 * HOUR):
        second = turn()
        fake_shop.set_stock(mug.ref, 0)
    with clock.travel(to=START + 3 * HOUR):
        third = turn()

    assert (first, at_once, too_early) == (everybody[:12], [], [])
    assert (second, third) == (everybody[12:15], [])
    assert line(mug.ref) == everybody[15:]
    epoch = StockEpoch.objects.get()
    assert (epoch.waves_count, epoch.told_count, epoch.closed_at) == (2, 15, START + 3 * HOUR)


def test_a_restock_in_an_open_epoch_is_the_same_one_and_a_later_one_another(
    people: People, fake_shop: FakeShop, mug: FakeProduct
) -> None:
    everybody = people(9)
    ask(everybody, mug.ref)
    told = []
    for hours, stock in ((1, 1), (1.2, 0), (1.4, 1), (2, None), (3, 0), (4, 1)):
        with clock.travel(to=START + hours * HOUR):
            fake_shop.set_stock(mug.ref, 1 if stock is None else stock)
            look()
            told.append(turn())

    assert told == [everybody[:3], [], [], everybody[3:6], [], everybody[6:]]
    assert list(StockEpoch.objects.order_by("pk").values_list("waves_count", "told_count")) == [(2, 6), (1, 3)]
    assert not StockEpoch.objects.filter(closed_at=None).exists()


def test_what_is_not_counted_is_told_to_everybody_and_the_epoch_is_over(
    people: People, fake_shop: FakeShop, mug: FakeProduct
) -> None:
    everybody = people(8)
    ask(everybody, mug.ref)
    with clock.travel(to=START + HOUR):
        fake_shop.set_stock(mug.ref, None)
        look()

        assert turn() == everybody
        look()

    assert StockEpoch.objects.values_list("closed_at", "next_wave_at").get() == (START + HOUR, None)


def test_no_epoch_opens_where_nobody_waits_or_only_unconfirmed(
    people: People, fake_shop: FakeShop, mug: FakeProduct, drain: Drain
) -> None:
    (ann,) = people(1)
    activity.ask_unconfirmed(ann, mug.ref)
    watch.begin(fake_shop.offers([mug.product_id], shop_channel="default"))
    fake_shop.set_stock(mug.ref, 5)

    assert look().waves != ()
    assert not StockEpoch.objects.exists()


def test_each_channel_has_a_line_of_its_own(people: People, fake_shop: FakeShop, mug: FakeProduct) -> None:
    in_korea = ProductRef(mug.product_id, "kr", mug.variant_id)
    fake_shop.list_in(in_korea, price=60_000)
    ann, bob = people(2)
    activity.ask_for_stock(ann, mug.ref)
    activity.ask_for_stock(bob, in_korea)

    fake_shop.set_stock(mug.ref, 1)
    fake_shop.unpublish(ProductRef(mug.product_id, "kr"))
    look()

    assert turn() == [ann]
    assert line(in_korea) == [bob]


def test_while_there_is_less_than_a_campaign_tells_of_the_epoch_goes_on(
    people: People, fake_shop: FakeShop, mug: FakeProduct
) -> None:
    (ann,) = people(1)
    ask([ann], mug.ref)
    with clock.travel(to=START + HOUR):
        fake_shop.set_stock(mug.ref, 2)
        look()
        few = turn(min_available=3)
    with clock.travel(to=START + 3 * HOUR):
        fake_shop.set_stock(mug.ref, 3)

        assert (few, turn(min_available=3)) == ([], [ann])


def test_the_pause_between_two_waves_is_the_merchants(people: People, fake_shop: FakeShop, mug: FakeProduct) -> None:
    us = merchant.load()
    us.stock_wave_minutes = 10
    us.save()
    everybody = people(4)
    ask(everybody, mug.ref)
    with clock.travel(to=START + HOUR):
        fake_shop.set_stock(mug.ref, 1)
        look()
        turn()
    with clock.travel(to=START + HOUR + 10 * MINUTE):
        assert turn() == everybody[3:]


def test_who_was_told_and_asks_again_in_the_same_epoch_is_not_told_twice_in_it(
    people: People, fake_shop: FakeShop, mug: FakeProduct
) -> None:
    everybody = people(5)
    ask(everybody, mug.ref)
    with clock.travel(to=START + HOUR):
        fake_shop.set_stock(mug.ref, 1)
        look()
        turn()
    with clock.travel(to=START + HOUR + MINUTE):
        fake_shop.set_stock(mug.ref, 0)
        activity.ask_for_stock(everybody[0], mug.ref)
        fake_shop.set_stock(mug.ref, 1)
    with clock.travel(to=START + 2 * HOUR):
        second = turn()
        closed = StockEpoch.objects.filter(closed_at=None).count()
        look()
        in_the_next = turn()

    assert (second, closed, in_the_next) == (everybody[3:], 0, [everybody[0]])


def test_a_restock_that_no_look_saw_as_a_change_is_found_all_the_same(
    people: People, fake_shop: FakeShop, mug: FakeProduct
) -> None:
    """The watch still believes that there is stock; the person asked when there was none, and then it came back."""
    fake_shop.set_stock(mug.ref, 5)
    watch.begin(fake_shop.offers([mug.product_id], shop_channel="default"))
    (ann,) = people(1)
    fake_shop.set_stock(mug.ref, 0)
    activity.ask_for_stock(ann, mug.ref)
    fake_shop.set_stock(mug.ref, 5)

    assert look().waves == ()
    assert turn() == [ann]


def test_a_wave_costs_the_same_number_of_queries_whatever_is_due(
    people: People, fake_shop: FakeShop, django_assert_max_num_queries: Any
) -> None:
    everybody, products = people(3), [fake_shop.add_product(stock=0) for _ in range(20)]
    for product in products:
        ask(everybody, product.ref)
        fake_shop.set_stock(product.ref, 1)
    look()

    with django_assert_max_num_queries(10):
        assert len(turn()) == 60

    assert Wave.objects.filter(kind="back_in_stock").latest("pk").pk in set(
        StockRequest.objects.values_list("wave", flat=True)
    )


def test_the_line_is_read_by_its_index(people: People, mug: FakeProduct) -> None:
    ask(people(1), mug.ref)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(
            "EXPLAIN SELECT r.id FROM crm_plugin_stockrequest r WHERE r.variant_id = '1' "
            "AND r.shop_channel = 'default' AND r.state = 'waiting' ORDER BY r.queued_at, r.id LIMIT 12"
        )
        plan = "\n".join(row for (row,) in cursor.fetchall())

    assert "crm_stock_request_line" in plan
    assert "Sort" not in plan


#: The stock that there is, who asks, who takes it back, whose message came to nothing, how much time passes.
MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("stock"), st.integers(0, 3)),
        st.tuples(st.just("ask"), st.integers(0, 11)),
        st.tuples(st.just("stop"), st.integers(0, 11)),
        st.tuples(st.just("turn"), st.just(0)),
        st.tuples(st.just("killed"), st.just(0)),
        st.tuples(st.just("hour"), st.just(0)),
    ),
    max_size=40,
)


@given(moves=MOVES)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_whatever_happens_nobody_is_told_twice_in_an_epoch_nobody_is_lost_and_the_first_come_first(
    fake_shop: FakeShop, people: People, moves: list[tuple[str, int]]
) -> None:
    with transaction.atomic():
        _live(fake_shop, people(12), moves)
        transaction.set_rollback(True)


def _live(shop: FakeShop, everybody: list[int], moves: list[tuple[str, int]]) -> None:
    product, now, stock = shop.add_product(stock=0), START, 0
    expected: list[int] = []  # the line as it ought to be
    told: list[tuple[int, int]] = []
    for move, value in moves:
        now += MINUTE
        with clock.travel(to=now):
            match move:
                case "stock":
                    stock = value
                    shop.set_stock(product.ref, stock)
                    look()
                case "ask":
                    asked = activity.ask_for_stock(everybody[value], product.ref)
                    assert asked.is_available == (stock > 0)
                    if not stock and everybody[value] not in expected:
                        expected.append(everybody[value])
                case "stop":
                    activity.stop_waiting(everybody[value], variant_id=product.variant_id, shop_channel="default")
                    expected = [one for one in expected if one != everybody[value]]
                case "killed":
                    with pytest.raises(ZeroDivisionError):
                        _die_in_a_turn()
                case "hour":
                    now += HOUR
                case "turn":
                    epoch = StockEpoch.objects.filter(next_wave_at__lte=now).first()
                    wave = turn()
                    assert len(wave) <= 3 * stock
                    if epoch is not None:
                        before = {one for number, one in told if number == epoch.pk}
                        eligible = [one for one in expected if one not in before]
                        assert wave == eligible[: 3 * stock]
                        told += [(epoch.pk, one) for one in wave]
                    expected = [one for one in expected if one not in wave]
                case _:
                    raise AssertionError(move)
        assert line(product.ref) == expected
    assert max(Counter(told).values(), default=1) == 1
    _nobody_is_left(shop, product, now, len(expected))


def _die_in_a_turn() -> None:
    with transaction.atomic():
        activity.next_wave()
        raise ZeroDivisionError


def _nobody_is_left(shop: FakeShop, product: FakeProduct, now: datetime, people: int) -> None:
    """With stock enough and time, the line comes to an end."""
    shop.set_stock(product.ref, 3)
    for hours in range(1, people + 4):
        with clock.travel(to=now + hours * 2 * HOUR):
            look()
            turn()
    assert line(product.ref) == []


@pytest.mark.django_db(transaction=True)
def test_two_workers_tell_everybody_once_in_the_order_of_the_line(
    fake_shop: FakeShop, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(epochs, "EPOCHS", 1)
    everybody, products = people(12), [fake_shop.add_product(stock=0) for _ in range(6)]
    for product in products:
        ask(everybody, product.ref)
        fake_shop.set_stock(product.ref, 2)
    look()
    waves: list[int] = []

    def work() -> None:
        while activity.is_wave_due():
            with transaction.atomic():
                wave = activity.next_wave().wave
            if wave is not None:
                waves.append(wave)

    together(work, work)

    assert len(waves) == len(set(waves)) == 6
    assert StockRequest.objects.filter(state="told").count() == 6 * 6
    for product in products:
        assert line(product.ref) == everybody[6:]


@pytest.mark.django_db(transaction=True)
def test_who_takes_it_back_while_a_wave_is_being_told_is_either_told_or_not(
    fake_shop: FakeShop, people: People, mug: FakeProduct
) -> None:
    everybody = people(30)
    ask(everybody, mug.ref)
    fake_shop.set_stock(mug.ref, 5)
    look()

    def stop() -> None:
        for contact_id in everybody[:15]:
            activity.stop_waiting(contact_id, variant_id=mug.variant_id, shop_channel="default")

    together(stop, turn)

    states = Counter(StockRequest.objects.values_list("state", flat=True))
    assert states["told"] <= 15
    assert states["told"] + states["cancelled"] + states["waiting"] == 30
    assert line(mug.ref) == [one for one in everybody if one in set(line(mug.ref))]
