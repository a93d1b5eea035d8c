"""What each condition means, by examples; that they all mean what they say is in ``test_compiler_properties``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product as combinations
from typing import Any

import pytest
from django.db import connection

from crm_plugin import activity, audience, contacts, pipeline
from crm_plugin.audience import AudienceRule, compile, count
from crm_plugin.errors import InvalidInput
from crm_plugin.models import Activity, Contact, ProductGroup
from crm_plugin.shop import Fact, FactKind, ShopIdentity
from tests.audience.conftest import Make, Who
from tests.audience.reference import Act, Someone
from tests.audience.rows import make_list, make_segment, write_people
from tests.fake_shop import FakeShop

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 2, 14, 9, 30, tzinfo=UTC)
DAY = timedelta(days=1)


def acts(kind: str, times: int = 1, *, product: str = "", at: datetime = NOW - DAY, **more: Any) -> list[Act]:
    return [Act(kind, at, product=product, **more) for _ in range(times)]


def did(kind: str, *products: str, at_least: int = 1, **more: Any) -> dict[str, Any]:
    times = {"op": "at_least", "count": at_least}
    return {"type": "did", "activity": kind, "times": times, "what": {"products": products}, **more}


def did_not(kind: str, *products: str, **more: Any) -> dict[str, Any]:
    return {**did(kind, *products, **more), "times": {"op": "at_most", "count": 0}}


def every(*of: Any) -> dict[str, Any]:
    return {"type": "all", "of": of}


def attribute(name: str, op: str, value: Any = None) -> dict[str, Any]:
    return {"type": "attribute", "name": name, "op": op, "value": value}


def within(days: int) -> dict[str, Any]:
    return {"type": "within", "amount": days, "unit": "days"}


@pytest.mark.feature(37)
def test_of_16_profiles_one_meets_all_four_conditions_and_two_with_an_or_inside(make: Make, who: Who) -> None:
    found = {
        combination: make(
            inflow={"browser": combination[0], "last_source": combination[1]},
            acts=acts("logged_in", combination[2]) + acts("carted", combination[3], product="a"),
        ).pk
        for combination in combinations(["Chrome", "Safari"], ["facebook", "direct"], [0, 1], [0, 1])
    }

    def came_from(*sources: str) -> dict[str, Any]:
        value = {"op": "in", "value": sources}
        channel = {"type": "inflow", "touch": "last", "field": "source", **value}
        return every({"type": "browser", "in": ["Chrome"]}, channel, did("logged_in"), did("carted"))

    assert len(found) == 16
    assert who(came_from("facebook")) == {found["Chrome", "facebook", 1, 1]}
    assert who(came_from("facebook", "direct")) == {
        found["Chrome", "facebook", 1, 1],
        found["Chrome", "direct", 1, 1],
    }


@pytest.mark.feature(39)
def test_who_came_by_a_facebook_link_is_in_and_who_came_directly_is_not(fake_shop: FakeShop, who: Who) -> None:
    ann, ben = fake_shop.add_customer(), fake_shop.add_customer()
    for customer, source in ((ann, "facebook"), (ben, "direct")):
        activity.record(
            Fact(
                kind=FactKind.VISITED,
                source_key=f"visit:{source}",
                customer_id=customer.customer_id,
                data={"source": source, "browser": "Chrome"},
            )
        )
    pipeline.pump()

    found = who({"type": "inflow", "touch": "first", "field": "source", "op": "is", "value": "facebook"})

    assert list(Contact.objects.filter(pk__in=found).values_list("customer_id", flat=True)) == [ann.customer_id]


@pytest.mark.feature(41)
def test_of_three_who_carted_a_only_the_buyer_of_a_is_out(make: Make, who: Who) -> None:
    carted = acts("carted", product="a", at=NOW - 2 * DAY)
    make(acts=carted + acts("bought", product="a"))
    bought_other, bought_nothing = make(acts=carted + acts("bought", product="b")), make(acts=list(carted))

    by_activities = who(every(did("carted", "a"), did_not("bought", "a")))
    by_sequence = who(
        {
            "type": "sequence",
            "first": {"activity": "carted", "what": {"products": ["a"]}},
            "then": {"activity": "bought"},
            "same_product": True,
            "happened": False,
        }
    )

    assert by_activities == by_sequence == {bought_other.pk, bought_nothing.pk}


@pytest.mark.feature(42)
def test_of_views_2_3_and_5_without_the_buyer_one_is_left(make: Make, who: Who) -> None:
    _twice, three_times = (make(acts=acts("viewed", times, product="a")) for times in (2, 3))
    make(acts=acts("viewed", 5, product="a") + acts("bought", product="a"))

    assert who(every(did("viewed", "a", at_least=3), did_not("bought", "a"))) == {three_times.pk}


@pytest.mark.feature(43)
def test_five_visits_in_14_days_and_two_orders(make: Make, who: Who) -> None:
    visits = acts("visited", 5, at=NOW - 14 * DAY)
    repurchased = make(acts=list(visits), values={"orders_count": 2})
    make(acts=list(visits), values={"orders_count": 1})
    make(acts=acts("visited", 4) + acts("visited", at=NOW - 14 * DAY - DAY / 1000), values={"orders_count": 2})

    found = who(every(did("visited", at_least=5, window=within(14)), attribute("orders_count", "gte", 2)), now=NOW)

    assert found == {repurchased.pk}


@pytest.mark.feature(24)
def test_one_cart_in_a_category_is_interest_and_one_view_is_not(make: Make, who: Who) -> None:
    ProductGroup.objects.create(product_id="no5", group_key="category:perfume")
    carted, _viewed = (make(acts=acts(kind, product="no5")) for kind in ("carted", "viewed"))
    weights = {"viewed": 1, "carted": 2, "checkout_started": 3}

    found = who({"type": "interest", "tags": ["category:perfume"], "weights": weights, "min_score": 2}, now=NOW)

    assert found == {carted.pk}


@pytest.mark.feature(48)
def test_interest_in_perfume_chocolate_and_a_necklace_is_a_union(make: Make, who: Who) -> None:
    for product, group in (("no5", "category:perfume"), ("praline", "category:chocolate")):
        ProductGroup.objects.create(product_id=product, group_key=group)
    perfume, chocolate, necklace = (make(acts=acts("carted", product=one)) for one in ("no5", "praline", "necklace"))
    both = make(acts=acts("carted", product="no5") + acts("carted", product="praline"))
    make(acts=acts("carted", product="sock"))
    search = {"products": ["necklace"], "groups": ["category:perfume", "category:chocolate"]}

    found = who({"type": "interest", "search": search}, now=NOW)

    assert found == {perfume.pk, chocolate.pk, necklace.pk, both.pk}
    assert count(AudienceRule.parse({"include": {"type": "interest", "search": search}}), now=NOW) == 4


@pytest.mark.feature(49)
def test_of_500_included_80_buyers_of_l8_are_taken_out(fake_shop: FakeShop, who: Who) -> None:
    viewed = acts("viewed", product="no5")
    write_people(
        Someone(email=f"{n}@example.com", acts=viewed + (acts("bought", product="L8") if n < 80 else []))
        for n in range(500)
    )

    assert len(who(did("viewed", "no5"))) == 500
    assert len(who(did("viewed", "no5"), did("bought", "L8"))) == 420
    assert who(did("bought", "L8"), did("bought", "L8")) == set()


@pytest.mark.feature(51)
def test_the_last_14_days_on_14_february_are_31_january_to_13_february(
    fake_shop: FakeShop, make: Make, who: Who
) -> None:
    fake_shop.shop_identity = ShopIdentity("Shop", "https://shop.example/", "Asia/Seoul", "ko")
    kst, tick = timedelta(hours=9), timedelta(microseconds=1)
    first, last = datetime(2026, 1, 31, tzinfo=UTC) - kst, datetime(2026, 2, 14, tzinfo=UTC) - kst
    _early, at_first, at_last, _late = (
        make(acts=acts("viewed", product="no5", at=at)).pk for at in (first - tick, first, last - tick, last)
    )
    interest = {"type": "interest", "search": {"products": ["no5"]}, "min_score": 1}

    found = who({**interest, "window": {"type": "last_days", "days": 14}}, now=NOW)

    assert found == {at_first, at_last}
    with pytest.raises(InvalidInput, match="30"):
        AudienceRule.parse({"include": {**interest, "window": {"type": "last_days", "days": 31}}})


def test_two_days_ago_is_one_calendar_day(make: Make, who: Who) -> None:
    days = [datetime(2026, 1, day, 12, tzinfo=UTC) for day in (29, 30, 31)]
    found = [make(acts=acts("viewed", product="a", at=at)).pk for at in days]
    window = {"type": "exactly_ago", "amount": 2, "unit": "days"}

    assert who(did("viewed", "a", window=window), now=datetime(2026, 2, 1, 10, tzinfo=UTC)) == {found[1]}


def test_points_of_3000_or_more(make: Make, who: Who) -> None:
    contacts.declare_attribute("points", "number")
    _few, enough, many = (make(attributes={"points": points}).pk for points in (2_999, 3_000, 8_000))
    make()

    assert who(attribute("points", "gte", 3_000)) == {enough, many}


def test_a_birthday_on_29_february_is_the_28th_in_2027(make: Make, who: Who) -> None:
    contacts.declare_attribute("born", "date")
    leapling = make(attributes={"born": "2000-02-29"}).pk
    birthday = attribute("born", "anniversary", {"in_days": 0})

    days = {day: who(birthday, now=day) for day in (datetime(2027, 2, 27, 12, tzinfo=UTC) + n * DAY for n in range(3))}
    in_a_leap_year = [who(birthday, now=datetime(2028, 2, day, 12, tzinfo=UTC)) for day in (28, 29)]

    assert list(days.values()) == [set(), {leapling}, set()]
    assert in_a_leap_year == [set(), {leapling}]
    assert who(attribute("born", "anniversary", {"in_days": 3}), now=datetime(2027, 2, 25, 12, tzinfo=UTC)) == {
        leapling
    }


def test_a_last_order_longer_than_90_days_ago(make: Make, who: Who) -> None:
    before = attribute("last_order_at", "in_window", {"type": "before", "amount": 90, "unit": "days"})
    lapsed, _recent, _never = (
        make(values=values).pk for values in ({"last_order_at": NOW - 91 * DAY}, {"last_order_at": NOW - 89 * DAY}, {})
    )

    assert who(before, now=NOW) == {lapsed}


def test_visitors_and_the_erased_are_in_no_audience(make: Make, who: Who) -> None:
    known = make(acts=acts("viewed", product="a"))
    make(email=None, acts=acts("viewed", product="a"))
    make(email=None, is_erased=True, acts=acts("viewed", product="a"))

    assert who({"type": "everybody"}) == who(did("viewed", "a")) == {known.pk}
    query = compile(AudienceRule.parse({"include": did("viewed", "a")}), is_known_only=False)
    with connection.cursor() as cursor:
        cursor.execute(query.sql, query.params)
        assert len(cursor.fetchall()) == 3


def test_the_opposite_holds_for_those_of_whom_nothing_is_known(make: Make, who: Who) -> None:
    korean, unknown = make(values={"country": "KR"}).pk, make().pk

    assert who(attribute("country", "is", "kr")) == {korean}
    assert who(attribute("country", "is_not", "kr")) == {unknown}
    assert who({"type": "not", "of": attribute("country", "is", "kr")}) == {unknown}
    assert who({"type": "not", "of": attribute("country", "is_not", "kr")}) == {korean}


def test_who_ordered_nothing_spent_nothing(make: Make, who: Who) -> None:
    spender, other = make(spends={"EUR": (Decimal(100), 2)}).pk, make(spends={"KRW": (Decimal(50_000), 1)}).pk
    never = make().pk

    def spent(op: str, value: Any, **more: Any) -> set[int]:
        return who({"type": "spent", "currency": "EUR", "op": op, "value": value, **more})

    assert spent("gte", 100) == spent("eq", 50, measure="average") == {spender}
    assert spent("lt", 100) == {other, never}
    assert spent("eq", 0, measure="orders") == {other, never}
    assert spent("lt", 100, measure="average") == {spender}


def test_a_cancelled_order_is_not_spent(make: Make, who: Who) -> None:
    money = {"amount": Decimal(60), "currency": "EUR"}
    kept = acts("ordered", order="1", **money)
    faithful = make(acts=kept + acts("ordered", order="2", **money)).pk
    make(acts=acts("ordered", order="3", **money) + acts("ordered", order="4", **money) + acts("cancelled", order="4"))
    rule = {"type": "spent", "currency": "EUR", "op": "gte", "value": "120.00", "window": within(30)}

    assert who(rule, now=NOW) == {faithful}


def test_an_order_above_an_amount(make: Make, who: Who) -> None:
    _less, exactly, _won = (
        make(acts=acts("ordered", amount=Decimal(amount), currency=currency)).pk
        for amount, currency in ((99_999, "KRW"), (100_000, "KRW"), (100_000, "EUR"))
    )

    assert who(did("ordered", amount={"currency": "KRW", "op": "gte", "value": 100_000})) == {exactly}


def test_not_ordering_within_an_hour_of_carting_is_known_after_the_hour(make: Make, who: Who) -> None:
    carted = make(acts=acts("carted", product="a", at=NOW)).pk
    late = make(acts=acts("carted", product="a", at=NOW) + acts("ordered", at=NOW + timedelta(minutes=61))).pk
    make(acts=acts("carted", product="a", at=NOW) + acts("ordered", at=NOW + timedelta(minutes=60)))
    rule = {
        "type": "sequence",
        "first": {"activity": "carted"},
        "then": {"activity": "ordered"},
        "happened": False,
        "within": {"amount": 60, "unit": "minutes"},
    }

    moments = [NOW + timedelta(minutes=minutes) for minutes in (59, 60, 61)]

    # At the full hour an order of that very moment could still come.
    assert [who(rule, now=moment) for moment in moments] == [set(), set(), {carted, late}]


def test_both_products_in_one_order(make: Make, who: Who) -> None:
    together = make(acts=acts("bought", product="a", order="1") + acts("bought", product="b", order="1")).pk
    apart = make(acts=acts("bought", product="a", order="2") + acts("bought", product="b", order="3")).pk
    make(acts=acts("bought", product="a", order="4"))
    both = {"type": "co_purchase", "product": "a", "other": "b"}

    assert who(both) == {together, apart}
    assert who({**both, "in_one_order": True}) == {together}


def test_a_page_of_a_category_was_viewed(make: Make, who: Who) -> None:
    viewer = make(acts=acts("group_viewed", subject="category:12")).pk
    make(acts=acts("group_viewed", subject="category:1"))

    assert who({"type": "did", "activity": "group_viewed", "what": {"groups": ["category:12"]}}) == {viewer}


def test_searches_are_found_in_any_case(make: Make, who: Who) -> None:
    searcher = make(acts=acts("searched", subject="red shoes")).pk

    def searched(op: str, value: str) -> set[int]:
        return who({"type": "did", "activity": "searched", "what": {"subject": {"op": op, "value": value}}})

    assert searched("is", "Red Shoes") == searched("contains", "SHOE") == {searcher}
    assert searched("is", "red") == set()


def test_a_coupon_is_held_until_it_is_used_or_expires(make: Make, who: Who) -> None:
    issued = acts("coupon_issued", subject="WELCOME-1")
    holder = make(acts=list(issued)).pk
    make(acts=issued + acts("coupon_used", subject="WELCOME-1"))
    expiring = make(acts=acts("coupon_issued", subject="SPRING-1", expires_at=NOW + DAY)).pk
    held = {"type": "coupon_held"}

    assert who(held, now=NOW) == {holder, expiring}
    assert who(held, now=NOW + DAY) == {holder}
    assert who({**held, "code_starts_with": "spring"}, now=NOW) == {expiring}


@pytest.mark.parametrize("written", ["", "soon", "2026-02-31T00:00:00+00:00", 5, None, {"a": 1}])
def test_a_coupon_whose_end_nobody_can_read_does_not_expire(make: Make, who: Who, written: Any) -> None:
    holder = make(acts=acts("coupon_issued", subject="X")).pk
    Activity.objects.update(data={"expires_at": written})

    assert who({"type": "coupon_held"}, now=NOW) == {holder}


def test_reachable_needs_an_address_consent_and_no_block(make: Make, who: Who) -> None:
    reachable, blocked = make(consent=True), make(consent=True)
    for values in ({"consent": False}, {}, {"email": None, "customer_id": "1", "consent": True}):
        make(**values)
    rule = {"type": "reachable", "channel": "email"}

    assert who(rule) == {reachable.pk, blocked.pk}
    contacts.suppress(str(blocked.email), channel="email", reason="hard_bounce")
    audience.follow(10)
    assert who(rule) == {reachable.pk}


def test_a_live_segment_is_asked_and_a_list_is_looked_up(make: Make, who: Who) -> None:
    vip = make_list(name="VIP")
    buyers = make_segment({"include": did("bought"), "exclude": [did("refunded")]})
    listed = make(lists=frozenset({vip})).pk
    buyer, refunded = make(acts=acts("bought")).pk, make(acts=acts("bought") + acts("refunded")).pk

    def of(pk: int, **more: Any) -> dict[str, Any]:
        return {"type": "segment", "segment": pk, **more}

    assert who(of(vip)) == {listed}
    assert who(of(buyers)) == {buyer}
    assert who(every(of(vip, is_member=False), of(buyers, is_member=False))) == {refunded}


def test_a_rule_knows_what_can_change_its_answer(fake_shop: FakeShop) -> None:
    buyers = make_segment({"include": did("bought", window=within(3))})
    rule = AudienceRule.parse(
        {
            "include": every({"type": "segment", "segment": buyers}, attribute("orders_count", "gte", 2)),
            "exclude": [{"type": "engagement", "did": "opened", "window": within(60)}],
        }
    )

    assert rule.kinds() == {
        FactKind.BOUGHT,
        FactKind.ORDERED,
        FactKind.CANCELLED,
        FactKind.REFUNDED,
        FactKind.MESSAGE_OPENED,
    }


def test_what_is_probably_not_meant_is_said(fake_shop: FakeShop) -> None:
    both = {"type": "interest", "tags": ["category:1"], "search": {"products": ["no5"]}}

    warnings = AudienceRule.parse({"include": every(both, did("ordered", "no5"))}).warnings()

    assert [text.split(":")[0] for text in warnings] == [
        "Both tags and a search are set",
        "`ordered` names no product; no activity will match.",
    ]
    assert AudienceRule.parse({"include": did("bought", "no5")}).warnings() == ()


@pytest.mark.slow
def test_four_conditions_on_100_000_profiles_find_whom_sql_finds(fake_shop: FakeShop, db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_FILL)
        cursor.execute("ANALYZE crm_plugin_contact, crm_plugin_activity")
    rule = AudienceRule.parse(
        {
            "include": every(
                attribute("country", "is", "KR"),
                attribute("orders_count", "between", [1, 3]),
                did("viewed", "7", at_least=2, window=within(30)),
                did_not("bought", "7"),
            )
        }
    )
    query = compile(rule, now=NOW)

    with connection.cursor() as cursor:
        cursor.execute(query.sql, query.params)
        ours = {pk for (pk,) in cursor.fetchall()}
        cursor.execute(_REFERENCE)
        theirs = {pk for (pk,) in cursor.fetchall()}

    assert ours == theirs
    assert 500 < len(ours) < 20_000


_FILL = """
INSERT INTO crm_plugin_contact (customer_id, first_name, last_name, language, country, time_zone, orders_count,
    created_at)
