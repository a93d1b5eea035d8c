"""A million due enrollments of one campaign advance one Wait, beside the bare UPDATE; and two workers beside one.

Ours asks for the exit conditions of every run, and for what it is to do. The bare UPDATE knows that all is well, and
what the next step is; it takes its rows in the same batches, by the same index.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from django.db import connection, transaction

from benchmarks.measuring import by_turns, timed
from benchmarks.workers import race
from crm_plugin import automations, shop
from crm_plugin.conf import settings
from crm_plugin.models import Campaign
from tests.fake_shop import FakeShop
from tests.stories import on, running, send, wait

RUNS = 1_000_000
START = datetime(2026, 1, 1, tzinfo=UTC)

_ENROLL = """
INSERT INTO crm_plugin_enrollment (campaign_id, version_id, contact_id, subject_key, epoch, state, reason, step, due_at,
    is_collecting, items, entered_at)
SELECT %s, %s, id, '', 0, 'active', '', 0, now() - interval '1 minute' + id * interval '10 microseconds', FALSE,
    '[]'::jsonb, now() FROM crm_plugin_contact
"""
_BARE = """
UPDATE crm_plugin_enrollment SET step = 1, due_at = now() + interval '1 hour'
WHERE id IN (SELECT id FROM crm_plugin_enrollment WHERE campaign_id = %s AND due_at <= now() ORDER BY due_at LIMIT %s)
"""


def measure() -> tuple[float, float]:
    """Return how many runs a second ours moves, and the bare UPDATE."""
    before = shop.install(FakeShop())
    try:
        campaign = _campaign()
        return by_turns(lambda: _rate(campaign, advance_all), lambda: _rate(campaign, lambda: _bare(campaign)), times=2)
    finally:
        shop.install(before)


def measure_two() -> tuple[float, float]:
    """Return how many runs a second two workers move, and one; each worker is a process of its own."""
    before = shop.install(FakeShop())
    try:
        campaign = _campaign()
        return by_turns(lambda: _by_workers(campaign, 2), lambda: _by_workers(campaign, 1), times=2)
    finally:
        shop.install(before)


def advance_all() -> None:
    """Advance until nothing is due: what a worker does."""
    moved = 1
    while moved:
        with transaction.atomic():
            moved = automations.advance(settings().advance_batch)


def _campaign() -> Campaign:
    campaign = running(on("signed_up"), [wait(seconds=3_600), send()], exit_when=["ordered"])
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO crm_plugin_contact (customer_id, email, first_name, last_name, language, country, time_zone,
                orders_count, created_at)
            SELECT n, 'person' || n || '@example.com', '', '', 'en', '', '', 0, %s FROM generate_series(1, %s) n
            """,
            [START, RUNS],
        )
        cursor.execute("ANALYZE crm_plugin_contact")
    return campaign


def _rate(campaign: Campaign, work: Callable[[], None]) -> float:
    _fill(campaign)
    seconds = timed(work)
    _check()
    return RUNS / seconds


def _bare(campaign: Campaign) -> None:
    moved = 1
    while moved:
        with connection.cursor() as cursor:
            cursor.execute(_BARE, [campaign.pk, settings().advance_batch])
            moved = cursor.rowcount


def _by_workers(campaign: Campaign, count: int) -> float:
    """Let the workers come up, start them at once, and wait for the last one."""
    _fill(campaign)
    seconds = race("advance", count)
    _check()
    return RUNS / seconds


def _fill(campaign: Campaign) -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE crm_plugin_enrollment CASCADE")
        cursor.execute("SET session_replication_role = replica")  # the rows are known to be right: no foreign keys
        cursor.execute(_ENROLL, [campaign.pk, campaign.version_id])
        cursor.execute("RESET session_replication_role")
        cursor.execute("VACUUM (ANALYZE) crm_plugin_enrollment")


def _check() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM crm_plugin_enrollment WHERE step = 1")
        (count,) = cursor.fetchone()
    if count != RUNS:
        raise RuntimeError(f"{count} runs moved instead of {RUNS}")
