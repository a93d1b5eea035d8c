"""Row 4: counting audiences of a million contacts and twenty million activities, beside SQL written by hand.

Six questions that merchants ask. Each is counted by the compiler's query and by the query that a person who knows the
tables would write; what is compared is the slowest ratio of the six, and the slowest answer must come within a second.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any, Final

from django.db import connection

from benchmarks import people
from benchmarks.measuring import timed
from crm_plugin import audience, clock, shop
from tests.fake_shop import FakeShop

TURNS: Final = 12
#: The slowest that 95 of 100 answers may be, in seconds.
P95_SECONDS: Final = 1.0
KNOWN: Final = "c.erased_at IS NULL AND (c.customer_id IS NOT NULL OR c.email IS NOT NULL)"
STANDS: Final = """order_ref NOT IN (
    SELECT x.order_ref FROM crm_plugin_activity x WHERE x.kind = 'cancelled' AND x.order_ref <> '')"""


@dataclass(frozen=True, slots=True)
class Question:
    """An audience as a merchant composes it, and the same as a query."""

    name: str
    rule: Mapping[str, Any]
    sql: str
    params: Sequence[Any] = ()


def _did(activity: str, *, times: int = 1, op: str = "at_least", products: Sequence[str] = (), days: int = 0) -> Any:
    what = {"what": {"products": list(products)}} if products else {}
    window = {"window": {"type": "within", "amount": days, "unit": "days"}} if days else {}
    return {"type": "did", "activity": activity, "times": {"op": op, "count": times}, **what, **window}


def _all(*of: Any) -> Mapping[str, Any]:
    return {"include": {"type": "all", "of": list(of)}}


def _ago(days: int) -> datetime:
    return people.NOW - timedelta(days=days)


QUESTIONS: Final = (
    Question(
        "viewed A three times in 30 days and did not buy it",
        _all(_did("viewed", times=3, products=["7"], days=30), _did("bought", op="at_most", times=0, products=["7"])),
        f"""
        SELECT count(*) FROM crm_plugin_contact c WHERE {KNOWN} AND c.id IN (
            SELECT contact_id FROM crm_plugin_activity WHERE product_id = '7' AND kind = 'viewed' AND occurred_at >= %s
                AND occurred_at <= %s
            GROUP BY contact_id HAVING count(*) >= 3)
        AND c.id NOT IN (SELECT contact_id FROM crm_plugin_activity
            WHERE product_id = '7' AND kind = 'bought' AND {STANDS})
        """,
        [_ago(30), people.NOW],
    ),
    Question(
        "carted A and did not buy it",
        _all(_did("carted", products=["1"]), _did("bought", op="at_most", times=0, products=["1"])),
        f"""
        SELECT count(*) FROM crm_plugin_contact c WHERE {KNOWN} AND c.id IN (
            SELECT contact_id FROM crm_plugin_activity WHERE product_id = '1' AND kind = 'carted')
        AND c.id NOT IN (SELECT contact_id FROM crm_plugin_activity WHERE product_id = '1' AND kind = 'bought'
            AND {STANDS})
        """,
    ),
    Question(
        "Koreans with two orders and 100 EUR",
        _all(
            {"type": "attribute", "name": "country", "op": "is", "value": "KR"},
            {"type": "attribute", "name": "orders_count", "op": "gte", "value": 2},
            {"type": "spent", "currency": "EUR", "op": "gte", "value": 100},
        ),
        f"""
        SELECT count(*) FROM crm_plugin_contact c JOIN crm_plugin_contactspend s ON s.contact_id = c.id
        WHERE {KNOWN} AND lower(c.country) = 'kr' AND c.orders_count >= 2 AND s.currency = 'EUR' AND s.amount >= 100
        """,
    ),
    Question(
        "five visits in 14 days and two orders",
        _all(
            _did("visited", times=5, days=14),
            {"type": "attribute", "name": "orders_count", "op": "gte", "value": 2},
        ),
        f"""
        SELECT count(*) FROM crm_plugin_contact c WHERE {KNOWN} AND c.orders_count >= 2 AND c.id IN (
            SELECT contact_id FROM crm_plugin_activity WHERE kind = 'visited' AND occurred_at >= %s
                AND occurred_at <= %s
            GROUP BY contact_id HAVING count(*) >= 5)
        """,
        [_ago(14), people.NOW],
    ),
    Question(
        "did anything with a category in 30 days",
        _all(
            {
                "type": "did",
                "activity": "viewed",
                "times": {"op": "at_least", "count": 2},
                "what": {"groups": ["category:3"]},
                "window": {"type": "within", "amount": 30, "unit": "days"},
            }
        ),
        f"""
        SELECT count(*) FROM crm_plugin_contact c WHERE {KNOWN} AND c.id IN (
            SELECT a.contact_id FROM crm_plugin_productgroup g JOIN crm_plugin_activity a ON a.product_id = g.product_id
            WHERE g.group_key = 'category:3' AND a.kind = 'viewed' AND a.occurred_at >= %s AND a.occurred_at <= %s
            GROUP BY a.contact_id HAVING count(*) >= 2)
        """,
        [_ago(30), people.NOW],
    ),
    Question(
        "reachable, last order 90 days ago, opened nothing in 60 days",
        _all(
            {"type": "reachable", "channel": "email"},
            {
                "type": "attribute",
                "name": "last_order_at",
                "op": "in_window",
                "value": {"type": "before", "amount": 90, "unit": "days"},
            },
            {
                "type": "engagement",
                "did": "opened",
                "happened": False,
                "window": {"type": "within", "amount": 60, "unit": "days"},
            },
        ),
        f"""
        SELECT count(*) FROM crm_plugin_contact c WHERE {KNOWN} AND c.email IS NOT NULL AND c.last_order_at < %s
        AND EXISTS (SELECT 1 FROM crm_plugin_consent n
            WHERE n.contact_id = c.id AND n.channel = 'email' AND n.is_granted)
        AND NOT EXISTS (SELECT 1 FROM crm_plugin_blocked b WHERE b.contact_id = c.id AND b.channel = 'email')
        AND c.id NOT IN (SELECT contact_id FROM crm_plugin_activity
            WHERE kind = 'message_opened' AND occurred_at >= %s AND occurred_at <= %s)
        """,
        [_ago(90), _ago(60), people.NOW],
    ),
)


def measure() -> tuple[float, float]:
    """Return the seconds of the question with the worst ratio, ours and by hand.

    Raises:
        RuntimeError: when an answer differs, or 95 of 100 answers of a question take longer than a second.
    """
    before = shop.install(FakeShop())
    try:
        people.load()
        with clock.travel(to=people.NOW):
            measured = [_measure(question) for question in QUESTIONS]
    finally:
        shop.install(before)
    return max(measured, key=lambda pair: pair[0] / pair[1])


def _measure(question: Question) -> tuple[float, float]:
    rule = audience.AudienceRule.parse(question.rule)
    mine, theirs = _ours(rule), _by_hand(question)
    if mine() != theirs():
        raise RuntimeError(f"{question.name}: {mine()} people, by hand {theirs()}")
    pairs = [(timed(mine), timed(theirs)) for _ in range(TURNS)]
    ours, hand = (sorted(times) for times in zip(*pairs, strict=True))
    print(f"    {question.name}: {median(ours) * 1_000:.0f} ms, by hand {median(hand) * 1_000:.0f} ms, {mine()} people")
    if ours[-1] > P95_SECONDS:
        raise RuntimeError(f"{question.name}: an answer took {ours[-1]:.2f} s")
    return median(ours), median(hand)


def _ours(rule: audience.AudienceRule) -> Callable[[], int]:
    return lambda: audience.count(rule)


def _by_hand(question: Question) -> Callable[[], int]:
    def ask() -> int:
        with connection.cursor() as cursor:
            cursor.execute(question.sql, list(question.params))
            return int(cursor.fetchone()[0])

    return ask
