"""What is left of archived segments: their members go in batches, so that archiving is done at once."""

from __future__ import annotations

from django.db import connection, transaction

from crm_plugin.audience.locks import Lock, try_take
from crm_plugin.audience.models import Member, Segment, SegmentState

_DELETE = """
DELETE FROM crm_plugin_member WHERE id IN (
    SELECT id FROM crm_plugin_member WHERE segment_id = %s LIMIT %s FOR UPDATE SKIP LOCKED)
"""


def clear_archived(limit: int) -> int | None:
    """Delete the next members of an archived segment; return how many, None when none is left."""
    archived = Segment.objects.filter(state=SegmentState.ARCHIVED, members_count__gt=0).order_by("pk")
    for pk in archived.values_list("pk", flat=True):
        with transaction.atomic():
            # Without the lock somebody who saw the segment before it was archived may still be writing members.
            if try_take(Lock.FOLLOWING, pk) and list(archived.filter(pk=pk).select_for_update(no_key=True)):
                return _clear(pk, limit)
    return None


def _clear(pk: int, limit: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_DELETE, [pk, limit])
        deleted = cursor.rowcount
    if not Member.objects.filter(segment_id=pk).exists():
        Segment.objects.filter(pk=pk).update(members_count=0)
    return int(deleted)
