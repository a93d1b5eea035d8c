"""Campaigns: what a merchant creates, runs and measures."""

from __future__ import annotations

from typing import Any, Self

import graphene
from graphene.relay import Connection, Node

from crm_plugin import automations
from crm_plugin.automations import Campaign, CampaignState
from crm_plugin.errors import InvalidInput
from crm_plugin.graphql.access import Caller, admits
from crm_plugin.graphql.arguments import refuse_naive, row_key
from crm_plugin.graphql.campaign_statistics import CrmCampaignStatistics, told
from crm_plugin.graphql.loaders import loaders
from crm_plugin.graphql.mutation import CrmMutation
from crm_plugin.graphql.pagination import list_field, page_of_rows
from crm_plugin.graphql.scalars import JSON, DateTime
from crm_plugin.shop import Actor


class CrmCampaignState(graphene.Enum):
    """The life of a campaign. One that was created does not run: publishing starts it."""

    class Meta:
        enum = CampaignState


def _definition(campaign: Campaign, _info: Any) -> Any:
    return campaign.draft


def _version(campaign: Campaign, _info: Any) -> int | None:
    return campaign.version.number if campaign.version is not None else None


def _has_unpublished_changes(campaign: Campaign, _info: Any) -> bool:
    return campaign.version is None or campaign.version.definition != campaign.draft


def _statistics(campaign: Campaign, info: Any) -> Any:
    return loaders(info).statistics.load(campaign.pk).then(told)


def _in_flight(campaign: Campaign, info: Any) -> Any:
    return loaders(info).in_flight.load(campaign.pk)


class CrmCampaign(graphene.ObjectType):
    """What a merchant creates, runs and measures."""

    name = graphene.String(required=True)
    state = CrmCampaignState(required=True)
    pause_reason = graphene.String(
        required=True,
        description="Why it paused itself: bounce_rate or complaint_rate; empty: it did not. Cleared when it goes on.",
    )
    definition = JSON(
        required=True,
        resolver=_definition,
        description="The definition being edited: trigger, exit conditions, steps.",
    )
    version = graphene.Int(resolver=_version, description="Number of the version that runs; null: never published.")
    has_unpublished_changes = graphene.Boolean(
        required=True, resolver=_has_unpublished_changes, description="The definition is not the one that runs."
    )
    in_flight = graphene.Int(
        required=True, resolver=_in_flight, description="People on their way through it now, whatever their version."
    )
    statistics = graphene.Field(
        CrmCampaignStatistics, required=True, resolver=_statistics, description="What became of its people."
    )
    starts_at = DateTime(description="Nobody enters, and nothing is sent, before this moment.")
    ends_at = DateTime(description="Nobody enters, and nothing is sent, from this moment on.")
    running_since = DateTime(description="When it last began to run; what happened before starts nothing.")
    created_at = DateTime(required=True)
    updated_at = DateTime(required=True)

    class Meta:
        interfaces = (Node,)


class CrmCampaignConnection(Connection):
    """A page of campaigns, newest first."""

    class Meta:
        node = CrmCampaign


@admits(Caller.VIEWER)
def _campaigns(_actor: Actor, _info: Any, *, state: str | None = None, **page: Any) -> Any:
    rows = automations.campaigns()
    if state is not None:
        rows = rows.filter(state=state)
    return page_of_rows(CrmCampaignConnection, rows, **page)


@admits(Caller.VIEWER)
def _campaign(_actor: Actor, _info: Any, *, id: str) -> Campaign | None:
    return automations.campaigns().filter(pk=row_key("CrmCampaign", id, field="id")).first()


class CampaignQueries(graphene.ObjectType):
    """Root fields that read campaigns."""

    crm_campaigns = list_field(
        CrmCampaignConnection,
        description="Campaigns, newest first. Requires view_crm.",
        resolver=_campaigns,
        state=CrmCampaignState(description="Only those in this state."),
    )
    crm_campaign = graphene.Field(
        CrmCampaign,
        description="One campaign; null when there is none with this id. Requires view_crm.",
        resolver=_campaign,
        id=graphene.ID(required=True),
    )


