"""Membership follows what people do: only the contacts about whom something changed are looked at.

Whoever changes something that a rule may ask for touches the contact in the same transaction (the drain for activities,
the contacts room for the rest). A pass here takes contacts off that queue, locks them, asks every live segment about
them with one narrowed statement each, and writes the difference. Two workers never have the same contact at once, and
the later one asks with what the earlier one has committed.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final

from django.db import Error
from django.db.models import QuerySet

from crm_plugin import clock, contacts
from crm_plugin.audience.compiler import matching
from crm_plugin.audience.failing import set_back
from crm_plugin.audience.lists import unwritable
from crm_plugin.audience.locks import Lock, take, try_share_each
from crm_plugin.audience.membership import Pair, change
from crm_plugin.audience.models import Member, Segment, SegmentKind, SegmentState
from crm_plugin.audience.nesting import rule_of
from crm_plugin.audience.patience import is_passing, limited
from crm_plugin.errors import InvalidInput
from crm_plugin.shop import FactKind

logger = logging.getLogger(__name__)

#: The longest that asking one segment about one batch of contacts may take; usually it is milliseconds.
STATEMENT_SECONDS: Final = 10.0


def follow(limit: int) -> int:
    """Bring the segments of the next touched contacts up to date. Must run in a transaction.

    A segment whose members are being computed all at once is left out, and the contacts stay touched for it; one that
    cannot be asked is set back to be built again.

    Args:
        limit: how many rows of the queue to take, at most.

    Returns:
        How many contacts are done with; 0 when there were none, or a segment was left out.
    """
    ids = contacts.claim_touched(limit)
    if not ids:
        return 0
    now = clock.now()
    free, is_every_one = _free_segments()
    leaving = unwritable(ids)
    change(leaving=leaving, now=now)  # first: a rule may name the list
    present = _members(ids, free)
    joining, leaving = [], []
    for segment in free:
        found = _ask(segment, ids, now=now)
        if found is not None:
            joining += [Pair(segment.pk, pk) for pk in sorted(found - present[segment.pk])]
            leaving += [Pair(segment.pk, pk) for pk in sorted(present[segment.pk] - found)]
    change(joining=joining, leaving=leaving, now=now)
    if not is_every_one:
        contacts.touch(ids)
        return 0
    return len(ids)


def watched_kinds() -> frozenset[FactKind]:
    """Return the kinds of activity that any live segment asks for. Must run in the transaction that adds activities.

    A segment that is saved after this was read computes its members only when that transaction is over (``building``
    waits for the lock), so that no activity falls between the two.
    """
    take(Lock.WATCHING, is_shared=True)
    return _kinds(tuple(_live().order_by("version").values_list("version_id", flat=True)))


@lru_cache(maxsize=8)
def _kinds(versions: tuple[int, ...]) -> frozenset[FactKind]:
    kinds: set[FactKind] = set()
    for version in versions:
        try:
            kinds |= rule_of(version).kinds()
        except InvalidInput:
            continue  # its build says so
    return frozenset(kinds)


def _free_segments() -> tuple[list[Segment], bool]:
    """Return the segments to follow, kept from being computed meanwhile, and whether none had to be left out."""
    pks = list(_live().order_by("pk").values_list("pk", flat=True))
    free = try_share_each(Lock.FOLLOWING, pks)
    # Read again: who had them before has committed. One that is to be built will see all that was committed by now.
    ready = _live().filter(pk__in=free, state=SegmentState.READY).order_by("pk")
    return list(ready), len(free) == len(pks)


def _live() -> QuerySet[Segment]:
    return Segment.objects.filter(kind=SegmentKind.LIVE, version__isnull=False).exclude(state=SegmentState.ARCHIVED)


def _members(ids: Collection[int], segments: Sequence[Segment]) -> defaultdict[int, set[int]]:
    found: defaultdict[int, set[int]] = defaultdict(set)
    rows = Member.objects.filter(contact_id__in=ids, segment_id__in=[segment.pk for segment in segments])
    for segment_id, contact_id in rows.values_list("segment_id", "contact_id"):
        found[segment_id].add(contact_id)
    return found


def _ask(segment: Segment, ids: Sequence[int], *, now: datetime) -> set[int] | None:
    """Return who of the contacts is in the segment by its rule; None when that cannot be told."""
    try:
        with limited(statement_seconds=STATEMENT_SECONDS):
            return matching(rule_of(segment.version_id or 0), ids, now=now)
    except Exception as error:
        if isinstance(error, Error) and is_passing(error):
            raise
        logger.exception("crm: a segment could not be followed; it is built again", extra={"segment": segment.pk})
        set_back(segment, error, seconds=STATEMENT_SECONDS)
        return None
