"""Row 5: a restock that 100,000 people wait for until all are enrolled, beside one INSERT ... SELECT by hand.

Ours also reads the stock, takes the line first come first served, and writes down who was told.
"""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import connection

from benchmarks.measuring import by_turns, timed
from crm_plugin import clock, pipeline, shop
from crm_plugin.models import Campaign, StockEpoch, StockRequest
from tests.fake_catalogue import FakeProduct
from tests.fake_shop import FakeShop
from tests.stories import running

PEOPLE = 100_000
START = datetime(2026, 1, 1, tzinfo=UTC)
#: Far in the future, so that the measured pump enrolls and does not go on to advance.
SETTLE_SECONDS = 3_600

BY_HAND = """
INSERT INTO crm_plugin_enrollment (campaign_id, version_id, contact_id, subject_key, epoch, state, reason, step, due_at,
    is_collecting, items, entered_at)
SELECT %(campaign)s, %(version)s, r.contact_id, 'digest', 1, 'active', '', 0, %(now)s, TRUE,
    jsonb_build_array(jsonb_build_object('product_id', r.product_id, 'variant_id', r.variant_id,
        'shop_channel', r.shop_channel)), %(now)s
FROM crm_plugin_stockrequest r
WHERE r.variant_id = %(variant)s AND r.shop_channel = 'default' AND r.state = 'waiting'
ORDER BY r.queued_at, r.id LIMIT %(people)s
"""


def measure() -> tuple[float, float]:
    """Return the seconds that ours and the hand-written statement take to enroll everybody."""
    world = FakeShop()
    product = world.add_product(price=20, stock=PEOPLE)
    before = shop.install(world)
    try:
        campaign = running({"type": "back_in_stock", "sources": ["waiting"], "settle_seconds": SETTLE_SECONDS})
        _people()
        return by_turns(lambda: _ours(product), lambda: _by_hand(campaign, product), times=3)
    finally:
        shop.install(before)


def _ours(product: FakeProduct) -> float:
    _line_up(product)
    now = clock.now()
    StockEpoch.objects.create(
        product_id=product.product_id,
        variant_id=product.variant_id,
        shop_channel="default",
        opened_at=now,
        next_wave_at=now,
    )
    seconds = timed(pipeline.pump)
    _check()
    if StockRequest.objects.filter(state="told").count() != PEOPLE:
        raise RuntimeError("somebody was not told")
    return seconds


def _by_hand(campaign: Campaign, product: FakeProduct) -> float:
    _line_up(product)
    params = {
        "campaign": campaign.pk,
        "version": campaign.version_id,
        "variant": product.variant_id,
        "people": PEOPLE,
        "now": clock.now(),
    }
    with connection.cursor() as cursor:
        seconds = timed(lambda: cursor.execute(BY_HAND, params))
    _check()
    return seconds


def _check() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM crm_plugin_enrollment")
        (count,) = cursor.fetchone()
    if count != PEOPLE:
        raise RuntimeError(f"{count} people enrolled instead of {PEOPLE}")


def _people() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO crm_plugin_contact (customer_id, email, first_name, last_name, language, country, time_zone,
                orders_count, created_at)
            SELECT n, 'person' || n || '@example.com', '', '', 'en', '', '', 0, %s FROM generate_series(1, %s) n
            """,
            [START, PEOPLE],
        )
        cursor.execute("ANALYZE crm_plugin_contact")


def _line_up(product: FakeProduct) -> None:
    """Let everybody wait, in another order than that in which they became known."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE crm_plugin_enrollment, crm_plugin_fanout, crm_plugin_stockrequest CASCADE")
        cursor.execute("TRUNCATE crm_plugin_stockepoch")
        cursor.execute(
            """
            INSERT INTO crm_plugin_stockrequest (contact_id, product_id, variant_id, shop_channel, state, created_at,
                queued_at)
            SELECT id, %s, %s, 'default', 'waiting', %s, %s::timestamptz + (id * 7919 %% 100000) * interval '1 second'
            FROM crm_plugin_contact
            """,
            [product.product_id, product.variant_id, START, START],
        )
        cursor.execute("ANALYZE crm_plugin_stockrequest")
