"""Row 3: draining 100,000 facts (project and match), beside the bare upserts written by hand in SQL.

The hand-written statements take the facts for granted: contacts exist, ids are known, nothing is told twice, nobody was
erased, and all of it is one transaction in one process. The facts come as they do from a shop: sessions of ten views
and likes of different products, a hundred of them interleaved.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from django.db import connection, transaction

from benchmarks.measuring import by_turns, timed
from crm_plugin import activity, pipeline, shop
from crm_plugin.contacts import Person, resolve
from crm_plugin.shop import Fact, FactKind
from tests.fake_shop import FakeShop
from tests.stories import on, running

FACTS = 100_000
PEOPLE = 10_000
PRODUCTS = 2_000
SESSION = 10
INTERLEAVED = 100
START = datetime(2026, 1, 1, tzinfo=UTC)

BY_HAND = (
    """
    INSERT INTO crm_plugin_activity (contact_id, kind, source_key, occurred_at, product_id, variant_id, shop_channel,
        order_ref, cart_ref, quantity, amount, currency, data)
    SELECT c.id, f.kind, f.source_key, f.occurred_at, f.product_id, f.variant_id, f.shop_channel, f.order_ref,
        f.cart_ref, f.quantity, w.price, w.currency, f.data
    FROM crm_plugin_inbox f JOIN crm_plugin_contact c ON c.customer_id = f.customer_id
    JOIN crm_plugin_pricewatch w ON w.product_id = f.product_id AND w.shop_channel = f.shop_channel
    ON CONFLICT (source_key) DO NOTHING
    """,
    """
    INSERT INTO crm_plugin_interest AS i (contact_id, product_id, shop_channel, variant_id, liked_at, views_count,
        last_viewed_at, cart_ref, bought_count, last_interest_at, baseline_price, currency)
    SELECT a.contact_id, a.product_id, a.shop_channel, '', max(a.occurred_at) FILTER (WHERE a.kind = 'liked'),
        count(*) FILTER (WHERE a.kind = 'viewed'), max(a.occurred_at) FILTER (WHERE a.kind = 'viewed'), '', 0,
        max(a.occurred_at), (array_agg(a.amount ORDER BY a.occurred_at DESC))[1], 'EUR'
    FROM crm_plugin_activity a GROUP BY a.contact_id, a.product_id, a.shop_channel
    ON CONFLICT (contact_id, product_id, shop_channel) DO UPDATE SET
        liked_at = GREATEST(i.liked_at, excluded.liked_at), views_count = i.views_count + excluded.views_count,
        last_viewed_at = GREATEST(i.last_viewed_at, excluded.last_viewed_at),
        last_interest_at = GREATEST(i.last_interest_at, excluded.last_interest_at),
        baseline_price = excluded.baseline_price
    """,
    """
    UPDATE crm_plugin_contact c SET last_seen_at = GREATEST(c.last_seen_at, n.at)
    FROM (SELECT contact_id, max(occurred_at) AS at FROM crm_plugin_activity GROUP BY contact_id) n
    WHERE c.id = n.contact_id
    """,
    "DELETE FROM crm_plugin_inbox",
)


def measure() -> tuple[float, float]:
    """Return the seconds that ours and the hand-written statements take for the facts."""
    world = FakeShop()
    for _ in range(PRODUCTS):
        world.add_product(price=20)
    before = shop.install(world)
    try:
        running(on("searched"))
        resolve([Person(str(n)) for n in range(PEOPLE)], seen_before=START)
        _fill()
        pipeline.pump()
        return by_turns(lambda: _run(_ours), lambda: _run(_by_hand), times=3)
    finally:
        shop.install(before)


def _run(work: Callable[[], None]) -> float:
    _empty()
    _fill()
    return timed(work)


def _ours() -> None:
    pipeline.pump()


def _by_hand() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in BY_HAND:
            cursor.execute(statement)


def _fill() -> None:
    activity.record_many(
        Fact(
            kind=FactKind.LIKED if n % 10 == 0 else FactKind.VIEWED,
            source_key=f"bench:{n}",
            occurred_at=START + timedelta(seconds=n),
            customer_id=str(n // (SESSION * INTERLEAVED) * INTERLEAVED + n % INTERLEAVED),
            product_id=str(n * 7_919 // 3 % PRODUCTS + 1),
            shop_channel="default",
        )
        for n in range(FACTS)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE crm_plugin_inbox")


def _empty() -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE crm_plugin_inbox, crm_plugin_activity, crm_plugin_interest")
