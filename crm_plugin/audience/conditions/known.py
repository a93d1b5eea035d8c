"""What a rule refers to but does not hold: the shop's zone, the declared attributes, the segments. Read when asked."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from crm_plugin import contacts, merchant
from crm_plugin.audience.models import Segment, SegmentState
from crm_plugin.contacts import Attribute


@dataclass(frozen=True, slots=True)
class KnownSegment:
    """A segment that a rule names. ``definition`` is the rule of a live one."""

    pk: int
    name: str
    is_archived: bool
    definition: Any | None


def _known(row: Segment) -> KnownSegment:
    definition = row.version.definition if row.version is not None else None
    return KnownSegment(row.pk, row.name, row.state == SegmentState.ARCHIVED, definition)


class Known:
    """Everything is read once, at the first question; one object lives as long as one compilation."""

    def __init__(self) -> None:
        self._segments: dict[int, KnownSegment | None] = {}

    @cached_property
    def zone(self) -> ZoneInfo:
        """The zone in which days begin and clocks strike."""
        return merchant.zone()

    @cached_property
    def attributes(self) -> Mapping[str, str]:
        """The kinds of the attributes that the merchant declared, by name."""
        return {one.name: one.kind for one in self._declared}

    @property
    def labels(self) -> Mapping[str, str]:
        """What the merchant calls the declared attributes; empty when they have no other name."""
        return {one.name: one.label for one in self._declared}

    @cached_property
    def _declared(self) -> Sequence[Attribute]:
        return contacts.attributes()

    def segment(self, pk: int) -> KnownSegment | None:
        """Return a segment; None when there is none with this id."""
        return self.segments([pk])[pk]

    def segments(self, pks: Collection[int]) -> Mapping[int, KnownSegment | None]:
        """Return segments, read at once; None for an id that there is none with."""
        if missing := [pk for pk in pks if pk not in self._segments]:
            self._segments.update(dict.fromkeys(missing))
            rows = Segment.objects.filter(pk__in=missing).select_related("version")
            self._segments.update({row.pk: _known(row) for row in rows})
        return {pk: self._segments[pk] for pk in pks}
