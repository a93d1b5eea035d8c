"""What this room does when two contacts turn out to be one, and when a contact asks to be forgotten."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper

from crm_plugin.contacts import Merge

#: Who was a member first, joined then.
_EARLIER = """
UPDATE crm_plugin_member t SET joined_at = s.joined_at FROM crm_plugin_member s
WHERE s.contact_id = %(source)s AND t.contact_id = %(target)s AND s.segment_id = t.segment_id
    AND s.joined_at < t.joined_at
"""
_MOVE = """
UPDATE crm_plugin_member s SET contact_id = %(target)s WHERE s.contact_id = %(source)s AND NOT EXISTS (
    SELECT FROM crm_plugin_member t WHERE t.contact_id = %(target)s AND t.segment_id = s.segment_id)
"""
_LEAVE = "DELETE FROM crm_plugin_member WHERE contact_id = ANY(%(ids)s::bigint[]) RETURNING segment_id"
_UNSCORE = "DELETE FROM crm_plugin_score WHERE contact_id = ANY(%(ids)s::bigint[])"
_COUNT = "UPDATE crm_plugin_segment SET members_count = GREATEST(members_count - %s, 0) WHERE id = %s"


def absorb(merge: Merge) -> None:
    """Give the source's memberships to the target, as if one person had joined; its score goes. In a transaction.

    Nobody joins or leaves by it. Whether the target belongs there, following finds: ``contacts.absorb`` touches it.
    """
    with connection.cursor() as cursor:
        for statement in (_EARLIER, _MOVE):
            cursor.execute(statement, {"source": merge.source_id, "target": merge.target_id})
        _drop(cursor, [merge.source_id])


def forget(contact_ids: Collection[int]) -> None:
    """Take people who asked to be forgotten out of every segment, and delete their scores. Nobody is told."""
    with connection.cursor() as cursor:
        _drop(cursor, list(contact_ids))


def _drop(cursor: CursorWrapper, ids: list[int]) -> None:
    params: dict[str, Any] = {"ids": ids}
    cursor.execute(_UNSCORE, params)
    cursor.execute(_LEAVE, params)
    left = Counter(segment_id for (segment_id,) in cursor.fetchall())
    for segment_id in sorted(left):
        cursor.execute(_COUNT, [left[segment_id], segment_id])
