"""Segments: creating, editing, archiving, restoring, and what may be asked about them.

Saving a rule computes nothing: the segment is ``building`` until a worker has computed its members. Rules are saved one
at a time, so that no two of them can come to name each other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any, Final

from django.db import transaction
from django.db.models import Max, QuerySet

from crm_plugin import clock, nudge
from crm_plugin.audience import nesting
from crm_plugin.audience.locks import Lock, take
from crm_plugin.audience.models import Member, Segment, SegmentKind, SegmentState, SegmentVersion
from crm_plugin.audience.rule import AudienceRule
from crm_plugin.errors import InvalidInput, NotFound

#: Every one of them is asked about everybody who does something.
MAX_LIVE: Final = 500


def segments() -> QuerySet[Segment]:
    """Return every segment, for lists; archived ones too."""
    return Segment.objects.select_related("version")


def members(pk: int) -> QuerySet[Member]:
    """Return who is in a segment, for lists."""
    return Member.objects.filter(segment_id=pk)


def segments_of(contact_ids: Collection[int]) -> Mapping[int, list[Segment]]:
    """Return the segments that contacts are in, by name; who is in none is left out."""
    rows = Member.objects.filter(contact_id__in=contact_ids).exclude(segment__state=SegmentState.ARCHIVED)
    found: defaultdict[int, list[Segment]] = defaultdict(list)
    for row in rows.select_related("segment__version").order_by("segment__name", "segment_id"):
        found[row.contact_id].append(row.segment)
    return dict(found)


@transaction.atomic
def create_segment(name: str, rule: Any | None = None, *, field: str = "definition") -> Segment:
    """Save an audience under a name; its members are computed in the background.

    Args:
        name: 1 to 120 characters, no other segment's.
        rule: a definition as a merchant saves it; None makes a static list.
        field: what the client calls the rule, for errors.

    Raises:
        InvalidInput: with the path of the wrong field; nothing is saved.
    """
    take(Lock.DEFINITIONS)
    cleaned, now = _clean_name(name), clock.now()
    if rule is None:
        return Segment.objects.create(
            name=cleaned, kind=SegmentKind.STATIC, state=SegmentState.READY, created_at=now, updated_at=now
        )
    parsed = AudienceRule.parse(rule, field=field)
    if len(nesting.saved_rules()) >= MAX_LIVE:
        raise InvalidInput(f"There are {MAX_LIVE} live segments already; archive one first.", code="LIMIT")
    segment = Segment.objects.create(
        name=cleaned, kind=SegmentKind.LIVE, state=SegmentState.BUILDING, created_at=now, updated_at=now
    )
    segment.version = _new_version(segment, parsed)
    segment.save(update_fields=("version",))
    nudge.after_commit("crm.audience")
    return segment


@transaction.atomic
def update_segment(pk: int, *, name: str | None = None, rule: Any | None = None, field: str = "definition") -> Segment:
    """Rename a segment, or give it another rule. The members stay until those of the new rule are known.

    A segment that names this one is computed again too. What the edit itself changes is told to nobody as joining or
    leaving.

    Raises:
        InvalidInput, NotFound
    """
    take(Lock.DEFINITIONS)
    segment = _locked(pk)
    if name is not None:
        segment.name = _clean_name(name, owner=pk)
    if rule is not None:
        _edit(segment, rule, field=field)
    segment.updated_at = clock.now()
    segment.save(update_fields=("name", "version", "state", "built_at", "error", "updated_at"))
    return segment


@transaction.atomic
def archive_segment(pk: int) -> Segment:
    """Put a segment away: it follows no longer, its name is free, and its members go in the background.

    Whether a campaign uses it is the caller's to ask.

    Raises:
        InvalidInput: when the rule of another segment names it.
    """
    take(Lock.DEFINITIONS)
    segment = _locked(pk)
    users = [saved.name for saved in nesting.saved_rules().values() if pk in saved.named and saved.pk != pk]
    if users:
        raise InvalidInput(f"The segment {users[0]!r} uses this one; change that first.", field="id", code="IN_USE")
    segment.state, segment.error, segment.updated_at = SegmentState.ARCHIVED, "", clock.now()
    segment.save(update_fields=("state", "error", "updated_at"))
    nudge.after_commit("crm.audience")
    return segment


@transaction.atomic
def restore_segment(pk: int) -> Segment:
    """Take an archived live segment back; its members are computed anew. Those of a list are gone.

    Raises:
        InvalidInput, NotFound
    """
    take(Lock.DEFINITIONS)
    segment = _locked(pk, is_archived=True)
    if segment.version is None:
        raise InvalidInput("A list cannot be restored: its members are gone.", field="id")
    AudienceRule.parse(segment.version.definition, field="definition", segment_id=pk)
    segment.name = _clean_name(segment.name, owner=pk)
    segment.state, segment.built_at, segment.updated_at = SegmentState.BUILDING, None, clock.now()
    segment.save(update_fields=("state", "built_at", "updated_at"))
    nudge.after_commit("crm.audience")
    return segment


def _locked(pk: int, *, is_archived: bool = False) -> Segment:
    rows = Segment.objects.select_for_update(no_key=True, of=("self",)).select_related("version")
    segment = rows.filter(pk=pk).first()
    if segment is None:
        raise NotFound("There is no such segment.")
    if is_archived and segment.state != SegmentState.ARCHIVED:
        raise InvalidInput("The segment is not archived.", field="id")
    if not is_archived and segment.state == SegmentState.ARCHIVED:
        raise InvalidInput("The segment is archived; restore it first.", field="id", code="IS_ARCHIVED")
    return segment


def _clean_name(name: str, *, owner: int = 0) -> str:
    cleaned = name.strip()
    if not 1 <= len(cleaned) <= 120 or "\0" in cleaned:
        raise InvalidInput("A name has 1 to 120 characters.", field="name", code="REQUIRED")
    if Segment.objects.filter(name=cleaned).exclude(state=SegmentState.ARCHIVED).exclude(pk=owner).exists():
        raise InvalidInput("Another segment has this name.", field="name", code="UNIQUE")
    return cleaned


def _edit(segment: Segment, rule: Any, *, field: str) -> None:
    if segment.kind != SegmentKind.LIVE:
        raise InvalidInput("A static list has no rule; make a live segment instead.", field=field)
    parsed = AudienceRule.parse(rule, field=field, segment_id=segment.pk)
    if segment.version is not None and segment.version.definition == parsed.to_json():
        return
    segment.version = _new_version(segment, parsed)
    segment.state, segment.built_at, segment.error = SegmentState.BUILDING, None, ""
    _rebuild_users(segment)
    nudge.after_commit("crm.audience")


def _rebuild_users(segment: Segment) -> None:
    """Have the segments that stand on an edited one built again, and refuse the edit when one no longer could be."""
    Segment.objects.filter(pk=segment.pk).update(version=segment.version)  # what the others are checked against
    users = nesting.standing_on(segment.pk, among=nesting.saved_rules())
    for user in users:
        try:
            AudienceRule.parse(user.definition, segment_id=user.pk)
        except InvalidInput as error:
            message = f"The segment {user.name!r} uses this one, and would be wrong: {error.message}"
            raise InvalidInput(message, field="definition", code=error.code) from error
    Segment.objects.filter(pk__in=[user.pk for user in users]).update(
        state=SegmentState.BUILDING, built_at=None, error=""
    )


def _new_version(segment: Segment, rule: AudienceRule) -> SegmentVersion:
    last = segment.versions.aggregate(number=Max("number"))["number"] or 0
    return SegmentVersion.objects.create(
        segment=segment, number=last + 1, definition=rule.to_json(), created_at=clock.now()
    )
