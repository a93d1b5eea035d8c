"""Loops in the background: bounded in time, fair to one another, and over at once when the CRM is switched off."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from django.db import DatabaseError

from crm_plugin import shop
from crm_plugin.conf import settings

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Turn:
    """How long a loop goes on.

    Attributes:
        seconds: the longest; None: the operator's ``loop_seconds``.
        least: it ends with a round, behind the first, that did less than this.
    """

    seconds: float | None = None
    least: int = 1


#: Until nothing is left.
WHOLE: Final = Turn()
#: Of a worker that other tasks wait for. Facts that trickle in are left to the next look: each look costs the same
#: statements for one of them as for a thousand, and while one loop goes on, no task behind it begins.
BRIEF: Final = Turn(seconds=2.0, least=200)


class Portion:
    """How much one worker takes in hand at once so that it is done within a brief turn, by how long the last took.

    A mail server far away takes a tenth of a second for each letter: what is a second's work elsewhere is a minute's.
    """

    def __init__(self) -> None:
        self._size: int | None = None

    def size(self, most: int) -> int:
        """Return how much to take; no more than ``most``."""
        return most if self._size is None else min(most, self._size)

    def learn(self, count: int, *, seconds: float, least: int) -> None:
        """Take less of what took longer than a turn, but at least so much, and more again once it was quick."""
        brief = BRIEF.seconds or settings().loop_seconds
        if seconds > brief:
            self._size = max(least, int(count * brief / seconds))
        elif self._size is not None and count >= self._size:
            self._size *= 2


def is_on() -> bool:
    """Whether the operator has the CRM switched on."""
    return shop.current().operator().is_enabled


def at_least_one(done: int | None) -> int:
    """Count a pass that found something to do and changed nothing by it; None is one that found nothing."""
    return 0 if done is None else max(done, 1)


def chunk(done: int | None) -> int:
    """Count a chunk of something that waits in a line, however few it was about: a brief turn goes on with the next."""
    return 0 if done is None else max(done, BRIEF.least)


def repeat(work: Callable[[], int]) -> int:
    """Do ``work`` until it finds nothing, the loop's time is over, or the operator switches the CRM off."""
    return in_turn(work)


def in_turn(*passes: Callable[[], int], turn: Turn = WHOLE) -> int:
    """Do the passes in turn, until a whole round finds nothing, the time is over, or the CRM is switched off.

    One that fails is left out from then on: beat tries again.

    Args:
        passes: each does a batch, and returns how much that was.
        turn: when to end before that.

    Returns:
        How much all of them did.
    """
    end, total, failed = time.monotonic() + (turn.seconds or settings().loop_seconds), 0, set()
    is_first = True
    while True:
        before = total
        for work in passes:
            if time.monotonic() >= end or not is_on():
                return total
            if work in failed:
                continue
            try:
                total += work()
            except DatabaseError:
                logger.exception("crm: a pass failed and was rolled back; beat tries again")
                failed.add(work)
        if total - before < (1 if is_first else turn.least):
            return total
        is_first = False
