"""RFM classes and stages: fifths of everybody, never of mixed currencies, written only where they changed."""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import ceil

import pytest
from django.db import connection

from crm_plugin import clock
from crm_plugin.audience import locks, scoring
from crm_plugin.audience.labels import LABEL_NAMES, LABELS, STAGE_NAMES, Label
from crm_plugin.audience.locks import Lock
from crm_plugin.audience.models import Stage
from crm_plugin.models import Contact, ContactSpend, Score, Touched

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)

Spends = Mapping[str, Decimal | int]
#: Orders, time since the last one, spends by currency.
Buyer = tuple[int, timedelta, Spends]


def add_buyers(buyers: Iterable[Buyer], *, now: datetime = NOW) -> list[int]:
    buyers = list(buyers)
    rows = Contact.objects.bulk_create(
        Contact(customer_id=f"b{n}", orders_count=orders, last_order_at=now - ago, created_at=now)
        for n, (orders, ago, _spends) in enumerate(buyers, start=Contact.objects.count())
    )
    ContactSpend.objects.bulk_create(
        ContactSpend(contact=row, currency=currency, amount=amount, orders_count=orders)
        for row, (orders, _ago, spends) in zip(rows, buyers, strict=True)
        for currency, amount in spends.items()
    )
    return [row.pk for row in rows]


def rescore(*, at: datetime = NOW) -> int:
    with clock.travel(to=at):
        return scoring.rescore()


def classes(ids: Sequence[int]) -> list[tuple[int | None, int | None, int | None]]:
    rows = {row.pk: (row.recency, row.frequency, row.monetary) for row in Score.objects.filter(pk__in=ids)}
    return [rows[pk] for pk in ids]


def expected_classes(buyers: Sequence[Buyer]) -> list[tuple[int, int, int]]:
    """The same by counting, one buyer at a time."""
    lasts = sorted(-ago for _orders, ago, _spends in buyers)
    orders = sorted(count for count, _ago, _spends in buyers)
    spent = defaultdict(list)
    for _orders, _ago, spends in buyers:
        for currency, amount in spends.items():
            spent[currency].append(amount)
    for amounts in spent.values():
        amounts.sort()

    def place(currency: str, amount: Decimal | int) -> Fraction:
        below, upto = bisect_left(spent[currency], amount), bisect_right(spent[currency], amount)
        return Fraction(below + upto, 2 * len(spent[currency]))

    best = [max(place(*spend) for spend in spends.items()) for _orders, _ago, spends in buyers]
    places, n = sorted(best), len(buyers)
    return [
        (
            ceil(Fraction(5 * bisect_right(lasts, -ago), n)),
            1 + 5 * bisect_left(orders, count) // n,
            1 + 5 * bisect_left(places, mine) // n,
        )
        for (count, ago, _spends), mine in zip(buyers, best, strict=True)
    ]


