"""A rule of four conditions, saved through the API, has the members that a query written by hand finds."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import connection

from crm_plugin import clock, ids, pipeline
from crm_plugin.models import Member, Segment
from tests.fake_shop import FakeShop
from tests.graphql.conftest import MANAGER, Ask
from tests.graphql.test_segments import CREATE

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

NOW = datetime(2026, 2, 14, 9, 30, tzinfo=UTC)
PEOPLE = 100_000
RULE = {
    "include": {
        "type": "all",
        "of": [
            {"type": "attribute", "name": "country", "op": "is", "value": "KR"},
            {"type": "attribute", "name": "orders_count", "op": "gte", "value": 1},
            {
                "type": "did",
                "activity": "viewed",
                "times": {"op": "at_least", "count": 2},
                "what": {"products": ["7"]},
                "window": {"type": "within", "amount": 30, "unit": "days"},
            },
            {
                "type": "did",
                "activity": "bought",
                "times": {"op": "at_most", "count": 0},
                "what": {"products": ["7"]},
            },
        ],
    }
}

PROFILES = """
INSERT INTO crm_plugin_contact (email, first_name, last_name, language, country, time_zone, orders_count, created_at)
SELECT 'p' || n || '@example.com', '', '', '', (ARRAY['KR', 'DE', 'US'])[1 + n %% 3], '', n %% 5, '2020-01-01'
FROM generate_series(1, %s) n
"""
HISTORY = """
INSERT INTO crm_plugin_activity (contact_id, kind, source_key, occurred_at, product_id, variant_id, shop_channel,
    order_ref, cart_ref, currency, data)
SELECT id, CASE WHEN id %% 7 = 0 AND n = 3 THEN 'bought' ELSE 'viewed' END, id || '.' || n,
    %s - ((id * n) %% 50) * interval '1 day', CASE WHEN id %% 11 < 8 THEN '7' ELSE '8' END, '', 'default', '', '', '',
    '{}'
FROM crm_plugin_contact, generate_series(1, 3) n WHERE id %% 2 = 0
"""
BY_HAND = """
SELECT c.id FROM crm_plugin_contact c JOIN crm_plugin_activity a ON a.contact_id = c.id
WHERE c.country = 'KR' AND c.orders_count > 0 AND a.product_id = '7' AND a.kind = 'viewed'
    AND a.occurred_at BETWEEN %s - interval '30 days' AND %s
    AND c.id NOT IN (SELECT contact_id FROM crm_plugin_activity WHERE kind = 'bought' AND product_id = '7')
GROUP BY c.id HAVING count(*) > 1
"""


@pytest.mark.feature(36)
def test_a_rule_saved_without_sql_has_the_members_that_sql_finds(ask: Ask, shop: FakeShop) -> None:
    with connection.cursor() as cursor:
        cursor.execute(PROFILES, [PEOPLE])
        cursor.execute(HISTORY, [NOW])
        cursor.execute("ANALYZE crm_plugin_contact, crm_plugin_activity")

    with clock.travel(to=NOW):
        saved = ask(CREATE, caller=MANAGER, input={"name": "Nearly", "definition": RULE}).data["crmSegmentCreate"]
        pipeline.upkeep_audience()

    segment = Segment.objects.get(pk=ids.from_global("CrmSegment", saved["segment"]["id"]))
    members = set(Member.objects.filter(segment=segment).values_list("contact_id", flat=True))
    with connection.cursor() as cursor:
        cursor.execute(BY_HAND, [NOW, NOW])
        by_hand = {pk for (pk,) in cursor.fetchall()}
    assert (segment.state, segment.members_count) == ("ready", len(members))
    assert members == by_hand
    assert 500 < len(members) < PEOPLE / 5
