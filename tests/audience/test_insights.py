"""Bigin's questions: people are counted, exactly, and each number is the size of an audience that can be used."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm_plugin import audience, clock
from crm_plugin.errors import InvalidInput
from crm_plugin.models import Activity, Contact

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fake_shop")]

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def people(count: int, **values: Any) -> list[int]:
    start = Contact.objects.count()
    rows = (Contact(customer_id=f"p{n}", created_at=NOW, **values) for n in range(start, start + count))
    return [row.pk for row in Contact.objects.bulk_create(rows)]


def did(contact: int, kind: str, product: str = "", *, times: int = 1, ago: timedelta = DAY, order: str = "") -> None:
    start = Activity.objects.count()
    Activity.objects.bulk_create(
        Activity(
            contact_id=contact,
            kind=kind,
            source_key=f"a{n}",
            occurred_at=NOW - ago,
            product_id=product,
            order_ref=order,
        )
        for n in range(start, start + times)
    )


@pytest.fixture(autouse=True)
def _today() -> Iterator[None]:
    with clock.travel(to=NOW):
        yield


@pytest.mark.feature(40)
def test_of_two_hundred_who_bought_a_forty_six_bought_b_which_is_23_percent() -> None:
    buyers = people(200)
    for contact in buyers:
        did(contact, "bought", "A")
    for contact in buyers[:46]:
        did(contact, "bought", "B")
    for contact in buyers[:20]:
        did(contact, "bought", "A")
        did(contact, "bought", "B", times=2)
    for contact in people(30):
        did(contact, "bought", "B")

    answer = audience.bought_also("A", "B")

    assert (answer.buyers, answer.both) == (200, 46)
    assert f"{answer.share:.1%}" == "23.0%"
    assert audience.count(answer.rule) == 46
    (listed,) = audience.also_bought("A")
    assert (listed.product_id, listed.buyers, f"{listed.share:.1%}") == ("B", 46, "23.0%")
    assert listed.rule == answer.rule


@pytest.mark.feature(41)
def test_three_put_a_into_the_cart_one_bought_a_one_bought_b_so_two_did_not_buy_a() -> None:
    undecided, bought_it, bought_another = people(3)
    for contact in (undecided, bought_it, bought_another):
        did(contact, "carted", "A", times=2)
    did(bought_it, "bought", "A")
    did(bought_another, "bought", "B")

    answer = audience.carted_not_bought("A")

    assert answer.count == 2
    assert audience.matching(answer.rule, [undecided, bought_it, bought_another]) == {undecided, bought_another}
    (listed,) = audience.products_carted_not_bought()
    assert (listed.product_id, listed.people, audience.count(listed.rule)) == ("A", 2, 2)


@pytest.mark.feature(42)
def test_of_those_who_viewed_a_two_three_and_five_times_one_is_left_when_the_last_bought_it() -> None:
    twice, three_times, five_times = people(3)
    did(twice, "viewed", "A", times=2)
    did(three_times, "viewed", "A", times=3)
    did(five_times, "viewed", "A", times=5)
    did(five_times, "bought", "A")

    answer = audience.viewed_not_bought("A", times=3)

    assert answer.count == 1
    assert audience.matching(answer.rule, [twice, three_times, five_times]) == {three_times}
    (listed,) = audience.products_viewed_not_bought(times=3)
    assert (listed.product_id, listed.people, audience.count(listed.rule)) == ("A", 1, 1)


def test_a_cancelled_order_is_not_bought() -> None:
    kept, cancelled = people(2)
    for contact in (kept, cancelled):
        did(contact, "carted", "A")
        did(contact, "bought", "A", order=f"o{contact}")
        did(contact, "bought", "B", order=f"o{contact}")
    did(cancelled, "cancelled", order=f"o{cancelled}")

    both, carted = audience.bought_also("A", "B"), audience.carted_not_bought("A")

    assert (both.buyers, both.both, carted.count) == (1, 1, 1)
    assert [(row.product_id, row.buyers, row.share) for row in audience.also_bought("A")] == [("B", 1, 1.0)]
    assert [(row.product_id, row.people) for row in audience.products_carted_not_bought()] == [("A", 1)]


def test_every_list_of_products_says_what_asking_product_by_product_says() -> None:
    chance = random.Random(40)  # noqa: S311 - made-up shoppers
    products = ["A", "B", "C", "D", "E"]
    done: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for contact in people(60):
        for kind, odds in (("viewed", 0.9), ("carted", 0.5), ("bought", 0.4)):
            for product in products:
                if chance.random() < odds / 2:
                    times = chance.randint(1, 4)
                    did(contact, kind, product, times=times)
                    done[kind, product] += [contact] * times

    also, carted = audience.also_bought("A"), audience.products_carted_not_bought()
    viewed = audience.products_viewed_not_bought(times=2)

    bought = {product: set(done["bought", product]) for product in products}
    twice = {
        product: {one for one in done["viewed", product] if done["viewed", product].count(one) > 1}
        for product in products
    }
    assert [(row.product_id, row.buyers) for row in also] == most(
        {product: bought[product] & bought["A"] for product in products[1:]}
    )
    assert [(row.product_id, row.people) for row in carted] == most(
        {product: set(done["carted", product]) - bought[product] for product in products}
    )
    assert [(row.product_id, row.people) for row in viewed] == most(
        {product: twice[product] - bought[product] for product in products}
    )
    assert [audience.count(row.rule) for row in also] == [row.buyers for row in also]
    assert [audience.count(row.rule) for row in (*carted, *viewed)] == [row.people for row in (*carted, *viewed)]
    assert [audience.bought_also("A", row.product_id).share for row in also] == [row.share for row in also]
    assert [audience.carted_not_bought(row.product_id, days=30) for row in carted] == [
        audience.People(row.people, row.rule) for row in carted
    ]


def most(who: Mapping[str, set[int]]) -> list[tuple[str, int]]:
    return sorted(((product, len(some)) for product, some in who.items() if some), key=lambda row: (-row[1], row[0]))


def test_days_limit_the_carts_but_not_the_purchases() -> None:
    lately, long_ago, had_it = people(3)
    did(lately, "carted", "A", ago=3 * DAY)
    did(long_ago, "carted", "A", ago=40 * DAY)
    did(had_it, "carted", "A", ago=3 * DAY)
    did(had_it, "bought", "A", ago=400 * DAY)

    assert audience.carted_not_bought("A").count == 2
    assert audience.carted_not_bought("A", days=7).count == 1
    assert [(row.product_id, row.people) for row in audience.products_carted_not_bought(days=7)] == [("A", 1)]
    assert [(row.product_id, row.people) for row in audience.products_carted_not_bought(days=60)] == [("A", 2)]


def test_visitors_are_not_counted() -> None:
    visitor = Contact.objects.create(created_at=NOW).pk
    did(visitor, "carted", "A")
    did(visitor, "bought", "B")
    did(visitor, "bought", "C")

    assert audience.carted_not_bought("A").count == 0
    assert audience.products_carted_not_bought() == []
    assert audience.also_bought("B") == []


def test_a_product_that_nobody_bought_has_no_share() -> None:
    answer = audience.bought_also("A", "B")

    assert (answer.buyers, answer.both, answer.share) == (0, 0, 0.0)


@pytest.mark.parametrize(
    ("ask", "field"),
    [
        (lambda: audience.also_bought("A", limit=0), "limit"),
        (lambda: audience.also_bought("A", limit=101), "limit"),
        (lambda: audience.also_bought(""), "product_id"),
        (lambda: audience.carted_not_bought("A" * 65), "product_id"),
        (lambda: audience.viewed_not_bought("A\0"), "product_id"),
        (lambda: audience.bought_also("A", ""), "other_id"),
        (lambda: audience.viewed_not_bought("A", times=0), "times"),
        (lambda: audience.products_viewed_not_bought(times=1_001), "times"),
        (lambda: audience.products_carted_not_bought(days=366), "days"),
        (lambda: audience.carted_not_bought("A", days=0), "days"),
    ],
)
def test_what_cannot_be_meant_is_refused(ask: Callable[[], object], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        ask()

    assert refused.value.field == field


#: 10,000 activities of a year, of which few are about one product and few are carts of one month.
_FILL = """
INSERT INTO crm_plugin_contact (customer_id, first_name, last_name, language, country, time_zone, orders_count,
    created_at) SELECT 'c' || n, '', '', '', '', '', 0, now() FROM generate_series(1, 1000) n;
