"""Membership follows time: whoever was in a window yesterday may not be today, though nobody did anything.

No segment is recomputed for that. Between two sweeps every window of a rule moves a little; only contacts with
something in the stretches that it passed over can have changed. They are touched, and following does the rest.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Final

from django.db import Error, connection, transaction

from crm_plugin import clock, contacts
from crm_plugin.audience.edges import edges
from crm_plugin.audience.failing import set_back
from crm_plugin.audience.locks import Lock, try_take
from crm_plugin.audience.models import Segment, SegmentKind, SegmentState
from crm_plugin.audience.nesting import rule_of
from crm_plugin.audience.patience import is_passing, limited
from crm_plugin.conf import settings

logger = logging.getLogger(__name__)

#: Clocks of two workers may differ by so much: a stretch is looked at from a little before where the last one ended.
SKEW: Final = timedelta(seconds=5)
#: Contacts touched by one statement.
_CHUNK: Final = 10_000


def sweep() -> int | None:
    """Touch the contacts whom time alone may have moved in or out of one segment: the one longest not looked at.

    Returns:
        How many were touched; None when every segment was looked at within half of ``conf.audience_seconds``.
    """
    before = clock.now() - timedelta(seconds=settings().audience_seconds / 2)
    due = Segment.objects.filter(kind=SegmentKind.LIVE, state=SegmentState.READY, swept_at__lte=before)
    for pk in due.order_by("swept_at", "pk").values_list("pk", flat=True):
        with transaction.atomic():
            # Only now, with the lock, is it certain that no other worker has done it.
            segment = due.filter(pk=pk).first() if try_take(Lock.SWEEPING, pk) else None
            if segment is not None:
                return _sweep(segment)
    return None


def _sweep(segment: Segment) -> int:
    until = clock.now()
    limit = settings().segment_build_seconds
    try:
        with limited(statement_seconds=limit):
            touched = _touch_edges(segment, since=(segment.swept_at or until) - SKEW, until=until)
    except Exception as error:
        if isinstance(error, Error) and is_passing(error):
            raise
        logger.exception("crm: time could not be followed; the segment is built again", extra={"segment": segment.pk})
        set_back(segment, error, seconds=limit)
        return 0
    # A build that ended meanwhile knows better from when on.
    Segment.objects.filter(pk=segment.pk, swept_at=segment.swept_at).update(swept_at=until)
    return touched


def _touch_edges(segment: Segment, *, since: datetime, until: datetime) -> int:
    query = edges(rule_of(segment.version_id or 0), since=since, until=until)
    if query is None:
        return 0
    touched = 0
    with connection.cursor() as cursor:
        cursor.execute(query.sql, query.params)
        while rows := cursor.fetchmany(_CHUNK):
            contacts.touch([pk for (pk,) in rows])
            touched += len(rows)
    return touched