class CrmCampaignCreateInput(graphene.InputObjectType):
    """A new campaign: give either a definition or the name of a recipe."""

    name = graphene.String(required=True)
    definition = JSON(description="Trigger, exit conditions, steps.")
    recipe = graphene.String(description="Name of a ready-made definition to start from, such as liked_price_drop.")
    starts_at = DateTime()
    ends_at = DateTime()


class CrmCampaignUpdateInput(graphene.InputObjectType):
    """What to change. What is left out stays; null takes a moment away."""

    name = graphene.String()
    definition = JSON(description="Takes effect with the next publishing.")
    starts_at = DateTime()
    ends_at = DateTime()


_MOMENTS = ("starts_at", "ends_at")


def _created(*, definition: dict[str, Any] | None = None, recipe: str | None = None, **more: Any) -> Campaign:
    if definition is not None and recipe is None:
        return automations.create_campaign(definition=definition, **more)
    if recipe is not None and definition is None:
        return automations.create_from_recipe(recipe, **more)
    raise InvalidInput("Give either a definition or a recipe.", field="definition", code="REQUIRED")


class CrmCampaignCreate(CrmMutation):
    """Create a campaign; it does not run before it is published. Requires manage_crm."""

    campaign = graphene.Field(CrmCampaign)

    class Arguments:
        input = CrmCampaignCreateInput(required=True)

    class Meta:
        caller = Caller.MANAGER

    @classmethod
    def perform(cls, _actor: Actor, *, input: dict[str, Any]) -> Self:
        """Create it from the definition or from the recipe."""
        refuse_naive(input, _MOMENTS)
        return cls(campaign=_created(**input))


class CrmCampaignUpdate(CrmMutation):
    """Change a campaign. People in flight stay on the version they entered. Requires manage_crm."""

    campaign = graphene.Field(CrmCampaign)

    class Arguments:
        id = graphene.ID(required=True)
        input = CrmCampaignUpdateInput(required=True)

    class Meta:
        caller = Caller.MANAGER

    @classmethod
    def perform(cls, _actor: Actor, *, id: str, input: dict[str, Any]) -> Self:
        """Change what was given."""
        changes = dict(input)
        refuse_naive(changes, _MOMENTS)
        return cls(campaign=automations.update_campaign(row_key("CrmCampaign", id, field="id"), **changes))


class CampaignChange(CrmMutation):
    """A mutation that does one thing to one campaign: ``change`` takes its key."""

    campaign = graphene.Field(CrmCampaign)

    class Arguments:
        id = graphene.ID(required=True)

    class Meta:
        abstract = True

    @staticmethod
    def change(campaign_id: int) -> Campaign:
        """Do it, and return the campaign as it is then."""
        raise NotImplementedError

    @classmethod
    def perform(cls, _actor: Actor, *, id: str) -> Self:
        """Do it."""
        return cls(campaign=cls.change(row_key("CrmCampaign", id, field="id")))


class CrmCampaignPublish(CampaignChange):
    """Freeze the definition into a version and run it. Requires manage_crm."""

    change = staticmethod(automations.publish)

    class Meta:
        caller = Caller.MANAGER


class CrmCampaignPause(CampaignChange):
    """Let nobody enter and send nothing until it goes on; everybody stays where they are. Requires manage_crm."""

    change = staticmethod(automations.pause)

    class Meta:
        caller = Caller.MANAGER


class CrmCampaignDelete(CrmMutation):
    """Delete a draft; archive a campaign that has a history. One that runs is refused. Requires manage_crm."""

    campaign = graphene.Field(CrmCampaign, description="As it was last; archived when it has a history.")

    class Arguments:
        id = graphene.ID(required=True)

    class Meta:
        caller = Caller.MANAGER

    @classmethod
    def perform(cls, _actor: Actor, *, id: str) -> Self:
        """Delete or archive it."""
        pk = row_key("CrmCampaign", id, field="id")
        campaign = automations.delete_campaign(pk)
        campaign.pk = pk  # Django blanks the key of a deleted row; the client knows it by its id
        return cls(campaign=campaign)


class CampaignMutations(graphene.ObjectType):
    """Root fields that change campaigns."""

    crm_campaign_create = CrmCampaignCreate.Field()
    crm_campaign_update = CrmCampaignUpdate.Field()
    crm_campaign_publish = CrmCampaignPublish.Field()
    crm_campaign_pause = CrmCampaignPause.Field()
    crm_campaign_delete = CrmCampaignDelete.Field()
