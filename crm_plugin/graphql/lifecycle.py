"""The life of a campaign: what publishing would do, going on, ending, copying, and moving the people in it."""

from __future__ import annotations

from typing import Any, Self

import graphene

from crm_plugin import automations
from crm_plugin.automations import PublishPreview
from crm_plugin.errors import InvalidInput, NotFound
from crm_plugin.graphql.access import Caller, admits
from crm_plugin.graphql.arguments import row_key
from crm_plugin.graphql.campaign_statistics import CrmStanding
from crm_plugin.graphql.campaigns import CampaignChange, CrmCampaign
from crm_plugin.graphql.errors import CrmError, as_payload
from crm_plugin.graphql.mutation import CrmMutation, result
from crm_plugin.graphql.rows import row_id
from crm_plugin.graphql.rules import language_of
from crm_plugin.shop import Actor

#: A definition has no more steps than this.
MAX_MAPPED = 100


class CrmStepRef(graphene.ObjectType):
    """A step of a definition and where it stands."""

    step_id = graphene.String(required=True, description="As the definition names it.")
    path = graphene.String(required=True, description="Where it is in the definition, such as `steps.2.then.0`.")


class CrmInFlight(graphene.ObjectType):
    """How many people stand at a step now; publishing leaves them on their version."""

    standing = graphene.Field(CrmStanding, required=True, description="Which step of which version, and how many.")
    is_gone = graphene.Boolean(
        required=True, description="The draft has no step of this id: to move, they need one named."
    )


class CrmCampaignWarning(graphene.ObjectType):
    """What is allowed but hardly meant."""

    field = graphene.String(required=True, description="Its path in the definition, or the setting.")
    code = graphene.String(required=True, description="Closed word, such as `WITHIN_FREQUENCY_CAP`.")
    message = graphene.String(required=True, description="In the language asked for.")


def _many(kind: Any, **options: Any) -> Any:
    return graphene.List(graphene.NonNull(kind), required=True, **options)


class CrmPublishPreview(graphene.ObjectType):
    """What publishing a campaign would do at this moment."""

    version = graphene.Int(required=True, description="The number of the version that would run.")
    in_flight = _many(CrmInFlight, description="Who is on the way, by version and step.")
    added = _many(CrmStepRef, description="Steps that the version before does not have.")
    removed = _many(CrmStepRef, description="Steps that only the version before has.")
    changed = _many(CrmStepRef, description="Steps that say something else, or stand elsewhere.")
    problems = _many(CrmError, description="For each of these publishing is refused.")
    warnings = _many(CrmCampaignWarning, description="What is allowed but hardly meant.")
    audience_count = graphene.Int(
        description="People in the trigger's audience now; null: it has none, or counting took too long."
    )


@admits(Caller.VIEWER)
def _preview(_actor: Actor, _info: Any, *, id: str, language: str | None = None) -> CrmPublishPreview | None:
    words = language_of(language).partition("-")[0]
    try:
        found = automations.preview_publish(row_key("CrmCampaign", id, field="id"), language=words)
    except NotFound:
        return None
    return _told(found)


def _told(found: PublishPreview) -> CrmPublishPreview:
    return CrmPublishPreview(
        version=found.version,
        in_flight=list(found.in_flight),
        added=list(found.added),
        removed=list(found.removed),
        changed=list(found.changed),
        problems=[as_payload(problem) for problem in found.problems],
        warnings=list(found.warnings),
        audience_count=found.audience_count,
    )


class LifecycleQueries(graphene.ObjectType):
    """Root fields that look ahead in the life of a campaign."""

    crm_campaign_publish_preview = graphene.Field(
        CrmPublishPreview,
        description="What publishing would do; null when there is no campaign with this id. Requires view_crm.",
        resolver=_preview,
        id=row_id("CrmCampaign"),
        language=graphene.String(description="Of the warnings, `en` or `ko`; the merchant's when left out."),
    )


class CrmCampaignResume(CampaignChange, caller=Caller.MANAGER):
    """Go on after a pause with the version that ran, whatever has been drafted meanwhile. Requires manage_crm."""

    change = staticmethod(automations.resume)


class CrmCampaignEnd(CampaignChange, caller=Caller.MANAGER):
    """End a running or paused campaign now; whoever is in flight exits. Requires manage_crm."""

    change = staticmethod(automations.end_campaign)


class CrmCampaignClone(CrmMutation, caller=Caller.MANAGER):
    """Make a new draft that says the same, whatever the state of the campaign. Requires manage_crm."""

    campaign = graphene.Field(CrmCampaign, description="The copy.")

    class Arguments:
        id = row_id("CrmCampaign")
        name = graphene.String(description='Of the copy; "Copy of …" when left out.')

    @classmethod
    def perform(cls, _actor: Actor, *, id: str, name: str | None = None) -> Self:
        """Copy it."""
        return cls(campaign=automations.clone_campaign(row_key("CrmCampaign", id, field="id"), name=name or ""))


class CrmStepMove(graphene.InputObjectType):
    """Whoever stands at one step goes on at another."""

    from_step = graphene.String(required=True, description="The id of a step of an older version.")
    to_step = graphene.String(required=True, description="The id of a step of the version that runs.")


class CrmCampaignMoveInFlight(CrmMutation, caller=Caller.MANAGER):
    """Move people from older versions to the one that runs; call again until movedCount is 0. Requires manage_crm.

    Without a choice a run goes to the step of its own id, or stays where it is. Nobody does a step twice.
    """

    campaign = result(CrmCampaign)
    moved_count = graphene.Int(description="How many this call moved.")
    stayed_count = graphene.Int(description="How many are on older versions still.")

    class Arguments:
        id = row_id("CrmCampaign")
        mapping = graphene.List(graphene.NonNull(CrmStepMove), description="For steps that have another id now.")

    @classmethod
    def perform(cls, _actor: Actor, *, id: str, mapping: list[dict[str, str]] | None = None) -> Self:
        """Move a bounded number of people."""
        pk = row_key("CrmCampaign", id, field="id")
        found = automations.move_in_flight(pk, mapping=_mapping(mapping or []))
        return cls(campaign=automations.campaigns().get(pk=pk), moved_count=found.moved, stayed_count=found.stayed)


def _mapping(moves: list[dict[str, str]]) -> dict[str, str]:
    """Return the choices by the step that is left.

    Raises:
        InvalidInput: when there are too many, or two for one step.
    """
    if len(moves) > MAX_MAPPED:
        raise InvalidInput(f"Name {MAX_MAPPED} steps at most.", field="mapping", code="LIMIT")
    found = {one["from_step"]: one["to_step"] for one in moves}
    if len(found) != len(moves):
        raise InvalidInput("Name each step once.", field="mapping", code="UNIQUE")
    return found


class LifecycleMutations(graphene.ObjectType):
    """Root fields that change the state of a campaign, or who is where in it."""

    crm_campaign_resume = CrmCampaignResume.Field()
    crm_campaign_end = CrmCampaignEnd.Field()
    crm_campaign_clone = CrmCampaignClone.Field()
    crm_campaign_move_in_flight = CrmCampaignMoveInFlight.Field()
