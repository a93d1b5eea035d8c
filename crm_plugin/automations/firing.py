"""Setting timers by what the drain found, and doing what they were set for when their moment has come.

A kind of trigger that waits to the minute is one module with ``alarms`` (which timers what happened sets) and
``decide`` (what becomes of those that are due), and one line in each function here.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from crm_plugin import clock
from crm_plugin.automations import abandoning, delaying, timers
from crm_plugin.automations.entering import enroll
from crm_plugin.automations.running import Running, running
from crm_plugin.automations.timers import Decision, Due
from crm_plugin.automations.triggers import AbandonedTrigger
from crm_plugin.conf import settings
from crm_plugin.shop import Cart, FactKind

logger = logging.getLogger(__name__)


def arm_timers(
    added: Mapping[FactKind, Sequence[int]],
    *,
    carts: Mapping[str, Cart | None],
    visitors: Mapping[str, str],
    touched: Mapping[str, datetime],
) -> int:
    """Set the timers of what happened, or move them on. Must run in the transaction that wrote the activities.

    Args:
        added: the new activities, ids by kind.
        carts: the open carts of the batch's facts about carts; None for one that is no longer open.
        visitors: the browser of each cart, as far as it is known.
        touched: when the newest of the facts about each cart happened; a line that was taken out leaves no other trace.

    Returns:
        How many were set or moved.
    """
    if not added and not carts:
        return 0
    campaigns = running()
    found = abandoning.alarms(campaigns, added=added, carts=carts, visitors=visitors, touched=touched)
    return timers.arm([*found, *delaying.alarms(campaigns, added=added)])


def fire_timers(limit: int) -> int | None:
    """Do what the oldest due timers were set for, ``limit`` of them at most. Must run in a transaction.

    Those of paused campaigns stay for the time when they go on; those of campaigns that are over go.

    Returns:
        How many were taken up; None when nothing is due.
    """
    campaigns = running()
    seeded = delaying.seed(campaigns)
    ready = {one.campaign_id: one for one in [*_abandoned(campaigns), *seeded]}
    others = [one.campaign_id for one in campaigns if not _is_timed(one)]
    cleared = timers.clear(others, limit=limit)
    dues = timers.claim(ready, limit=limit)
    if dues:
        timers.delete(dues)
        _do(_without_stale(dues), campaigns)
    return cleared + len(dues) or None


def _do(dues: Sequence[Due], campaigns: Sequence[Running]) -> None:
    left = [due for due in dues if isinstance(due.one.definition.trigger, AbandonedTrigger)]
    later = [due for due in dues if not isinstance(due.one.definition.trigger, AbandonedTrigger)]
    decisions = (
        abandoning.decide(left, campaigns=campaigns) if left else Decision(),
        delaying.decide(later) if later else Decision(),
    )
    for decision in decisions:
        timers.arm(decision.again)
        enroll(decision.entrants)


def _without_stale(dues: Sequence[Due]) -> list[Due]:
    """Leave out what nobody looked at for so long that it is no news any more; a pause is no lateness."""
    too_late = clock.now() - timedelta(hours=settings().stale_after_hours)
    stale = {due.timer_id for due in dues if max(due.alarm.due_at, due.one.since) < too_late}
    if stale:
        logger.warning(
            "crm: %d timers are dropped: due more than %g hours ago", len(stale), settings().stale_after_hours
        )
    return [due for due in dues if due.timer_id not in stale]


def _abandoned(campaigns: Sequence[Running]) -> list[Running]:
    return [one for one in campaigns if isinstance(one.definition.trigger, AbandonedTrigger)]


def _is_timed(one: Running) -> bool:
    return isinstance(one.definition.trigger, AbandonedTrigger) or delaying.is_timed(one.definition.trigger)