@pytest.mark.feature(45)
def test_each_score_holds_a_fifth_of_ten_thousand_buyers_and_a_second_run_writes_nothing() -> None:
    chance = random.Random(45)  # noqa: S311 - made-up buyers
    amounts = chance.sample(range(1, 1_000_000), 10_000)
    seconds = [n // 20_000 * 86_400 + n % 20_000 for n in chance.sample(range(300 * 20_000), 10_000)]
    buyers = [
        (min(int(chance.expovariate(0.4)) + 1, 30), timedelta(seconds=ago), {"EUR": amount})
        for ago, amount in zip(seconds, amounts, strict=True)
    ]
    ids = add_buyers(buyers)

    changed = rescore()

    found = classes(ids)
    assert changed == 10_000
    assert Counter(recency for recency, _f, _m in found) == dict.fromkeys(range(1, 6), 2_000)
    assert Counter(monetary for _r, _f, monetary in found) == dict.fromkeys(range(1, 6), 2_000)
    assert_fifths_but_for_ties(Counter(orders for orders, _ago, _s in buyers), Counter(f for _r, f, _m in found))
    assert found == expected_classes(buyers)

    written = dict(Score.objects.values_list("pk", "computed_at"))
    Touched.objects.all().delete()
    assert rescore(at=NOW + timedelta(minutes=59)) == 0
    assert rescore(at=NOW + timedelta(minutes=61)) == 0
    assert classes(ids) == found
    assert not Touched.objects.exists()
    again = dict(Score.objects.values_list("pk", "computed_at"))
    assert [pk for pk in ids if written[pk] != again[pk]] == ids[:1], "but the row that says when the last run was"


def assert_fifths_but_for_ties(values: Counter[int], scores: Counter[int]) -> None:
    """Up to each score there is the fifth times the score, and of those who tie at its edge, all."""
    n, ordered = values.total(), sorted(values.elements())
    for score in range(1, 5):
        edge = n * score // 5
        tied = values[ordered[edge - 1]]
        assert edge <= sum(scores[lower] for lower in range(1, score + 1)) < edge + tied


def test_the_classes_agree_with_counting_where_buyers_tie_and_use_several_currencies() -> None:
    chance = random.Random(5)  # noqa: S311 - made-up buyers
    buyers = []
    for _ in range(503):
        currencies = chance.sample(["EUR", "KRW", "USD"], k=chance.choice([1, 1, 1, 2, 3]))
        spends = {currency: chance.randrange(0, 40) for currency in currencies}
        buyers.append((chance.choice([1, 1, 1, 2, 2, 3, 7]), chance.randrange(100) * DAY, spends))
    ids = add_buyers(buyers)

    rescore()

    assert classes(ids) == expected_classes(buyers)


def test_amounts_of_different_currencies_are_never_added_or_compared() -> None:
    crowd = [(1, n * DAY, {"KRW": 1_000_000 + n}) for n in range(10)] + [(1, n * DAY, {"EUR": n}) for n in range(10)]
    add_buyers(crowd)

    best_in_euro, middling_in_both = add_buyers(
        [(1, DAY, {"EUR": 100}), (1, DAY, {"EUR": Decimal("4.5"), "KRW": 1_000_005})]
    )
    rescore()

    assert [monetary for _r, _f, monetary in classes([best_in_euro, middling_in_both])] == [5, 3]


def test_buyers_who_ordered_once_are_in_the_lowest_class_however_many_they_are() -> None:
    ids = add_buyers([(1, n * DAY, {"EUR": n}) for n in range(8)] + [(2, DAY, {"EUR": 1}), (3, DAY, {"EUR": 1})])

    rescore()

    assert [frequency for _r, frequency, _m in classes(ids)] == [1] * 8 + [5, 5]


def test_the_first_buyer_of_a_shop_is_new_not_lost() -> None:
    (only,) = add_buyers([(1, timedelta(hours=1), {"EUR": 5})])

    rescore()

    score = Score.objects.get(pk=only)
    assert (score.recency, score.frequency, score.label, score.stage) == (5, 1, "new", Stage.NEW)


@pytest.mark.parametrize(
    ("orders", "ago", "stage"),
    [
        (1, 30 * DAY, Stage.NEW),
        (1, 30 * DAY + timedelta(seconds=1), Stage.ACTIVE),
        (2, DAY, Stage.ACTIVE),
        (2, 90 * DAY, Stage.ACTIVE),
        (2, 90 * DAY + timedelta(seconds=1), Stage.AT_RISK),
        (1, 180 * DAY, Stage.AT_RISK),
        (9, 180 * DAY + timedelta(seconds=1), Stage.LAPSED),
    ],
)
def test_stages_go_by_the_time_since_the_last_order(orders: int, ago: timedelta, stage: Stage) -> None:
    (buyer,) = add_buyers([(orders, ago, {"EUR": 1})])

    rescore()

    assert Score.objects.get(pk=buyer).stage == stage


def test_whoever_never_ordered_is_a_lead_without_a_class() -> None:
    lead = Contact.objects.create(email="lead@example.com", created_at=NOW)

    rescore()

    score = Score.objects.get(pk=lead.pk)
    assert (score.recency, score.frequency, score.monetary, score.label, score.stage) == (None, None, None, "", "lead")


def test_visitors_and_the_erased_have_no_score() -> None:
    Contact.objects.create(created_at=NOW)
    Contact.objects.create(created_at=NOW, erased_at=NOW, orders_count=3)

    assert rescore() == 0
    assert not Score.objects.exists()


def test_only_those_who_changed_are_written_and_touched() -> None:
    ids = add_buyers([(n + 1, n * DAY, {"EUR": n}) for n in range(10)])
    rescore()
    assert set(Touched.objects.values_list("contact_id", flat=True)) == set(ids)
    Touched.objects.all().delete()

    (newcomer,) = (Contact.objects.create(email="new@example.com", created_at=NOW).pk,)
    Contact.objects.filter(pk=ids[9]).update(last_order_at=NOW - 200 * DAY)
    changed = rescore(at=NOW + timedelta(hours=2))

    assert changed == 2
    assert set(Touched.objects.values_list("contact_id", flat=True)) == {newcomer, ids[9]}
    assert Score.objects.get(pk=ids[9]).stage == Stage.LAPSED


def test_cancelling_the_only_order_takes_the_class_away() -> None:
    buyer, _other = add_buyers([(1, DAY, {"EUR": 5}), (1, DAY, {"EUR": 6})])
    rescore()

    Contact.objects.filter(pk=buyer).update(orders_count=0, last_order_at=None)
    ContactSpend.objects.filter(contact_id=buyer).update(amount=0, orders_count=0)
    rescore(at=NOW + timedelta(hours=2))

    score = Score.objects.get(pk=buyer)
    assert (score.recency, score.label, score.stage) == (None, "", Stage.LEAD)


def test_while_one_worker_computes_another_does_nothing() -> None:
    add_buyers([(1, DAY, {"EUR": 5})])
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s, 0)", [locks._BASE + Lock.SCORING])
            assert rescore() == 0
            cursor.execute("SELECT pg_advisory_unlock_all()")
    finally:
        other.close()

    assert not Score.objects.exists()
    assert rescore() == 1


@pytest.mark.parametrize(
    ("recency", "frequency", "label"),
    [(5, 5, Label.CHAMPIONS), (3, 4, Label.LOYAL), (5, 1, Label.NEW), (1, 5, Label.CANNOT_LOSE), (1, 1, Label.LOST)],
)
def test_classes_have_the_labels_in_general_use(recency: int, frequency: int, label: Label) -> None:
    assert LABELS[recency, frequency] is label


def test_every_class_has_a_label_and_every_label_a_name_in_both_languages() -> None:
    assert set(LABELS) == {(recency, frequency) for recency in range(1, 6) for frequency in range(1, 6)}
    assert set(LABELS.values()) == set(Label)
    for language in ("en", "ko"):
        assert set(LABEL_NAMES[language]) == set(Label)
        assert set(STAGE_NAMES[language]) == set(Stage)
