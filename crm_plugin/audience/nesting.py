"""The saved rules, and how they name each other: which rules a rule stands on, and which stand on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from crm_plugin.audience.models import Segment, SegmentKind, SegmentState, SegmentVersion
from crm_plugin.audience.rule import AudienceRule


@dataclass(frozen=True, slots=True)
class Saved:
    """The rule in force of a live segment."""

    pk: int
    name: str
    version_id: int
    definition: Any

    @property
    def named(self) -> frozenset[int]:
        """The segments that it names."""
        return frozenset(_named_in(self.definition))


@lru_cache(maxsize=1_024)
def rule_of(version_id: int) -> AudienceRule:
    """Return the rule of a version, which never changes.

    Raises:
        InvalidInput: when it cannot be read any more.
    """
    return AudienceRule.parse(SegmentVersion.objects.values_list("definition", flat=True).get(pk=version_id))


def saved_rules() -> dict[int, Saved]:
    """Return the rules of all live segments that are not archived, by segment."""
    rows = (
        Segment.objects.filter(kind=SegmentKind.LIVE, version__isnull=False)
        .exclude(state=SegmentState.ARCHIVED)
        .order_by("pk")
        .values_list("pk", "name", "version_id", "version__definition")
    )
    return {row[0]: Saved(*row) for row in rows}


def behind(definition: Any, *, among: Mapping[int, Saved]) -> frozenset[int]:
    """Return the live segments that a rule stands on: those that it names, and those that these name."""
    found: set[int] = set()
    waiting = set(_named_in(definition))
    while waiting:
        pk = waiting.pop()
        if pk in among and pk not in found:
            found.add(pk)
            waiting |= among[pk].named
    return frozenset(found)


def standing_on(pk: int, *, among: Mapping[int, Saved]) -> list[Saved]:
    """Return the live segments whose rules stand on a segment, directly or through others."""
    return [saved for saved in among.values() if saved.pk != pk and pk in _reached(saved, among)]


def _reached(saved: Saved, among: Mapping[int, Saved]) -> set[int]:
    """Return every segment below a rule, static ones too."""
    live = behind(saved.definition, among=among)
    return {*saved.named, *live, *(named for other in live for named in among[other].named)}


def _named_in(value: Any) -> Iterator[int]:
    """Find the conditions ``{"type": "segment", "segment": 5}`` anywhere in a definition; its depth is bounded."""
    if isinstance(value, Mapping):
        if value.get("type") == "segment" and isinstance(value.get("segment"), int):
            yield value["segment"]
        for inner in value.values():
            yield from _named_in(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _named_in(inner)
