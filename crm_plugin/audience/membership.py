"""Joining and leaving: the one place where single members change.

A change and the fact that tells it are one transaction. The fact's key is made of the member row's own id, so that each
join is told once and each leave once, whoever repeats what.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import Final, NamedTuple

from django.db import connection
from django.db.backends.utils import CursorWrapper

from crm_plugin import activity
from crm_plugin.shop import Fact, FactKind

#: Facts written at once.
_CHUNK: Final = 5_000

_JOIN = """
INSERT INTO crm_plugin_member (segment_id, contact_id, joined_at)
SELECT segment_id, contact_id, %s FROM unnest(%s::bigint[], %s::bigint[]) AS pair(segment_id, contact_id)
ORDER BY segment_id, contact_id
ON CONFLICT (segment_id, contact_id) DO NOTHING RETURNING id, segment_id, contact_id
"""
_LEAVE = """
DELETE FROM crm_plugin_member m USING unnest(%s::bigint[], %s::bigint[]) AS pair(segment_id, contact_id)
WHERE m.segment_id = pair.segment_id AND m.contact_id = pair.contact_id
RETURNING m.id, m.segment_id, m.contact_id
"""
_COUNT = "UPDATE crm_plugin_segment SET members_count = GREATEST(members_count + %s, 0) WHERE id = %s"


class Pair(NamedTuple):
    """A contact and a segment."""

    segment_id: int
    contact_id: int


class Changed(NamedTuple):
    """A member row that came or went."""

    member_id: int
    segment_id: int
    contact_id: int


def change(*, joining: Collection[Pair] = (), leaving: Collection[Pair] = (), now: datetime) -> list[Changed]:
    """Put people into segments and take people out, tell it, and keep the counts. Must run in a transaction.

    Who is in already does not join again, who is not in does not leave. The counts come last, by ascending segment: no
    worker waits for anything while it holds the row of a segment, but for the next one of these.

    Returns:
        What did change.
    """
    with connection.cursor() as cursor:
        joined = _run(cursor, _JOIN, [now], joining)
        left = _run(cursor, _LEAVE, [], leaving)
        tell(FactKind.SEGMENT_JOINED, joined, now=now)
        tell(FactKind.SEGMENT_LEFT, left, now=now)
        deltas = Counter(one.segment_id for one in joined)
        deltas.subtract(Counter(one.segment_id for one in left))
        for segment_id in sorted(deltas):
            if deltas[segment_id]:
                cursor.execute(_COUNT, [deltas[segment_id], segment_id])
    return [*joined, *left]


def tell(kind: FactKind, changed: Iterable[Changed], *, now: datetime) -> None:
    """Record that people joined or left."""
    word = kind.value.removeprefix("segment_")
    for chunk in _chunks(changed):
        activity.record_many(
            Fact(
                kind=kind,
                source_key=f"segment:{one.segment_id}:{word}:{one.member_id}",
                occurred_at=now,
                contact_id=one.contact_id,
                subject=f"segment:{one.segment_id}",
            )
            for one in chunk
        )


def _run(cursor: CursorWrapper, statement: str, params: list[datetime], pairs: Collection[Pair]) -> list[Changed]:
    if not pairs:
        return []
    columns = [[pair.segment_id for pair in pairs], [pair.contact_id for pair in pairs]]
    cursor.execute(statement, [*params, *columns])
    return [Changed(*row) for row in cursor.fetchall()]


def _chunks(changed: Iterable[Changed]) -> Iterator[list[Changed]]:
    chunk: list[Changed] = []
    for one in changed:
        chunk.append(one)
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
