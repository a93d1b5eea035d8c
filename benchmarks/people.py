"""A shop's history for the benchmarks of audiences: a million contacts, twenty million activities, loaded with COPY.

Made of a seed, so that every run asks about the same people. Interest is as uneven as in a shop: a few products and a
few people have most of it. All moments lie in the year before ``NOW``.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Final

from django.db import connection

from crm_plugin import ids

CONTACTS: Final = 1_000_000
ACTIVITIES: Final = 20_000_000
PRODUCTS: Final = 20_000
CATEGORIES: Final = 200
NOW: Final = datetime(2026, 11, 1, tzinfo=UTC)
YEAR_SECONDS: Final = 365 * 86_400
#: One in so many contacts has a suppressed address.
BLOCKED_EACH: Final = 50
#: Lines made at once; the memory that a load takes.
CHUNK: Final = 100_000
#: Of a hundred activities.
KINDS: Final = {"viewed": 58, "visited": 22, "carted": 8, "bought": 5, "ordered": 4, "searched": 2, "message_opened": 1}
_HAS_PRODUCT: Final = {"viewed", "carted", "bought"}
_COUNTRIES: Final = ("KR", "DE", "US", "FR", "JP")

_ACTIVITY_COLUMNS: Final = (
    "contact_id, kind, source_key, occurred_at, product_id, variant_id, shop_channel, order_ref, cart_ref, quantity, "
    "amount, currency, subject, data"
)
_CONTACT_COLUMNS: Final = (
    "id, customer_id, email, first_name, last_name, language, country, time_zone, orders_count, first_order_at, "
    "last_order_at, last_seen_at, joined_at, created_at, attributes"
)

_INDEXES: Final = """
SELECT indexname, indexdef FROM pg_indexes
WHERE tablename = 'crm_plugin_activity' AND indexname LIKE 'crm_activity%' ORDER BY indexname
"""


def load(*, contacts: int = CONTACTS, activities: int = ACTIVITIES) -> None:
    """Fill the empty tables. Indexes of the stream are made after the load, as an operator's restore does."""
    chance = random.Random(20_261_101)  # noqa: S311 - made-up people, no secrets
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE crm_plugin_activity DROP CONSTRAINT crm_activity_once")
        cursor.execute(_INDEXES)
        indexes = cursor.fetchall()
        for name, _definition in indexes:
            cursor.execute(f"DROP INDEX {name}")
        _copy(cursor, "crm_plugin_contact", _CONTACT_COLUMNS, _contacts(contacts, chance))
        _copy(cursor, "crm_plugin_activity", _ACTIVITY_COLUMNS, _activities(activities, contacts, chance))
        _copy(cursor, "crm_plugin_productgroup", "product_id, group_key", _groups())
        cursor.execute("SET maintenance_work_mem = '512MB'")
        cursor.execute("ALTER TABLE crm_plugin_activity ADD CONSTRAINT crm_activity_once UNIQUE (source_key)")
        for _name, definition in indexes:
            cursor.execute(definition)
        _derive(cursor)
        _block(cursor, contacts)
        cursor.execute("VACUUM ANALYZE crm_plugin_contact, crm_plugin_activity, crm_plugin_productgroup")
        cursor.execute("VACUUM ANALYZE crm_plugin_consent, crm_plugin_contactspend")
        cursor.execute("VACUUM ANALYZE crm_plugin_suppression, crm_plugin_blocked")


def _derive(cursor: object) -> None:
    """Fill what the drain would have counted: orders, spends; and who agreed to mail (seven of ten)."""
    execute = cursor.execute  # type: ignore[attr-defined]
    execute(
        """
        INSERT INTO crm_plugin_contactspend (contact_id, currency, amount, orders_count)
        SELECT contact_id, currency, sum(amount), count(*) FROM crm_plugin_activity WHERE kind = 'ordered'
        GROUP BY contact_id, currency
        """
    )
    execute(
        """
        UPDATE crm_plugin_contact c SET orders_count = n.orders, first_order_at = n.first_at, last_order_at = n.last_at
        FROM (SELECT contact_id, count(*) AS orders, min(occurred_at) AS first_at, max(occurred_at) AS last_at
            FROM crm_plugin_activity WHERE kind = 'ordered' GROUP BY contact_id) n
        WHERE c.id = n.contact_id
        """
    )
    execute(
        """
        INSERT INTO crm_plugin_consent (contact_id, channel, is_granted, changed_at)
        SELECT id, 'email', id %% 10 < 8, %s FROM crm_plugin_contact WHERE id %% 10 < 9
        """,
        [NOW - timedelta(days=400)],
    )


