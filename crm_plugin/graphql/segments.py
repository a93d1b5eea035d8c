"""Segments: audiences with a name. A live one is a rule and follows by itself, a static one is what was put in."""

from __future__ import annotations

from typing import Any, Self

import graphene
from graphene.relay import Connection, Node

from crm_plugin import audience, automations
from crm_plugin.audience import Segment, SegmentKind, SegmentState
from crm_plugin.errors import InvalidInput
from crm_plugin.graphql.access import Caller, admits
from crm_plugin.graphql.arguments import row_key
from crm_plugin.graphql.loaders import Rule, loaders
from crm_plugin.graphql.members import members_field
from crm_plugin.graphql.mutation import CrmMutation
from crm_plugin.graphql.pagination import list_field, page_of_rows
from crm_plugin.graphql.scalars import JSON, DateTime
from crm_plugin.shop import Actor


class CrmSegmentKind(graphene.Enum):
    """Live: a rule, whose members are computed and follow. Static: a list, made by hand or by import."""

    class Meta:
        enum = SegmentKind


class CrmSegmentState(graphene.Enum):
    """Building: the members of the present rule are not all there yet; those of the one before still are."""

    class Meta:
        enum = SegmentState


def _definition(segment: Segment, _info: Any) -> Any:
    return segment.version.definition if segment.version is not None else None


def _version(segment: Segment, _info: Any) -> int | None:
    return segment.version.number if segment.version is not None else None


def _summary(segment: Segment, info: Any, *, language: str | None = None) -> Any:
    if segment.version is None:
        return None
    return loaders(info).sentence.load(Rule(segment.version.pk, language, segment.version.definition))


class CrmSegment(graphene.ObjectType):
    """An audience with a name."""

    name = graphene.String(required=True)
    kind = CrmSegmentKind(required=True)
    state = CrmSegmentState(required=True)
    definition = JSON(resolver=_definition, description="The rule; null: a static list.")
    version = graphene.Int(resolver=_version, description="Number of the rule in force; null: a static list.")
    summary = graphene.String(
        resolver=_summary,
        description="The rule in a plain sentence; null: a static list.",
        language=graphene.String(description="`en` or `ko`; the merchant's own when left out."),
    )
    members_count = graphene.Int(required=True)
    members = members_field()
    built_at = DateTime(description="When all members were last computed from nothing.")
    error = graphene.String(required=True, description="Why the last build failed; empty when it did not.")
    created_at = DateTime(required=True)
    updated_at = DateTime(required=True)

    class Meta:
        interfaces = (Node,)


class CrmSegmentConnection(Connection):
    """A page of segments, newest first."""

    class Meta:
        node = CrmSegment


@admits(Caller.VIEWER)
def _segments(_actor: Actor, _info: Any, *, kind: str | None = None, state: str | None = None, **page: Any) -> Any:
    rows = audience.segments()
    rows = rows.exclude(state=SegmentState.ARCHIVED) if state is None else rows.filter(state=state)
    if kind is not None:
        rows = rows.filter(kind=kind)
    return page_of_rows(CrmSegmentConnection, rows, **page)


@admits(Caller.VIEWER)
def _segment(_actor: Actor, _info: Any, *, id: str) -> Segment | None:
    return audience.segments().filter(pk=row_key("CrmSegment", id, field="id")).first()


class SegmentQueries(graphene.ObjectType):
    """Root fields that read segments."""

    crm_segments = list_field(
        CrmSegmentConnection,
        description="Segments, newest first; archived ones only when asked for. Requires view_crm.",
        resolver=_segments,
        kind=CrmSegmentKind(description="Only those of this kind."),
        state=CrmSegmentState(description="Only those in this state."),
    )
    crm_segment = graphene.Field(
        CrmSegment,
        description="One segment; null when there is none with this id. Requires view_crm.",
        resolver=_segment,
        id=graphene.ID(required=True),
    )


class CrmSegmentCreateInput(graphene.InputObjectType):
    """A new segment."""

    name = graphene.String(required=True)
    definition = JSON(description="Who: `include` and `exclude`. Left out: a static list, to be filled.")


class CrmSegmentUpdateInput(graphene.InputObjectType):
    """What to change; what is left out stays."""

    name = graphene.String()
    definition = JSON(description="A new rule, of a live segment; its members are computed in the background.")


class CrmSegmentCreate(CrmMutation):
    """Save an audience under a name. Requires manage_crm."""

    segment = graphene.Field(CrmSegment)

    class Arguments:
        input = CrmSegmentCreateInput(required=True)

    class Meta:
        caller = Caller.MANAGER

    @classmethod
    def perform(cls, _actor: Actor, *, input: dict[str, Any]) -> Self:
        """Create it; with a rule, its members are computed in the background."""
        return cls(segment=audience.create_segment(input["name"], input.get("definition")))


class CrmSegmentUpdate(CrmMutation):
    """Rename a segment, or give it another rule: the members stay until the new ones are known. Requires manage_crm."""

    segment = graphene.Field(CrmSegment)

    class Arguments:
        id = graphene.ID(required=True)
        input = CrmSegmentUpdateInput(required=True)

    class Meta:
        caller = Caller.MANAGER

    @classmethod
    def perform(cls, _actor: Actor, *, id: str, input: dict[str, Any]) -> Self:
        """Change what was given."""
        pk = row_key("CrmSegment", id, field="id")
        return cls(segment=audience.update_segment(pk, name=input.get("name"), rule=input.get("definition")))


class CrmSegmentArchive(CrmMutation):
    """Put a segment away: it follows no longer, and its name is free again. Requires manage_crm."""

    segment = graphene.Field(CrmSegment)

    class Arguments:
        id = graphene.ID(required=True)

    class Meta:
        caller = Caller.MANAGER

    @classmethod
    def perform(cls, _actor: Actor, *, id: str) -> Self:
        """Archive it, unless a campaign would lose its audience."""
        pk = row_key("CrmSegment", id, field="id")
        if (campaign := automations.campaign_naming("segment", pk)) is not None:
            message = f"The campaign {campaign!r} uses this segment; change that first."
            raise InvalidInput(message, field="id", code="IN_USE")
        return cls(segment=audience.archive_segment(pk))


class CrmSegmentRestore(CrmMutation):
    """Take an archived live segment back; its members are computed anew. Requires manage_crm."""

    segment = graphene.Field(CrmSegment)

    class Arguments:
        id = graphene.ID(required=True)

    class Meta:
        caller = Caller.MANAGER

    @classmethod
    def perform(cls, _actor: Actor, *, id: str) -> Self:
        """Restore it."""
        return cls(segment=audience.restore_segment(row_key("CrmSegment", id, field="id")))


class SegmentMutations(graphene.ObjectType):
    """Root fields that change segments."""

    crm_segment_create = CrmSegmentCreate.Field()
    crm_segment_update = CrmSegmentUpdate.Field()
    crm_segment_archive = CrmSegmentArchive.Field()
    crm_segment_restore = CrmSegmentRestore.Field()
