"""All members of a segment, computed at once: after it was saved, after it failed, and once a day to be sure.

One statement asks the rule about everybody; the answer is compared with the members that are there, and only the
difference is written. Who stays is not touched, and until the commit everybody sees the members of before.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import Error, connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import Q

from crm_plugin import clock, contacts
from crm_plugin.audience import nesting
from crm_plugin.audience.compiler import compile
from crm_plugin.audience.failing import is_not_paused, set_back
from crm_plugin.audience.locks import Lock, take, try_take
from crm_plugin.audience.membership import Changed, tell
from crm_plugin.audience.models import Segment, SegmentKind, SegmentState
from crm_plugin.audience.patience import is_passing, limited
from crm_plugin.conf import settings
from crm_plugin.shop import FactKind

logger = logging.getLogger(__name__)

#: A segment is compared with its whole rule this often, for what touches nobody: products that change their category.
VERIFIED_EVERY: Final = timedelta(hours=24)
#: The longest to wait for workers that are in the middle of a batch.
LOCK_SECONDS: Final = 10.0
_FETCHED: Final = 5_000

#: ``EXCEPT`` hashes both sides whatever PostgreSQL believes of their sizes: it knows nothing yet of rows written in
#: this transaction, and would go through all of them for each one.
_MISSING = """
SELECT contact_id FROM crm_built
EXCEPT SELECT contact_id FROM crm_plugin_member WHERE segment_id = %(segment)s
"""
_TOO_MUCH = """
SELECT contact_id FROM crm_plugin_member WHERE segment_id = %(segment)s
EXCEPT SELECT contact_id FROM crm_built
"""
#: A contact that is being merged away is not waited for, nor is a member row that a merge is moving: both are touched.
_JOIN = f"""
INSERT INTO crm_plugin_member (segment_id, contact_id, joined_at)
SELECT %(segment)s, c.id, %(now)s FROM ({_MISSING}) b JOIN crm_plugin_contact c ON c.id = b.contact_id
WHERE c.erased_at IS NULL
FOR KEY SHARE OF c SKIP LOCKED
ON CONFLICT (segment_id, contact_id) DO NOTHING RETURNING id, segment_id, contact_id
"""  # noqa: S608
_LEAVE = f"""
DELETE FROM crm_plugin_member WHERE id IN (
    SELECT m.id FROM crm_plugin_member m JOIN ({_TOO_MUCH}) gone USING (contact_id) WHERE m.segment_id = %(segment)s
    FOR UPDATE OF m SKIP LOCKED)
RETURNING id, segment_id, contact_id
"""  # noqa: S608
_COUNT = "SELECT count(*) FROM crm_plugin_member WHERE segment_id = %(segment)s"


class _EditedMeanwhileError(Exception):
    """The rule that was computed is not in force any more."""


def build() -> int | None:
    """Build the next segment that needs it, if no other worker has it. Must not run in a transaction.

    Returns:
        How many joined and left, 0 also when it failed; None when no segment needs it.
    """
    overdue = Q(state=SegmentState.READY, built_at__lt=clock.now() - VERIFIED_EVERY)
    needy = Segment.objects.filter(Q(state=SegmentState.BUILDING) | overdue, is_not_paused(), kind=SegmentKind.LIVE)
    for segment in needy.order_by("error", "updated_at", "pk"):
        try:
            _wait_for_drains()
            with transaction.atomic():
                # Only now, with the lock, is it certain that no other worker has done it.
                if try_take(Lock.BUILDING, segment.pk) and (now := needy.filter(pk=segment.pk).first()):
                    return _build(now)
        except _EditedMeanwhileError:
            return 0  # the next build has the new rule
        except Exception as error:
            if isinstance(error, Error) and is_passing(error):
                raise
            logger.exception("crm: a segment could not be built", extra={"segment": segment.pk})
            set_back(segment, error, seconds=settings().segment_build_seconds)
            return 0
    return None


def _wait_for_drains() -> None:
    """Let every drain end that may have asked which kinds are watched before the segment was there."""
    with transaction.atomic(), limited(lock_seconds=LOCK_SECONDS):
        take(Lock.WATCHING)


def _build(segment: Segment) -> int:
    with limited(lock_seconds=LOCK_SECONDS):
        take(Lock.FOLLOWING, segment.pk)
    now = clock.now()
    rules = _rules_behind(segment)
    with limited(statement_seconds=settings().segment_build_seconds), connection.cursor() as cursor:
        _compute(cursor, segment, now)
        _lock_unedited(segment, rules)
        joined, left = _write(cursor, segment, now)
        cursor.execute("DROP TABLE crm_built")
    return joined + left


def _rules_behind(segment: Segment) -> frozenset[int]:
    """Return the versions that the segment's members depend on, its own and those of the segments it names."""
    among = nesting.saved_rules()
    if segment.pk not in among or among[segment.pk].version_id != segment.version_id:
        raise _EditedMeanwhileError
    named = nesting.behind(among[segment.pk].definition, among=among)
    return frozenset(among[pk].version_id for pk in {segment.pk, *named})


def _compute(cursor: CursorWrapper, segment: Segment, now: datetime) -> None:
    """Put the contacts of the rule into a table of their own, which the planner can count."""
    query = compile(nesting.rule_of(segment.version_id or 0), now=now)
    cursor.execute("CREATE TEMPORARY TABLE crm_built (contact_id bigint NOT NULL) ON COMMIT DROP")
    cursor.execute(f"INSERT INTO crm_built (contact_id) SELECT contact_id FROM ({query.sql}) q", query.params)  # noqa: S608
    cursor.execute("ANALYZE crm_built")


def _lock_unedited(segment: Segment, rules: frozenset[int]) -> None:
    """Take the segment's row. From here on an edit waits, so that it finds the segment built and sets it back."""
    list(Segment.objects.select_for_update(no_key=True).filter(pk=segment.pk).values_list("pk"))
    if _rules_behind(segment) != rules:
        raise _EditedMeanwhileError


def _write(cursor: CursorWrapper, segment: Segment, now: datetime) -> tuple[int, int]:
    is_told = segment.built_at is not None  # not what a merchant's own edit changes
    params: dict[str, Any] = {"segment": segment.pk, "now": now}
    counts = []
    for statement, kind in ((_LEAVE, FactKind.SEGMENT_LEFT), (_JOIN, FactKind.SEGMENT_JOINED)):
        cursor.execute(statement, params)
        counts.append(cursor.rowcount)
        if is_told:
            tell(kind, _rows(cursor), now=now)
    cursor.execute(_MISSING, params)
    contacts.touch([pk for (pk,) in cursor.fetchall()])
    cursor.execute(_COUNT, params)
    (members_count,) = cursor.fetchone()
    Segment.objects.filter(pk=segment.pk).update(
        state=SegmentState.READY, members_count=members_count, built_at=now, swept_at=now, error=""
    )
    left, joined = counts
    return joined, left


def _rows(cursor: CursorWrapper) -> Iterator[Changed]:
    while rows := cursor.fetchmany(_FETCHED):
        yield from (Changed(*row) for row in rows)
