"""How far behind the segments are, for the operator."""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.db.models import Min

from crm_plugin import clock
from crm_plugin.audience.models import ListImport, Segment, SegmentKind, SegmentState

#: Failed segments shown at most.
_SHOWN = 20


def lag() -> dict[str, Any]:
    """Return what waits: touched contacts, the oldest sweep in seconds, segments to build, open imports; and errors."""
    live = Segment.objects.filter(kind=SegmentKind.LIVE, state=SegmentState.READY)
    swept_at = live.aggregate(at=Min("swept_at"))["at"]
    building = Segment.objects.filter(state=SegmentState.BUILDING)
    failed = building.exclude(error="").order_by("pk")
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM crm_plugin_touched")
        (touched,) = cursor.fetchone()
    return {
        "touched_rows": touched,
        "sweep_oldest_seconds": (clock.now() - swept_at).total_seconds() if swept_at else 0.0,
        "segments_building": building.count(),
        "imports_open": ListImport.objects.filter(finished_at=None).count(),
        "segment_errors": {str(row.pk): f"{row.name}: {row.error}" for row in failed[:_SHOWN]},
    }
