"""What is over, and behaviour, is found by index: housekeeping reads no table that grows."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection

from crm_plugin import activity, audience, automations, clock, messaging, reviews
from tests.test_plans import _filled, busy_shop, plans_of, reads_whole

__all__ = ["_filled", "busy_shop"]

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
#: Which table each deletion reads, by which index.
PLANS = {
    "crm_plugin_fanout": (automations.forget_past, "crm_fan_out_done"),
    "crm_plugin_scheduleslot": (automations.forget_past, "crm_slot_over"),
    "crm_plugin_webhookcall": (messaging.forget_past, "crm_call_over"),
    "crm_plugin_shortlink": (messaging.forget_past, "crm_short_link_created"),
    "crm_plugin_link": (messaging.forget_past, "crm_link_used"),
    "crm_plugin_reviewrequest": (reviews.forget_past, "crm_review_request_asked"),
    "crm_plugin_listimport": (audience.forget_past, "crm_import_created"),
    "crm_plugin_stockrequest": (activity.forget_past, "crm_stock_request_over"),
    "crm_plugin_stockepoch": (activity.forget_past, "crm_stock_epoch_over"),
    "crm_plugin_wave": (activity.forget_past, "crm_wave_in_time"),
}


@pytest.mark.parametrize("table", PLANS)
def test_what_is_over_is_found_by_index(busy_shop: None, table: str) -> None:
    forget_past, index = PLANS[table]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan TO OFF")  # most of these tables are empty here

    plan = plans_of(lambda: forget_past(clock.now() - 400 * DAY, 10), about=f"FROM {table} ")

    assert index in plan
    assert not reads_whole(plan, table)


def test_behaviour_is_found_by_kind_and_time_and_its_interests_by_their_key(busy_shop: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE crm_plugin_activity SET kind = 'viewed', occurred_at = now() - interval '3 years' "
            "WHERE id % 500 = 0"
        )
        cursor.execute("ANALYZE crm_plugin_activity")

    def forget() -> int:
        return activity.forget_behaviour(clock.now() - 760 * DAY, 3, touching=())

    stream = plans_of(forget, about="DELETE FROM crm_plugin_activity")
    interests = plans_of(forget, about="FROM crm_plugin_interest i")

    assert "crm_activity_in_time" in stream
    assert not reads_whole(stream, "crm_plugin_activity")
    assert not reads_whole(interests, "crm_plugin_interest")
