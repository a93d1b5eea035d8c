"""10,000 codes are issued, one to each person, beside a bare ``bulk_create`` of the same rows.

Ours finds out who has one already, opens the series, draws the codes, writes the rows, puts the codes into the shop (in
memory: what a shop takes for its own rows is its own) and records who was given which. The bare one knows all that.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.db import connection, transaction

from benchmarks.measuring import by_turns, timed
from crm_plugin import clock, coupons, shop
from crm_plugin.coupons import CouponTemplate, Issued, Request
from crm_plugin.models import Coupon
from tests.fake_shop import FakeShop

PEOPLE = 10_000
TIMES = 5
START = datetime(2026, 1, 1, tzinfo=UTC)


def measure() -> tuple[float, float]:
    """Return how many codes a second ours issues, and how many rows a bare ``bulk_create`` writes."""
    world = FakeShop()
    before = shop.install(world)
    try:
        template = coupons.create_template(
            "Welcome", terms={"kind": "percent", "percent": 10}, expires_in_days=7, prefix="HI-"
        )
        people = _people()
        return by_turns(lambda: _ours(world, template, people), lambda: _bare(template, people), times=TIMES)
    finally:
        shop.install(before)


def _ours(world: FakeShop, template: CouponTemplate, people: list[int]) -> float:
    _empty()
    world.coupon_rows.clear()
    requests = [Request(str(pk), pk, "campaign:1/gift") for pk in people]

    def issue() -> None:
        with transaction.atomic():
            found = coupons.issue(template.pk, requests)
        if not all(isinstance(one, Issued) for one in found.values()):
            raise RuntimeError("somebody got no code")

    seconds = timed(issue)
    _check(world)
    return PEOPLE / seconds


def _bare(template: CouponTemplate, people: list[int]) -> float:
    _empty()
    now = clock.now()
    rows = [
        Coupon(
            template=template,
            contact_id=pk,
            occasion="campaign:1/gift",
            code=f"HI-{pk:010}",
            name=template.name,
            state="issued",
            created_at=now,
            issued_at=now,
            expires_at=now + timedelta(days=7),
            expires_on=now.date() + timedelta(days=7),
            is_kept_by_shop=True,
        )
        for pk in people
    ]

    def create() -> None:
        with transaction.atomic():
            Coupon.objects.bulk_create(rows)

    return PEOPLE / timed(create)


def _check(world: FakeShop) -> None:
    codes = set(Coupon.objects.values_list("code", flat=True))
    if len(codes) != PEOPLE or codes != set(world.coupon_rows):
        raise RuntimeError(f"{len(codes)} codes instead of {PEOPLE}, {len(world.coupon_rows)} of them in the shop")


def _people() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO crm_plugin_contact (customer_id, email, first_name, last_name, language, country, time_zone,
                orders_count, created_at)
            SELECT n, 'person' || n || '@example.com', '', '', 'en', '', '', 0, %s FROM generate_series(1, %s) n
            RETURNING id
            """,
            [START, PEOPLE],
        )
        return [pk for (pk,) in cursor.fetchall()]


def _empty() -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE crm_plugin_coupon, crm_plugin_inbox CASCADE")
        cursor.execute("VACUUM (ANALYZE) crm_plugin_coupon, crm_plugin_inbox")