INSERT INTO crm_plugin_activity (contact_id, kind, source_key, occurred_at, product_id, variant_id, shop_channel,
    order_ref, cart_ref, currency, data)
SELECT c.id, (ARRAY['viewed', 'viewed', 'viewed', 'viewed', 'visited', 'visited', 'carted', 'bought'])[1 + n % 8],
    c.id || '-' || n, timestamptz '2026-11-22' - make_interval(days => ((c.id * 31 + n * 17) % 365)::int),
    (c.id * 7 + n * 13) % 500, '', 'default', '', '', '', '{}'
FROM crm_plugin_contact c, generate_series(1, 10) n;
ANALYZE crm_plugin_contact, crm_plugin_activity;
"""


@pytest.mark.parametrize(
    ("ask", "index"),
    [
        (lambda: audience.also_bought("7"), "crm_activity_of_product"),
        (lambda: audience.bought_also("7", "8"), "crm_activity_of_product"),
        (lambda: audience.carted_not_bought("7"), "crm_activity_of_product"),
        (lambda: audience.viewed_not_bought("7"), "crm_activity_of_product"),
        (lambda: audience.products_carted_not_bought(days=5), "crm_activity_in_time"),
        (lambda: audience.products_viewed_not_bought(days=5), "crm_activity_in_time"),
    ],
)
def test_every_question_finds_its_index(ask: Callable[[], object], index: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_FILL)

    with CaptureQueriesContext(connection) as seen:
        ask()
    plans = []
    with connection.cursor() as cursor:
        for query in seen.captured_queries:
            if "crm_plugin_activity" in query["sql"]:
                cursor.execute(f"EXPLAIN {query['sql']}")
                plans.append("\n".join(line for (line,) in cursor.fetchall()))

    assert plans
    assert all(index in plan for plan in plans)
    assert not any("Seq Scan on crm_plugin_activity" in plan for plan in plans)
