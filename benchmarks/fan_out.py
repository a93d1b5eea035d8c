"""Row 5: a price drop with 100,000 interested people until all are enrolled, beside one INSERT ... SELECT by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from django.db import connection

from benchmarks.measuring import by_turns, timed
from crm_plugin import automations, clock, pipeline, shop
from crm_plugin.models import Campaign, PriceDrop, Wave
from tests.fake_shop import FakeShop
from tests.stories import running

PEOPLE = 100_000
START = datetime(2026, 1, 1, tzinfo=UTC)
#: Far in the future, so that the measured pump enrolls and does not go on to advance.
SETTLE_SECONDS = 3_600

BY_HAND = """
INSERT INTO crm_plugin_enrollment (campaign_id, version_id, contact_id, subject_key, epoch, state, reason, step, due_at,
    is_collecting, items, entered_at)
SELECT %(campaign)s, %(version)s, i.contact_id, 'digest', %(wave)s, 'active', '', 0, %(now)s, TRUE,
    jsonb_build_array(jsonb_build_object('product_id', i.product_id, 'shop_channel', i.shop_channel,
        'baseline', i.baseline_price::text)), %(now)s
FROM crm_plugin_interest i
WHERE i.product_id = '1' AND i.shop_channel = 'default' AND i.liked_at IS NOT NULL AND i.baseline_price * 0.9 >= 15
"""


def measure() -> tuple[float, float]:
    """Return the seconds that ours and the hand-written statement take to enroll everybody."""
    world = FakeShop()
    world.add_product(price=20)
    before = shop.install(world)
    try:
        campaign = running({"type": "price_drop", "settle_seconds": SETTLE_SECONDS})
        _people()
        return by_turns(_ours, lambda: _by_hand(campaign), times=3)
    finally:
        shop.install(before)


def _ours() -> float:
    _empty()
    automations.plan_fan_out(_wave())
    seconds = timed(pipeline.pump)
    _check()
    return seconds


def _by_hand(campaign: Campaign) -> float:
    _empty()
    params = {"campaign": campaign.pk, "version": campaign.version_id, "wave": _wave(), "now": clock.now()}
    with connection.cursor() as cursor:
        seconds = timed(lambda: cursor.execute(BY_HAND, params))
    _check()
    return seconds


def _wave() -> int:
    wave = Wave.objects.create(occurred_at=clock.now())
    PriceDrop.objects.create(
        wave=wave,
        product_id="1",
        variant_id="1001",
        shop_channel="default",
        currency="EUR",
        old_price=Decimal(20),
        new_price=Decimal(15),
        is_new_low=True,
    )
    return wave.pk


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
        cursor.execute(
            """
            INSERT INTO crm_plugin_interest (contact_id, product_id, shop_channel, variant_id, liked_at, views_count,
                cart_ref, bought_count, last_interest_at, baseline_price, currency)
            SELECT id, '1', 'default', '', %s, 0, '', 0, %s, 20, 'EUR' FROM crm_plugin_contact
            """,
            [START, START],
        )
        cursor.execute("ANALYZE crm_plugin_contact, crm_plugin_interest")


def _empty() -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE crm_plugin_enrollment, crm_plugin_fanout CASCADE")
