"""Matching 10,000 activities against 200 running campaigns, beside the same activities against one.

Either way the same number of people enters: with one campaign, everybody who viewed one of its two hundred products;
with two hundred, everybody who viewed the product of one. Half of the campaigns narrow by price, and all of them by
shop channel, as real ones do.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection, transaction

from benchmarks.measuring import by_turns, timed
from crm_plugin import automations, clock, shop
from crm_plugin.models import Activity, Campaign
from crm_plugin.shop import FactKind
from tests.fake_shop import FakeShop
from tests.stories import running, send

ACTIVITIES = 10_000
CAMPAIGNS = 200
PRODUCTS = 1_000
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def measure() -> tuple[float, float]:
    """Return the seconds that matching takes against two hundred campaigns, and against one."""
    before = shop.install(FakeShop())
    try:
        with clock.travel(to=NOW):
            ids = _activities()
            return by_turns(lambda: _match(ids, CAMPAIGNS), lambda: _match(ids, 1), times=5)
    finally:
        shop.install(before)


def _match(ids: list[int], count: int) -> float:
    """Measure with so many campaigns between which the products are divided."""
    _empty()
    each = CAMPAIGNS // count
    for first in range(1, CAMPAIGNS + 1, each):
        running(_viewed([str(n) for n in range(first, first + each)], number=first), [send()])
    with clock.travel(to=NOW + timedelta(minutes=1)), transaction.atomic():
        seconds = timed(lambda: automations.match({FactKind.VIEWED: ids}))
    _check()
    return seconds


def _viewed(products: list[str], *, number: int) -> dict[str, Any]:
    amount = {"amount": {"op": "gte", "value": 1, "currency": "EUR"}} if number % 2 else {}
    what = {"products": products, "shop_channels": ["default"]}
    return {"type": "activity", "activity": "viewed", "reentry": "always", "what": what, **amount}


def _activities() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO crm_plugin_contact (customer_id, email, first_name, last_name, language, country, time_zone,
                orders_count, created_at)
            SELECT n, 'person' || n || '@example.com', '', '', 'en', '', '', 0, %s FROM generate_series(1, %s) n
            """,
            [NOW, ACTIVITIES],
        )
        cursor.execute(
            """
            INSERT INTO crm_plugin_activity (contact_id, kind, source_key, occurred_at, product_id, variant_id,
                shop_channel, order_ref, cart_ref, amount, currency, data)
            SELECT id, 'viewed', 'bench:' || id, %s, (id %% %s + 1)::text, '', 'default', '', '', 20, 'EUR', '{}'
            FROM crm_plugin_contact ORDER BY id
            """,
            [NOW + timedelta(seconds=30), PRODUCTS],
        )
        cursor.execute("ANALYZE crm_plugin_contact, crm_plugin_activity")
    return list(Activity.objects.order_by("pk").values_list("pk", flat=True))


def _check() -> None:
    wanted = ACTIVITIES * CAMPAIGNS // PRODUCTS
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM crm_plugin_enrollment")
        (count,) = cursor.fetchone()
    if count != wanted:
        raise RuntimeError(f"{count} people entered instead of {wanted}")


def _empty() -> None:
    Campaign.objects.update(version=None, state="draft")
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE crm_plugin_enrollment, crm_plugin_campaignversion, crm_plugin_campaign CASCADE")
