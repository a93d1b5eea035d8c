"""A segment that cannot be computed: its members stay as they are, its error is kept, and it is tried again later."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.db.models import Q

from crm_plugin import clock
from crm_plugin.audience.models import Segment, SegmentState
from crm_plugin.audience.patience import in_words

#: A segment that failed is left alone for so long.
PAUSE: Final = timedelta(minutes=5)


def set_back(segment: Segment, error: Exception, *, seconds: float) -> None:
    """Note what went wrong with the segment's present rule; from now on it waits to be built."""
    Segment.objects.filter(pk=segment.pk, version=segment.version_id).exclude(state=SegmentState.ARCHIVED).update(
        state=SegmentState.BUILDING, error=in_words(error, seconds=seconds), updated_at=clock.now()
    )


def is_not_paused() -> Q:
    """Return the condition that a segment has no error, or one that is long enough ago to try again."""
    return Q(error="") | Q(updated_at__lt=clock.now() - PAUSE)
