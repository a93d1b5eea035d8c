"""What is over is deleted in all rooms, and what people merely did is forgotten after its time.

How long what is kept: ``docs/operators.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from django.db import transaction

from crm_plugin import activity, audience, automations, clock, messaging, reviews, shop
from crm_plugin.conf import settings


def _forget_past_of_activity(before: datetime, limit: int) -> int:
    return activity.forget_past(before, limit, waves_in_use=automations.waves_in_use())


#: One that refers to another's rows goes first.
_ROOMS: Final[tuple[Callable[[datetime, int], int], ...]] = (
    automations.forget_past,
    messaging.forget_past,
    reviews.forget_past,
    audience.forget_past,
    _forget_past_of_activity,
)


#: What has a shorter life, which its room knows.
_SHORT_LIVED: Final[tuple[Callable[[int], int], ...]] = (
    messaging.forget_receipts,
    messaging.clear_notes,
    messaging.forget_counts,
    activity.forget_unconfirmed,
)


def passes() -> Iterator[Callable[[], int]]:
    """Yield the passes to be done in turn: what cannot be deleted holds up no other.

    Each is a transaction, and tells how many rows went; again and again, until nothing is left.
    """
    for forget in _SHORT_LIVED:
        yield partial(_forget, forget)
    for forget_past in _ROOMS:
        yield partial(_forget_past, forget_past)
    yield _forget_behaviour


def _forget(forget: Callable[[int], int]) -> int:
    with shop.current().writable(), transaction.atomic():
        return forget(settings().advance_batch)


def _forget_past(forget_past: Callable[[datetime, int], int]) -> int:
    before = clock.now() - timedelta(days=settings().history_days)
    with shop.current().writable(), transaction.atomic():
        return forget_past(before, settings().advance_batch)


def _forget_behaviour() -> int:
    before = clock.now() - timedelta(days=settings().behaviour_days)
    with shop.current().writable(), transaction.atomic():
        return activity.forget_behaviour(before, settings().drain_batch, touching=audience.watched_kinds())
