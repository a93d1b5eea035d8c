"""Loops in the background: bounded in time, fair to one another, and over at once when the CRM is switched off."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from django.db import DatabaseError

from crm_plugin import shop
from crm_plugin.conf import settings

logger = logging.getLogger(__name__)


def is_on() -> bool:
    """Whether the operator has the CRM switched on."""
    return shop.current().operator().is_enabled


def at_least_one(done: int | None) -> int:
    """Count a pass that found something to do and changed nothing by it; None is one that found nothing."""
    return 0 if done is None else max(done, 1)


def repeat(work: Callable[[], int]) -> int:
    """Do ``work`` until it finds nothing, the loop's time is over, or the operator switches the CRM off."""
    return in_turn(work)


def in_turn(*passes: Callable[[], int]) -> int:
    """Do the passes in turn, until a whole round finds nothing, the time is over, or the CRM is switched off.

    One that fails is left out from then on: beat tries again.

    Returns:
        How much all of them did.
    """
    end, total, failed = time.monotonic() + settings().loop_seconds, 0, set()
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
        if total == before:
            return total
