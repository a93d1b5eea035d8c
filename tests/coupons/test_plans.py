"""The questions of the hot path find their index in a table with codes of everybody."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm_plugin import coupons
from crm_plugin.coupons import CouponState, Issued, Request, Wanted
from crm_plugin.models import Activity, Coupon, CouponTemplate
from crm_plugin.shop import FactKind
from tests.coupons.conftest import NOON, MakeTemplate, issue
from tests.fake_shop import FakeShop

pytestmark = pytest.mark.django_db

ROWS = 20_000

_CONTACTS = """
INSERT INTO crm_plugin_contact (email, first_name, last_name, language, country, time_zone, orders_count, created_at)
SELECT 'p' || n || '@example.com', '', '', 'en', '', '', 0, %s FROM generate_series(1, 2000) n RETURNING id
"""
_COUPONS = """
INSERT INTO crm_plugin_coupon (template_id, contact_id, occasion, code, name, state, created_at, issued_at, expires_at,
    expires_on, used_at, order_ref, used_by_id, is_kept_by_shop)
SELECT %(template)s, CASE WHEN s.state <> 'free' THEN %(first)s + n %% 2000 END,
    CASE WHEN s.state <> 'free' THEN 'o' || n ELSE '' END, 'C' || n, '', s.state, %(now)s, %(now)s,
    %(now)s + n * interval '1 minute', (%(now)s + n * interval '1 minute')::date,
    CASE WHEN s.state = 'used' THEN %(now)s END, CASE WHEN s.state = 'used' THEN 'order' || n ELSE '' END,
    CASE WHEN n %% 1000 = 0 THEN %(first)s END, s.state IN ('issued', 'used')
FROM generate_series(1, %(rows)s) n
CROSS JOIN LATERAL (SELECT (ARRAY['issued', 'used', 'expired', 'free'])[1 + n %% 4] AS state) s
"""


@pytest.fixture
def filled(shop: FakeShop, make_template: MakeTemplate) -> CouponTemplate:
    template, other = make_template(pool=[], warn_below=5), make_template(pool=[])
    with connection.cursor() as cursor:
        cursor.execute(_CONTACTS, [NOON])
        first = min(pk for (pk,) in cursor.fetchall())
        params = {"template": other.pk, "first": first, "now": NOON - timedelta(days=1), "rows": ROWS}
        cursor.execute(_COUPONS, params)
    coupons.upload(template.pk, [f"POOL-{n}" for n in range(50)])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE crm_plugin_coupon, crm_plugin_contact")
    return template


def _plans(ask: Callable[[], object]) -> list[str]:
    """Return the plan of each statement about coupons."""
    with CaptureQueriesContext(connection) as seen:
        ask()
    told = [query["sql"] for query in seen.captured_queries if "crm_plugin_coupon" in query["sql"]]
    statements = [sql for sql in told if not sql.startswith("INSERT") and "couponseries" not in sql]
    plans = []
    for sql in statements:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {sql}")
            plans.append("\n".join(line for (line,) in cursor.fetchall()))
    return plans


def _some(**of: object) -> Coupon:
    return Coupon.objects.filter(**of).order_by("pk")[700]


def test_nothing_reads_every_code(filled: CouponTemplate) -> None:
    one = _some(state="issued")
    assert one.contact_id is not None
    assert one.expires_on is not None
    used = Activity.objects.create(
        contact_id=one.contact_id, kind="coupon_used", source_key="u", occurred_at=NOON, subject=one.code, order_ref="o"
    )
    everywhere = {"above": 0, "below": 2**60, "limit": 20}

    def give() -> None:
        found = issue(filled, [Request(str(n), one.contact_id or 0, f"new{n}") for n in range(5)])
        assert all(isinstance(answer, Issued) for answer in found.values())

    plans = {
        "issue": _plans(give),
        "again": _plans(lambda: issue(filled, [Request("a", one.contact_id or 0, one.occasion)])),
        "still_good": _plans(lambda: coupons.still_good([one.pk])),
        "expiring": _plans(lambda: coupons.expiring(one.expires_on or date.min, after_contact=0, limit=20)),
        "tidy": _plans(lambda: coupons.tidy(20)),
        "of template": _plans(lambda: coupons.newest(Wanted(template_id=filled.pk), **everywhere)),
        "of state": _plans(lambda: coupons.newest(Wanted(template_id=filled.pk, state=CouponState.FREE), **everywhere)),
        "of contact": _plans(lambda: coupons.newest(Wanted(contact_id=one.contact_id), **everywhere)),
        "by code": _plans(lambda: coupons.newest(Wanted(code=one.code), **everywhere)),
        "misused": _plans(lambda: coupons.newest(Wanted(is_misused=True), **everywhere)),
        "own": _plans(lambda: coupons.held_by(one.contact_id or 0, **everywhere)),
        "hear": _plans(lambda: coupons.hear({FactKind.COUPON_USED: [used.pk]})),
        "low": _plans(lambda: coupons.low([filled.pk])),
        "forget": _plans(lambda: coupons.forget([one.contact_id or 0])),
    }

    scans = {name: plan for name, found in plans.items() for plan in found if "Seq Scan on crm_plugin_coupon " in plan}
    assert scans == {}
    assert all(plans.values())