def _block(cursor: object, count: int) -> None:
    """Block the addresses of two in a hundred, as bounces and complaints do in every shop, as following keeps them."""
    execute = cursor.execute  # type: ignore[attr-defined]
    blocked = range(BLOCKED_EACH // 2, count + 1, BLOCKED_EACH)
    digests = (ids.digest("suppression", f"person{n}@example.com") for n in blocked)
    lines = (f"email\t{digest}\thard_bounce\t\t{NOW:%Y-%m-%d}\n" for digest in digests)
    _copy(cursor, "crm_plugin_suppression", "channel, address_digest, reason, detail, created_at", lines)
    execute(
        "INSERT INTO crm_plugin_blocked (contact_id, channel) SELECT id, 'email' FROM crm_plugin_contact "
        "WHERE email IN (SELECT 'person' || n || '@example.com' FROM generate_series(%s, %s, %s) AS n)",
        [blocked.start, count, BLOCKED_EACH],
    )


def _copy(cursor: object, table: str, columns: str, chunks: Iterator[str]) -> None:
    with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:  # type: ignore[attr-defined]
        for chunk in chunks:
            copy.write(chunk)


def _contacts(count: int, chance: random.Random) -> Iterator[str]:
    for start in range(1, count + 1, CHUNK):
        ids = range(start, min(start + CHUNK, count + 1))
        joined = _moments(len(ids), chance)
        countries = chance.choices(_COUNTRIES, k=len(ids))
        yield "".join(
            f"{n}\t{n}\tperson{n}@example.com\t\t\ten\t{country}\t\t0\t\\N\t\\N\t{at}\t{at}\t{at}\t{{}}\n"
            for n, country, at in zip(ids, countries, joined, strict=True)
        )


def _activities(count: int, contacts: int, chance: random.Random) -> Iterator[str]:
    kinds, weights = list(KINDS), list(accumulate(KINDS.values()))
    products = [str(n) for n in range(1, PRODUCTS + 1)]
    favour = list(accumulate(1 / (n + 10) for n in range(PRODUCTS)))
    for start in range(0, count, CHUNK):
        size = min(CHUNK, count - start)
        rows = zip(
            range(start, start + size),
            chance.choices(kinds, cum_weights=weights, k=size),
            chance.choices(products, cum_weights=favour, k=size),
            _people(size, contacts, chance),
            _moments(size, chance),
            strict=True,
        )
        yield "".join(_line(*row) for row in rows)


def _line(number: int, kind: str, product: str, contact: int, at: str) -> str:
    product = product if kind in _HAS_PRODUCT else ""
    order = f"o{number}" if kind in {"ordered", "bought"} else ""
    amount, currency = ("\\N", "") if kind != "ordered" else (str(10 + number % 190), "EUR")
    subject = f"words {number % 5_000}" if kind == "searched" else ""
    what = f"{product}\t\tdefault\t{order}\t\t1\t{amount}\t{currency}\t{subject}"
    return f"{contact}\t{kind}\t{number}\t{at}\t{what}\t{{}}\n"


def _people(size: int, contacts: int, chance: random.Random) -> Sequence[int]:
    """A third of what happens is done by a hundredth of the people."""
    busy = contacts // 100
    return [1 + int(chance.random() * (busy if chance.random() < 0.33 else contacts)) for _ in range(size)]


def _moments(size: int, chance: random.Random) -> Sequence[str]:
    """Moments as PostgreSQL reads them; a thousand different seconds of each day are enough."""
    first = NOW - timedelta(seconds=YEAR_SECONDS)
    return [
        f"{first + timedelta(seconds=int(chance.random() * YEAR_SECONDS)):%Y-%m-%d %H:%M:%S+00}" for _ in range(size)
    ]


def _groups() -> Iterator[str]:
    yield "".join(f"{n}\tcategory:{n % CATEGORIES + 1}\n" for n in range(1, PRODUCTS + 1))
