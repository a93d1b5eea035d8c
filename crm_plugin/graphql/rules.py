"""Which audience a field is asked about: a definition as the merchant is writing it, or a saved segment."""

from __future__ import annotations

from typing import Any

import graphene

from crm_plugin import audience, merchant
from crm_plugin.audience import AudienceRule, SegmentState
from crm_plugin.errors import InvalidInput
from crm_plugin.graphql.arguments import row_key
from crm_plugin.graphql.scalars import JSON


def audience_arguments() -> dict[str, Any]:
    """Return the two arguments of which a caller gives one."""
    return {
        "definition": JSON(description="Who: `include` and `exclude`, as in docs/api.md. Or `segment`."),
        "segment": graphene.ID(description="A CrmSegment. Or `definition`."),
    }


def language_argument() -> Any:
    """Return the argument that names the language of sentences for a merchant (``language_of``)."""
    return graphene.String(description="`en` or `ko`; the merchant's own when left out.")


def rule_of(*, definition: Any = None, segment: str | None = None) -> AudienceRule:
    """Return the rule that the arguments name.

    Raises:
        InvalidInput: naming the argument, or the place in the definition, that is wrong.
    """
    if (definition is None) == (segment is None):
        raise InvalidInput("Give either a definition or a segment.", field="definition", code="REQUIRED")
    if segment is None:
        return AudienceRule.parse(definition, field="definition")
    found = audience.segments().filter(pk=row_key("CrmSegment", segment, field="segment")).first()
    if found is None:
        raise InvalidInput("There is no such segment.", field="segment", code="NOT_FOUND")
    if found.state == SegmentState.ARCHIVED:
        raise InvalidInput("The segment is archived.", field="segment", code="IS_ARCHIVED")
    if found.version is not None:
        return AudienceRule.parse(found.version.definition, field="segment", segment_id=found.pk)
    return AudienceRule.parse({"include": {"type": "segment", "segment": found.pk}}, field="segment")


def language_of(given: str | None) -> str:
    """Return the language to answer a merchant in: the one asked for, else the merchant's own."""
    return given or merchant.load().default_language
