"""Segments: audiences with a name. A live one is a rule and follows by itself, a static one is what was put in."""

from __future__ import annotations

from typing import Any, Self

import graphene

from crm_plugin import audience, automations
from crm_plugin.audience import Segment, SegmentKind, SegmentState
from crm_plugin.errors import InvalidInput
from crm_plugin.graphql.access import Caller, admits
from crm_plugin.graphql.arguments import row_key
from crm_plugin.graphql.enums import CrmEnum
from crm_plugin.graphql.loaders import Rule, loaders
from crm_plugin.graphql.members import members_field
from crm_plugin.graphql.mutation import CrmMutation, result
from crm_plugin.graphql.pagination import Page, list_field, page_of_rows
from crm_plugin.graphql.rows import Row, RowChange, row_field, row_id
from crm_plugin.graphql.rules import language_argument
from crm_plugin.graphql.scalars import JSON, DateTime
from crm_plugin.shop import Actor


class CrmSegmentKind(CrmEnum):
    """How a segment gets its members."""

    class Meta:
        enum = SegmentKind
        words = {
            SegmentKind.LIVE: "A rule: its members are computed, and follow by themselves.",
            SegmentKind.STATIC: "A list, made by hand, by import or by likeness.",
        }


class CrmSegmentState(CrmEnum):
    """Whether the members of a segment are all there."""

    class Meta:
        enum = SegmentState
        words = {
            SegmentState.BUILDING: "Members of the present rule are being computed; those before stay until then.",
            SegmentState.READY: "All members are there.",
            SegmentState.ARCHIVED: "Put away: it follows no longer.",
        }


def _definition(segment: Segment, _info: Any) -> Any:
    return segment.version.definition if segment.version is not None else None


def _version(segment: Segment, _info: Any) -> int | None:
    return segment.version.number if segment.version is not None else None


def _summary(segment: Segment, info: Any, *, language: str | None = None) -> Any:
    if segment.version is None:
        return None
    return loaders(info).sentence.load(Rule(segment.version.pk, language, segment.version.definition))


class CrmSegment(Row):
    """An audience with a name."""

    name = graphene.String(required=True, description="What the merchant calls it.")
    kind = CrmSegmentKind(required=True, description="Whether it is a rule or a list.")
    state = CrmSegmentState(required=True, description="Whether its members are all there.")
    definition = JSON(resolver=_definition, description="The rule; null: a static list.")
    version = graphene.Int(resolver=_version, description="Number of the rule in force; null: a static list.")
    summary = graphene.String(
        resolver=_summary,
        description="The rule in a plain sentence; null: a static list.",
        language=language_argument(),
    )
    members_count = graphene.Int(required=True, description="People in it, as last computed.")
    members = members_field()
    built_at = DateTime(description="When all members were last computed from nothing.")
    error = graphene.String(required=True, description="Why the last build failed; empty when it did not.")
    created_at = DateTime(required=True, description="When it was saved under a name.")
    updated_at = DateTime(required=True, description="When it last changed, or could not be computed.")


class CrmSegmentConnection(Page, node=CrmSegment):
    """A page of segments, newest first."""


@admits(Caller.VIEWER)
def _segments(_actor: Actor, _info: Any, *, kind: str | None = None, state: str | None = None, **page: Any) -> Any:
    rows = audience.segments()
    rows = rows.exclude(state=SegmentState.ARCHIVED) if state is None else rows.filter(state=state)
    if kind is not None:
        rows = rows.filter(kind=kind)
    return page_of_rows(CrmSegmentConnection, rows, **page)


class SegmentQueries(graphene.ObjectType):
    """Root fields that read segments."""

    crm_segments = list_field(
        CrmSegmentConnection,
        description="Segments, newest first; archived ones only when asked for. Requires view_crm.",
        resolver=_segments,
        kind=CrmSegmentKind(description="Only those of this kind."),
        state=CrmSegmentState(description="Only those in this state."),
    )
    crm_segment = row_field(
        CrmSegment,
        audience.segments,
        description="One segment; null when there is none with this id. Requires view_crm.",
    )


class CrmSegmentCreateInput(graphene.InputObjectType):
    """A new segment."""

    name = graphene.String(required=True, description="At most 120 characters, of no other segment in use.")
    definition = JSON(description="Who: `include` and `exclude`. Left out: a static list, to be filled.")


class CrmSegmentUpdateInput(graphene.InputObjectType):
    """What to change; what is left out stays."""

    name = graphene.String(description="At most 120 characters, of no other segment in use.")
    definition = JSON(description="A new rule, of a live segment; its members are computed in the background.")


class CrmSegmentCreate(CrmMutation, caller=Caller.MANAGER):
    """Save an audience under a name. Requires manage_crm."""

    segment = result(CrmSegment)

    class Arguments:
        input = CrmSegmentCreateInput(required=True, description="The name, and who is in it.")

    @classmethod
    def perform(cls, _actor: Actor, *, input: dict[str, Any]) -> Self:
        """Create it; with a rule, its members are computed in the background."""
        return cls(segment=audience.create_segment(input["name"], input.get("definition")))


class CrmSegmentUpdate(CrmMutation, caller=Caller.MANAGER):
    """Rename a segment, or give it another rule: the members stay until the new ones are known. Requires manage_crm."""

    segment = result(CrmSegment)

    class Arguments:
        id = row_id("CrmSegment")
        input = CrmSegmentUpdateInput(required=True, description="What is to be different.")

    @classmethod
    def perform(cls, _actor: Actor, *, id: str, input: dict[str, Any]) -> Self:
        """Change what was given."""
        pk = row_key("CrmSegment", id, field="id")
        return cls(segment=audience.update_segment(pk, name=input.get("name"), rule=input.get("definition")))


class _SegmentChange(RowChange, abstract=True):
    """A mutation that does one thing to one segment."""

    kind, answer = "CrmSegment", "segment"
    segment = result(CrmSegment)


def _archived(pk: int) -> Segment:
    """Archive it, unless a campaign would lose its audience."""
    if (campaign := automations.campaign_naming("segment", pk)) is not None:
        message = f"The campaign {campaign!r} uses this segment; change that first."
        raise InvalidInput(message, field="id", code="IN_USE")
    return audience.archive_segment(pk)


class CrmSegmentArchive(_SegmentChange, caller=Caller.MANAGER):
    """Put a segment away: it follows no longer, and its name is free again. Requires manage_crm."""

    change = staticmethod(_archived)


class CrmSegmentRestore(_SegmentChange, caller=Caller.MANAGER):
    """Take an archived live segment back; its members are computed anew. Requires manage_crm."""

    change = staticmethod(audience.restore_segment)


class SegmentMutations(graphene.ObjectType):
    """Root fields that change segments."""

    crm_segment_create = CrmSegmentCreate.Field()
    crm_segment_update = CrmSegmentUpdate.Field()
    crm_segment_archive = CrmSegmentArchive.Field()
    crm_segment_restore = CrmSegmentRestore.Field()