SELECT 'c' || n, '', '', '', (ARRAY['KR', 'DE', 'US'])[1 + n % 3], '', n % 5, '2020-01-01'
FROM generate_series(1, 100000) n;
INSERT INTO crm_plugin_activity (contact_id, kind, source_key, occurred_at, product_id, variant_id, shop_channel,
    order_ref, cart_ref, currency, data)
SELECT id, CASE WHEN id % 7 = 0 AND n = 3 THEN 'bought' ELSE 'viewed' END, 'k' || id || '.' || n,
    timestamptz '2026-02-14 09:30+00' - ((id * n) % 50) * interval '1 day', CASE WHEN id % 11 < 8 THEN '7' ELSE '8' END,
    '', 'default', '', '', '', '{}' FROM crm_plugin_contact, generate_series(1, 3) n WHERE id % 2 = 0;
"""
_REFERENCE = """
SELECT c.id FROM crm_plugin_contact c JOIN crm_plugin_activity a ON a.contact_id = c.id
WHERE c.country = 'KR' AND c.orders_count IN (1, 2, 3) AND a.product_id = '7' AND a.kind = 'viewed'
    AND a.occurred_at BETWEEN '2026-01-15 09:30+00' AND '2026-02-14 09:30+00'
    AND c.id NOT IN (SELECT contact_id FROM crm_plugin_activity WHERE kind = 'bought' AND product_id = '7')
GROUP BY c.id HAVING count(*) > 1
"""
