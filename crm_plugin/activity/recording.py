"""record(): the one INSERT that happens in the shop's request."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import uuid4

from django.db import DatabaseError, connection, transaction
from django.db.backends.utils import CursorWrapper
from psycopg.types.json import Jsonb

from crm_plugin import clock, nudge
from crm_plugin.contacts import normalize_email
from crm_plugin.shop import Fact, FactKind

#: The columns of the inbox that a fact fills, with their types.
_TYPES: Final = {
    "kind": "text",
    "source_key": "text",
    "occurred_at": "timestamptz",
    "customer_id": "text",
    "email": "text",
    "visitor_id": "text",
    "contact_id": "bigint",
    "product_id": "text",
    "variant_id": "text",
    "shop_channel": "text",
    "order_ref": "text",
    "cart_ref": "text",
    "quantity": "int",
    "amount": "numeric",
    "currency": "text",
    "subject": "text",
    "data": "jsonb",
    "error": "text",
}
COLUMNS: Final = tuple(_TYPES)
#: The most facts that one INSERT takes; more are written in several.
CHUNK: Final = 1_000

#: Up to so many facts, plain values are faster than arrays: what one hook or signal tells.
FEW: Final = 4

_ROW = f"({', '.join(['%s'] * len(COLUMNS))})"
_INSERT_ONE = f"INSERT INTO crm_plugin_inbox ({', '.join(COLUMNS)}) VALUES {_ROW}"  # noqa: S608
#: One parameter for all rows: to write eighteen arrays of them costs the client several times as much.
_INSERT_MANY = f"""
INSERT INTO crm_plugin_inbox ({", ".join(COLUMNS)})
SELECT * FROM json_to_recordset(%s::json) AS f({", ".join(f"{name} {kind}" for name, kind in _TYPES.items())})
"""  # noqa: S608


def record(fact: Fact) -> None:
    """Write one fact to the inbox and nudge the workers after commit.

    Identity, projections and triggers are the drain's work. The caller asks whether the CRM is switched on. Inside a
    transaction of the shop a failure leaves that transaction as it was: savepoint, INSERT and release travel together.
    """
    with connection.cursor() as cursor:
        if not connection.in_atomic_block:
            cursor.execute(_INSERT_ONE, row_of(fact))
        elif connection.settings_dict["OPTIONS"].get("server_side_binding"):  # takes one statement at a time
            with transaction.atomic():
                cursor.execute(_INSERT_ONE, row_of(fact))
        else:
            _insert_in_savepoint(cursor, row_of(fact))
    nudge.after_commit("crm.pump")


def _insert_in_savepoint(cursor: CursorWrapper, row: tuple[Any, ...]) -> None:
    try:
        cursor.execute(f"SAVEPOINT crm_record; {_INSERT_ONE}; RELEASE SAVEPOINT crm_record", row)
    except DatabaseError:
        cursor.execute("ROLLBACK TO SAVEPOINT crm_record; RELEASE SAVEPOINT crm_record")
        raise


def record_many(facts: Iterable[Fact]) -> int:
    """Write facts in as few INSERTs as possible; return how many."""
    rows = [row_of(fact) for fact in facts]
    if not rows:
        return 0
    with connection.cursor() as cursor:
        if len(rows) <= FEW:
            cursor.execute(_INSERT_ONE + f", {_ROW}" * (len(rows) - 1), [value for row in rows for value in row])
        else:
            for start in range(0, len(rows), CHUNK):
                insert_rows(cursor, rows[start : start + CHUNK])
    nudge.after_commit("crm.pump")
    return len(rows)


def look_again(
    product_ids: Iterable[str] = (),
    *,
    variant_ids: Iterable[str] = (),
    promotion_refs: Iterable[str] = (),
    shop_channel: str = "",
) -> int:
    """Say that the price or stock of products may have changed; the watch reads them at once, not on schedule.

    A hook names them as it has them at hand: which product a variant is of, what a promotion covers, the drain asks.
    """
    facts = (
        *(_look(shop_channel, product_id=one) for one in product_ids),
        *(_look(shop_channel, variant_id=one) for one in variant_ids),
        *(_look(shop_channel, subject=one) for one in promotion_refs),
    )
    return record_many(facts)


def _look(shop_channel: str, *, product_id: str = "", variant_id: str = "", subject: str = "") -> Fact:
    return Fact(
        kind=FactKind.CATALOGUE_CHANGED,
        source_key=f"look:{uuid4().hex}",
        product_id=product_id,
        variant_id=variant_id,
        shop_channel=shop_channel,
        subject=subject,
    )


def insert_rows(cursor: CursorWrapper, rows: Sequence[tuple[Any, ...]], *, returning: bool = False) -> list[int]:
    """Insert rows made by ``row_of``; return their ids when asked to."""
    if not rows:
        return []
    text = json.dumps([dict(zip(COLUMNS, row, strict=True)) for row in rows], default=_plain)
    cursor.execute(_INSERT_MANY + (" RETURNING id" if returning else ""), [text])
    return [pk for (pk,) in cursor.fetchall()] if returning else []


def row_of(fact: Fact) -> tuple[Any, ...]:
    """Return the fact as a row in the order of ``COLUMNS``."""
    return (
        fact.kind.value,
        fact.source_key[:200],
        fact.occurred_at or clock.now(),
        fact.customer_id,
        normalize_email(fact.email) if fact.email else "",
        fact.visitor_id,
        fact.contact_id,
        fact.product_id,
        fact.variant_id,
        fact.shop_channel,
        fact.order_ref,
        fact.cart_ref,
        fact.quantity,
        fact.amount.amount if fact.amount else None,
        fact.amount.currency if fact.amount else "",
        fact.subject[:200],
        Jsonb(dict(fact.data)),
        "",
    )


def _plain(value: Jsonb | datetime | Decimal) -> Any:
    """Return what JSON has no form for in the form that PostgreSQL reads."""
    match value:
        case Jsonb():
            return value.obj
        case datetime():
            return value.isoformat()
        case _:
            return str(value)
