"""Static lists: people put in and taken out by hand or by import, and those who must leave every list."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Final

from django.db import connection, transaction

from crm_plugin import clock, contacts
from crm_plugin.audience.locks import Lock, take
from crm_plugin.audience.membership import Pair, change
from crm_plugin.audience.models import Member, Segment, SegmentKind, SegmentState
from crm_plugin.contacts import ChannelKind, SuppressionReason
from crm_plugin.errors import InvalidInput, NotFound

#: Whose mail comes back for good, or who complained about it, leaves every list (features row 55).
_LEFT_FOR: Final = frozenset({SuppressionReason.HARD_BOUNCE, SuppressionReason.COMPLAINT})
_CHUNK: Final = 5_000

#: Kept from being merged away until the member row is there.
_LOCK_KNOWN = """
SELECT id FROM crm_plugin_contact WHERE id = ANY(%s::bigint[]) AND erased_at IS NULL
    AND (customer_id IS NOT NULL OR email IS NOT NULL)
ORDER BY id FOR KEY SHARE
"""


def add_members(pk: int, contact_ids: Collection[int]) -> int:
    """Put contacts into a static list; return how many were not in it.

    Visitors, erased people and those whose mail comes back or who complained are passed over.

    Raises:
        InvalidInput, NotFound: when there is no such list.
    """
    added = 0
    with transaction.atomic():
        hold(pk)
        for chunk in _chunks(contact_ids):
            known = _locked_known(chunk)
            gone = _unwritable_among(known)
            added += _changed(joining=[Pair(pk, one) for one in known if one not in gone])
    return added


def remove_members(pk: int, contact_ids: Collection[int]) -> int:
    """Take contacts out of a static list; return how many were in it.

    Raises:
        InvalidInput, NotFound: when there is no such list.
    """
    removed = 0
    with transaction.atomic():
        hold(pk)
        for chunk in _chunks(contact_ids):
            removed += _changed(leaving=[Pair(pk, one) for one in chunk])
    return removed


def hold(pk: int) -> Segment:
    """Return a list and keep it from being cleared until the transaction ends.

    Raises:
        InvalidInput, NotFound: when there is no such list.
    """
    take(Lock.FOLLOWING, pk, is_shared=True)
    segment = Segment.objects.filter(pk=pk).first()
    if segment is None:
        raise NotFound("There is no such segment.")
    if segment.state == SegmentState.ARCHIVED:
        raise InvalidInput("The list is archived.", field="segment", code="IS_ARCHIVED")
    if segment.kind != SegmentKind.STATIC:
        raise InvalidInput("This segment is a rule; only a static list can be changed by hand.", field="segment")
    return segment


def unwritable(contact_ids: Collection[int]) -> list[Pair]:
    """Return the places in static lists of those of the contacts who must leave every list."""
    rows = Member.objects.filter(contact_id__in=contact_ids, segment__kind=SegmentKind.STATIC)
    rows = rows.exclude(segment__state=SegmentState.ARCHIVED)
    pairs = [Pair(*row) for row in rows.order_by("segment_id", "contact_id").values_list("segment_id", "contact_id")]
    gone = _unwritable_among({pair.contact_id for pair in pairs}) if pairs else frozenset()
    return [pair for pair in pairs if pair.contact_id in gone]


def _unwritable_among(contact_ids: Collection[int]) -> frozenset[int]:
    erased = contacts.rows_of(contact_ids).exclude(erased_at=None).values_list("pk", flat=True)
    reach = contacts.reach(contact_ids, channel=ChannelKind.EMAIL)
    return frozenset({*erased, *(pk for pk, one in reach.items() if one.suppressed_for in _LEFT_FOR)})


def _locked_known(contact_ids: Sequence[int]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_KNOWN, [list(contact_ids)])
        return [pk for (pk,) in cursor.fetchall()]


def _changed(*, joining: Collection[Pair] = (), leaving: Collection[Pair] = ()) -> int:
    """Change the list, and have live segments that name it follow."""
    changed = change(joining=joining, leaving=leaving, now=clock.now())
    contacts.touch([one.contact_id for one in changed])
    return len(changed)


def _chunks(contact_ids: Collection[int]) -> Iterator[list[int]]:
    ordered = sorted(set(contact_ids))
    for start in range(0, len(ordered), _CHUNK):
        yield ordered[start : start + _CHUNK]
