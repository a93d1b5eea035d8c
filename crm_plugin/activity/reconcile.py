"""Find what no hook told: walk the shop's own timestamps past a watermark and record what is there.

A fact found here has the same source key as the hook's, so that telling it twice is telling it once. Backfill reads the
same streams from their beginning, under its own watermark.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from crm_plugin import clock, shop
from crm_plugin.activity.models import Watermark
from crm_plugin.activity.recording import record_many
from crm_plugin.conf import settings
from crm_plugin.shop import Position

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class Purpose(StrEnum):
    """Who reads a stream: the two have their own watermarks."""

    RECONCILE = "reconcile"
    BACKFILL = "backfill"


@dataclass(frozen=True, slots=True)
class Step:
    """One page read: how many facts it told, and whether the stream's end was reached."""

    recorded_count: int
    is_last: bool


def step(stream: str, *, purpose: Purpose) -> Step:
    """Read the next page of a stream into the inbox and move the watermark. Must run in a transaction.

    Reconcile begins a little before its watermark whenever it had reached the end: a row's time is set before its
    transaction commits, so a late commit lies behind the watermark.
    """
    mark = _mark(stream, purpose)
    if mark.is_done and purpose is Purpose.BACKFILL:
        return Step(0, is_last=True)
    page = shop.current().changed_since(stream, _start(mark), limit=settings().reconcile_batch)
    count = record_many(page.facts)
    position = page.position.at, page.position.key
    # A page in the middle is always where to go on, also inside the overlap. A quiet stream, though, answers with where
    # it was asked from: going back there would go back ever further.
    if not page.is_last or position > (mark.at, mark.key):
        mark.at, mark.key = position
    mark.is_done = page.is_last
    mark.save()
    return Step(count, page.is_last)


def restart(purpose: Purpose) -> None:
    """Forget how far the streams were read; what was told before stays told."""
    Watermark.objects.filter(purpose=purpose).delete()


def _mark(stream: str, purpose: Purpose) -> Watermark:
    start = clock.now() if purpose is Purpose.RECONCILE else BEGINNING
    Watermark.objects.bulk_create(
        [Watermark(purpose=purpose, stream=stream, at=start, is_done=purpose is Purpose.RECONCILE)],
        ignore_conflicts=True,
    )
    return Watermark.objects.select_for_update().get(purpose=purpose, stream=stream)


def _start(mark: Watermark) -> Position:
    if mark.is_done:
        return Position(mark.at - timedelta(seconds=settings().reconcile_overlap_seconds))
    return Position(mark.at, mark.key)
