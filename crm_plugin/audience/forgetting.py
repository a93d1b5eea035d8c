"""Imports that are over are deleted: their lines are in the list, or were refused, long ago."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.db import connection

_IMPORTS: Final = """
DELETE FROM crm_plugin_listimport WHERE id = ANY(ARRAY(
    SELECT id FROM crm_plugin_listimport WHERE created_at < %(before)s AND finished_at < %(before)s
    ORDER BY created_at, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED))
"""


def forget_past(before: datetime, limit: int) -> int:
    """Delete imports that ended before a moment; return how many. Must run in a transaction."""
    with connection.cursor() as cursor:
        cursor.execute(_IMPORTS, {"before": before, "limit": limit})
        return int(cursor.rowcount)
