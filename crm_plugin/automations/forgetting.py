"""What is over of waves and of moments of the schedule is deleted, once nothing can ask for it any more."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db import connection

from crm_plugin import clock
from crm_plugin.automations import delaying
from crm_plugin.automations.models import FanOut
from crm_plugin.automations.running import running
from crm_plugin.conf import settings

_FAN_OUTS: Final = """
DELETE FROM crm_plugin_fanout WHERE id = ANY(ARRAY(
    SELECT id FROM crm_plugin_fanout WHERE is_done AND created_at < %(before)s
    ORDER BY created_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED))
"""
#: Planning goes on behind the newest moment of a campaign, so that one stays, and no other can come up again. So does
#: the moment from which a campaign that waits to the minute counts, or it would count from it anew (``delaying``).
_SLOTS: Final = """
DELETE FROM crm_plugin_scheduleslot WHERE id = ANY(ARRAY(
    SELECT s.id FROM crm_plugin_scheduleslot s
    WHERE s.state <> 'open' AND s.slot_at < LEAST(%(before)s, %(stale)s)
        AND EXISTS (SELECT 1 FROM crm_plugin_scheduleslot n
            WHERE n.campaign_id = s.campaign_id AND n.slot_at > s.slot_at)
        AND (s.campaign_id, s.slot_at) NOT IN (
            SELECT * FROM unnest(%(campaigns)s::bigint[], %(begun)s::timestamptz[]))
    ORDER BY s.slot_at LIMIT %(limit)s FOR UPDATE OF s SKIP LOCKED))
"""


def forget_past(before: datetime, limit: int) -> int:
    """Delete waves' ways to campaigns and moments that were done before a moment. Must run in a transaction.

    Args:
        before: what is younger stays.
        limit: the most rows of each table; again and again, until nothing is left.

    Returns:
        How many rows went.
    """
    begun = delaying.counted_from(running())
    with connection.cursor() as cursor:
        cursor.execute(_FAN_OUTS, {"before": before, "limit": limit})
        gone = cursor.rowcount
        cursor.execute(
            _SLOTS,
            {
                "before": before,
                "stale": clock.now() - 2 * timedelta(hours=settings().stale_after_hours),
                "campaigns": list(begun),
                "begun": list(begun.values()),
                "limit": limit,
            },
        )
        return int(gone + cursor.rowcount)


def waves_in_use() -> list[int]:
    """Return the waves that are still on their way to the people of a campaign, a paused one too."""
    return list(FanOut.objects.filter(is_done=False).values_list("wave", flat=True).distinct())
