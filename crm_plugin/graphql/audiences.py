"""An audience before it is used: how many, who can be reached, and why a person is in it or not.

These are queries whose input is a definition in the making, so what is wrong with it is told like that of a mutation:
in ``errors``, by its place.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import graphene

from crm_plugin import audience, contacts, ids
from crm_plugin.audience import Explanation
from crm_plugin.errors import InvalidInput
from crm_plugin.graphql.access import Caller, admits
from crm_plugin.graphql.answers import answered, errors_field
from crm_plugin.graphql.arguments import contact_named
from crm_plugin.graphql.contacts import CrmChannel, CrmContact
from crm_plugin.graphql.mutation import CrmMutation
from crm_plugin.graphql.rows import row_id
from crm_plugin.graphql.rules import audience_arguments, language_argument, language_of, rule_of
from crm_plugin.shop import Actor

#: The contacts that a preview shows, and the most of them.
USUALLY_SAMPLED = 10
MOST_SAMPLED = 50
_LONGEST_REQUEST_ID = 100


class CrmReachable(graphene.ObjectType):
    """How many of an audience can be reached through one channel: address, consent, not blocked."""

    channel = CrmChannel(required=True, description="How they would be reached.")
    count = graphene.Int(required=True, description="People.")


class CrmAudiencePreview(graphene.ObjectType):
    """What an audience is at this moment. Everything is null when it was refused."""

    count = graphene.Int(description="People in it: on the same data, exactly those whom a campaign would enrol.")
    reachable = graphene.List(graphene.NonNull(CrmReachable), description="How many of them each channel reaches.")
    sample = graphene.List(graphene.NonNull(CrmContact), description="Some of them, the contacts made last first.")
    summary = graphene.String(description="The audience in a plain sentence.")
    warnings = graphene.List(graphene.NonNull(graphene.String), description="What is allowed but hardly meant.")
    seconds = graphene.Float(description="How long it took to count.")
    errors = errors_field()


@admits(Caller.VIEWER)
def _preview(
    actor: Actor,
    _info: Any,
    *,
    sample: int | None = None,
    request_id: str | None = None,
    language: str | None = None,
    **of: Any,
) -> CrmAudiencePreview:
    def body() -> CrmAudiencePreview:
        wanted = USUALLY_SAMPLED if sample is None else sample
        if not 0 <= wanted <= MOST_SAMPLED:
            raise InvalidInput(f"`sample` is between 0 and {MOST_SAMPLED}.", field="sample")
        rule = rule_of(**of)
        name = _name(actor, request_id) if request_id else ""
        words = language_of(language)
        found = audience.preview(rule, sample=wanted, name=name, language=words)
        rows = contacts.contacts().in_bulk(found.sample)
        return CrmAudiencePreview(
            count=found.count,
            reachable=[CrmReachable(channel=channel, count=count) for channel, count in found.reachable.items()],
            sample=[rows[pk] for pk in found.sample if pk in rows],
            summary=audience.describe(rule, words),
            warnings=list(found.warnings),
            seconds=found.seconds,
        )

    return answered(CrmAudiencePreview, body)


def _name(actor: Actor, request_id: str) -> str:
    """Return the name under which the preview runs: nobody else can make it, so nobody else can stop it."""
    if len(request_id) > _LONGEST_REQUEST_ID:
        raise InvalidInput(f"At most {_LONGEST_REQUEST_ID} characters.", field="request_id")
    return ids.digest("preview", f"{actor.app_id}\0{actor.customer_id}\0{request_id}")[:32]


class CrmExplanationLine(graphene.ObjectType):
    """One condition of an audience, as a line of an indented list."""

    depth = graphene.Int(required=True, description="0: the audience as a whole.")
    sentence = graphene.String(required=True, description="The condition, in the language asked for.")
    holds = graphene.Boolean(required=True, description="Whether it is true of the person.")


class CrmAudienceExplanation(graphene.ObjectType):
    """Why a person is in an audience, or not. Everything is null when it was refused."""

    holds = graphene.Boolean(description="Whether the person is in it.")
    lines = graphene.List(
        graphene.NonNull(CrmExplanationLine), description="Every condition, each before those inside it."
    )
    errors = errors_field()


@admits(Caller.VIEWER)
def _explain(
    _actor: Actor, _info: Any, *, contact: str, language: str | None = None, **of: Any
) -> CrmAudienceExplanation:
    def body() -> CrmAudienceExplanation:
        pk = contact_named(contact, field="contact").pk
        found = audience.explain(rule_of(**of), pk, language=language_of(language))
        return CrmAudienceExplanation(holds=found.holds, lines=list(_lines(found)))

    return answered(CrmAudienceExplanation, body)


def _lines(found: Explanation, depth: int = 0) -> Iterator[CrmExplanationLine]:
    yield CrmExplanationLine(depth=depth, sentence=found.sentence, holds=found.holds)
    for child in found.children:
        yield from _lines(child, depth + 1)


class AudienceQueries(graphene.ObjectType):
    """Root fields about an audience before it is used."""

    crm_audience_preview = graphene.Field(
        CrmAudiencePreview,
        description="How many an audience is, without using it. Requires view_crm.",
        resolver=_preview,
        request_id=graphene.String(description="A word of the client's own, to cancel it by while it counts."),
        sample=graphene.Int(default_value=USUALLY_SAMPLED, description=f"Contacts to show, at most {MOST_SAMPLED}."),
        language=language_argument(),
        **audience_arguments(),
    )
    crm_audience_explain = graphene.Field(
        CrmAudienceExplanation,
        description="Why a person is in an audience, or not. Requires view_crm.",
        resolver=_explain,
        contact=row_id("CrmContact"),
        language=language_argument(),
        **audience_arguments(),
    )


class CrmAudiencePreviewCancel(CrmMutation, caller=Caller.VIEWER):
    """Stop a preview of the caller's own that is still counting; it answers CANCELLED. Requires view_crm."""

    is_cancelled = graphene.Boolean(description="False: none with this word was counting.")

    class Arguments:
        request_id = graphene.String(required=True, description="The word given to the preview.")

    @classmethod
    def perform(cls, actor: Actor, *, request_id: str) -> Self:
        """Stop it."""
        return cls(is_cancelled=audience.cancel(_name(actor, request_id)))


class AudienceMutations(graphene.ObjectType):
    """Root fields that steer a preview."""

    crm_audience_preview_cancel = CrmAudiencePreviewCancel.Field()
