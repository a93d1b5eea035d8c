"""Lists of look-alikes: asked for by a merchant, made by a worker, because comparing everybody takes seconds.

Until then the list is ``building`` and empty. What was asked for is kept as the list's one version: a list has no rule
in force, so that nothing else takes it for one.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from django.db import Error, transaction

from crm_plugin import clock, nudge
from crm_plugin.audience.failing import is_not_paused, set_back
from crm_plugin.audience.fields import Strict
from crm_plugin.audience.lists import add_members
from crm_plugin.audience.locks import Lock, try_take
from crm_plugin.audience.lookalike import check, has_interests, look_alike
from crm_plugin.audience.models import Segment, SegmentKind, SegmentState, SegmentVersion
from crm_plugin.audience.patience import is_passing
from crm_plugin.audience.rule import AudienceRule
from crm_plugin.audience.segments import create_segment
from crm_plugin.conf import settings
from crm_plugin.errors import InvalidInput

logger = logging.getLogger(__name__)

NOBODY: Final = "Nobody else is interested in what the seed is interested in."


class _Order(Strict):
    """What was asked for: see ``look_alike``. ``seed`` is a rule as it is saved."""

    seed: dict[str, Any]
    limit: int
    exclude_min_orders: int | None = None


@transaction.atomic
def create_look_alike(name: str, *, seed: AudienceRule, limit: int, exclude_min_orders: int | None = None) -> Segment:
    """Ask for a static list of the look-alikes of a seed; a worker makes it.

    Raises:
        InvalidInput: also when nothing is known of the seed's interests, code ``NO_SIGNAL``; nothing is made.
    """
    check(limit=limit, exclude_min_orders=exclude_min_orders)
    if not has_interests(seed):
        raise InvalidInput("Nothing is known of the seed's interests.", field="seed", code="NO_SIGNAL")
    segment = create_segment(name)
    order = _Order(seed=seed.to_json(), limit=limit, exclude_min_orders=exclude_min_orders)
    SegmentVersion.objects.create(
        segment=segment, number=1, definition=order.model_dump(), created_at=segment.created_at
    )
    segment.state = SegmentState.BUILDING
    segment.save(update_fields=("state",))
    nudge.after_commit("crm.audience")
    return segment


def build_look_alike() -> int | None:
    """Make the next list that was asked for, if no other worker has it. Must not run in a transaction.

    Returns:
        How many people are on it, 0 also when it failed; None when no list waits.
    """
    waiting = Segment.objects.filter(is_not_paused(), kind=SegmentKind.STATIC, state=SegmentState.BUILDING)
    for segment in waiting.order_by("error", "updated_at", "pk"):
        try:
            with transaction.atomic():
                # Only now, with the lock, is it certain that no other worker has done it.
                if try_take(Lock.BUILDING, segment.pk) and waiting.filter(pk=segment.pk).exists():
                    return _build(segment)
        except Exception as error:
            if isinstance(error, Error) and is_passing(error):
                raise
            logger.exception("crm: a list of look-alikes could not be made", extra={"segment": segment.pk})
            set_back(segment, error, seconds=settings().segment_build_seconds)
            return 0
    return None


def _build(segment: Segment) -> int:
    order = _Order.model_validate(segment.versions.get().definition)
    found = look_alike(
        AudienceRule.parse(order.seed, field="seed"), limit=order.limit, exclude_min_orders=order.exclude_min_orders
    )
    add_members(segment.pk, [pk for pk, _similarity in found])
    now, error = clock.now(), "" if found else NOBODY
    mine = Segment.objects.filter(pk=segment.pk, state=SegmentState.BUILDING)  # it may have been archived meanwhile
    mine.update(state=SegmentState.READY, built_at=now, updated_at=now, error=error)
    return len(found)
