"""Who was asked for a review may be asked again after a year; after that, nobody needs to know."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.db import connection

from crm_plugin import clock
from crm_plugin.reviews.asking import AGAIN_AFTER

_REQUESTS: Final = """
DELETE FROM crm_plugin_reviewrequest WHERE id = ANY(ARRAY(
    SELECT id FROM crm_plugin_reviewrequest WHERE asked_at < %(before)s
    ORDER BY asked_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED))
"""


def forget_past(before: datetime, limit: int) -> int:
    """Delete requests from before a moment that hold nobody back any more; return how many. In a transaction."""
    with connection.cursor() as cursor:
        cursor.execute(_REQUESTS, {"before": min(before, clock.now() - AGAIN_AFTER), "limit": limit})
        return int(cursor.rowcount)
