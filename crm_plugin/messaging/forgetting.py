"""What is over is deleted: webhook calls that were answered or given up, and links of messages that are long gone by.

A message itself stays: the frequency cap, statistics and attribution count it (``docs/operators.md``).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from django.db import connection

from crm_plugin.messaging.tracking import USED_WITHIN

_CALLS: Final = """
DELETE FROM crm_plugin_webhookcall WHERE id = ANY(ARRAY(
    SELECT id FROM crm_plugin_webhookcall WHERE state IN ('sent', 'failed') AND finished_at < %(before)s
    ORDER BY finished_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED))
"""
_SHORT_LINKS: Final = """
DELETE FROM crm_plugin_shortlink WHERE code = ANY(ARRAY(
    SELECT code FROM crm_plugin_shortlink WHERE created_at < %(before)s
    ORDER BY created_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED))
"""
_LINKS: Final = """
DELETE FROM crm_plugin_link WHERE digest = ANY(ARRAY(
    SELECT l.digest FROM crm_plugin_link l
    WHERE l.used_at < %(unused)s AND NOT EXISTS (SELECT FROM crm_plugin_shortlink s WHERE s.link_id = l.digest)
    ORDER BY l.used_at LIMIT %(limit)s FOR UPDATE OF l SKIP LOCKED))
"""


def forget_past(before: datetime, limit: int) -> int:
    """Delete calls that ended before a moment, and links that no message since then has. Must run in a transaction.

    Args:
        before: what is younger stays.
        limit: the most rows of each table; again and again, until nothing is left.

    Returns:
        How many rows went.
    """
    values: dict[str, Any] = {"before": before, "unused": before - USED_WITHIN, "limit": limit}
    with connection.cursor() as cursor:
        gone = 0
        for statement in (_CALLS, _SHORT_LINKS, _LINKS):
            cursor.execute(statement, values)
            gone += cursor.rowcount
    return gone
