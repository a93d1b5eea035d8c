"""Row 2: recording facts in batches of 500, beside psycopg's COPY of the same rows into the same table."""

from __future__ import annotations

from decimal import Decimal

from django.db import connection, transaction

from benchmarks.measuring import by_turns, timed
from crm_plugin import activity, clock
from crm_plugin.activity.recording import COLUMNS, row_of
from crm_plugin.money import Money
from crm_plugin.shop import Fact, FactKind

BATCH = 500
BATCHES = 20


def measure() -> tuple[float, float]:
    """Return the seconds that ours and COPY take for a batch."""
    facts = [
        Fact(
            kind=FactKind.VIEWED,
            source_key=f"bench:{n}",
            occurred_at=clock.now(),
            customer_id=str(n % 200),
            product_id=str(n % 60),
            shop_channel="default",
            amount=Money(Decimal("19.90"), "EUR"),
            data={"referrer": "https://search.example/"},
        )
        for n in range(BATCH)
    ]
    rows = [row_of(fact) for fact in facts]

    def ours() -> float:
        return timed(lambda: [activity.record_many(facts) for _ in range(BATCHES)]) / BATCHES

    def copy() -> float:
        return timed(lambda: [_copy(rows) for _ in range(BATCHES)]) / BATCHES

    ours(), copy()
    return by_turns(ours, copy, times=7)


def _copy(rows: list[tuple[object, ...]]) -> None:
    with (
        transaction.atomic(),
        connection.cursor() as cursor,
        cursor.copy(f"COPY crm_plugin_inbox ({', '.join(COLUMNS)}) FROM STDIN") as copy,
    ):
        for row in rows:
            copy.write_row(row)
