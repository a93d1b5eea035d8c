"""Campaigns: what a merchant creates, runs and measures."""

from __future__ import annotations

from typing import Any, Self

import graphene

from crm_plugin import automations
from crm_plugin.automations import Campaign, CampaignState
from crm_plugin.errors import InvalidInput
from crm_plugin.graphql.access import Caller, admits
from crm_plugin.graphql.arguments import refuse_naive, row_key
from crm_plugin.graphql.campaign_statistics import CrmCampaignStatistics, told
from crm_plugin.graphql.enums import CrmEnum
from crm_plugin.graphql.loaders import beside, loaders
from crm_plugin.graphql.mutation import CrmMutation, result
from crm_plugin.graphql.pagination import Page, list_field, page_of_rows
from crm_plugin.graphql.rows import Row, RowChange, row_field, row_id
from crm_plugin.graphql.scalars import JSON, DateTime
from crm_plugin.shop import Actor


class CrmCampaignState(CrmEnum):
    """The life of a campaign. One that was created does not run: publishing starts it."""

    class Meta:
        enum = CampaignState
        words = {
            CampaignState.DRAFT: "Never published: it does not run.",
            CampaignState.RUNNING: "People enter, and messages are sent.",
            CampaignState.PAUSED: "Nobody enters, nothing is sent, everybody stays where they are.",
            CampaignState.ENDED: "Over, by its period or by hand; whoever was in flight exited.",
            CampaignState.ARCHIVED: "Deleted, and kept for its history; it can be cloned.",
        }


def _definition(campaign: Campaign, _info: Any) -> Any:
    return campaign.draft


def _version(campaign: Campaign, _info: Any) -> int | None:
    return campaign.version.number if campaign.version is not None else None


def _has_unpublished_changes(campaign: Campaign, _info: Any) -> bool:
    return campaign.version is None or campaign.version.definition != campaign.draft


def _statistics(campaign: Campaign, info: Any) -> Any:
    return loaders(info).statistics.load(campaign.pk).then(told)


class CrmCampaign(Row):
    """What a merchant creates, runs and measures."""

    name = graphene.String(required=True, description="What the merchant calls it.")
    state = CrmCampaignState(required=True, description="Whether it runs.")
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
        required=True,
        resolver=beside("in_flight"),
        description="People on their way through it now, whatever their version.",
    )
    statistics = graphene.Field(
        CrmCampaignStatistics, required=True, resolver=_statistics, description="What became of its people."
    )
    starts_at = DateTime(description="Nobody enters, and nothing is sent, before this moment.")
    ends_at = DateTime(description="Nobody enters, and nothing is sent, from this moment on.")
    running_since = DateTime(description="When it last began to run; what happened before starts nothing.")
    created_at = DateTime(required=True, description="When it was first saved.")
    updated_at = DateTime(required=True, description="When the campaign, or its state, last changed.")


class CrmCampaignConnection(Page, node=CrmCampaign):
    """A page of campaigns, newest first."""


@admits(Caller.VIEWER)
def _campaigns(_actor: Actor, _info: Any, *, state: str | None = None, **page: Any) -> Any:
    rows = automations.campaigns()
    if state is not None:
        rows = rows.filter(state=state)
    return page_of_rows(CrmCampaignConnection, rows, **page)


class CampaignQueries(graphene.ObjectType):
    """Root fields that read campaigns."""

    crm_campaigns = list_field(
        CrmCampaignConnection,
        description="Campaigns, newest first. Requires view_crm.",
        resolver=_campaigns,
        state=CrmCampaignState(description="Only those in this state."),
    )
    crm_campaign = row_field(
        CrmCampaign,
        automations.campaigns,
        description="One campaign; null when there is none with this id. Requires view_crm.",
    )


class CrmCampaignCreateInput(graphene.InputObjectType):
    """A new campaign: give either a definition or the name of a recipe."""

    name = graphene.String(required=True, description="1 to 120 characters.")
    definition = JSON(description="Trigger, exit conditions, steps.")
    recipe = graphene.String(description="Name of a ready-made definition to start from, such as liked_price_drop.")
    starts_at = DateTime(description="Nobody enters before it; left out: with the first publishing.")
    ends_at = DateTime(description="Over from this moment on; left out: no end.")


class CrmCampaignUpdateInput(graphene.InputObjectType):
    """What to change. What is left out stays; null takes a moment away."""

    name = graphene.String(description="1 to 120 characters.")
    definition = JSON(description="Takes effect with the next publishing.")
    starts_at = DateTime(description="Nobody enters before it; null: at once.")
    ends_at = DateTime(description="Over from this moment on; null: no end.")


_MOMENTS = ("starts_at", "ends_at")


def _created(*, definition: dict[str, Any] | None = None, recipe: str | None = None, **more: Any) -> Campaign:
    if definition is not None and recipe is None:
        return automations.create_campaign(definition=definition, **more)
    if recipe is not None and definition is None:
        return automations.create_from_recipe(recipe, **more)
    raise InvalidInput("Give either a definition or a recipe.", field="definition", code="REQUIRED")


class CrmCampaignCreate(CrmMutation, caller=Caller.MANAGER):
    """Create a campaign; it does not run before it is published. Requires manage_crm."""

    campaign = result(CrmCampaign)

    class Arguments:
        input = CrmCampaignCreateInput(required=True, description="What it is called, and what it does.")

    @classmethod
    def perform(cls, _actor: Actor, *, input: dict[str, Any]) -> Self:
        """Create it from the definition or from the recipe."""
        refuse_naive(input, _MOMENTS)
        return cls(campaign=_created(**input))


class CrmCampaignUpdate(CrmMutation, caller=Caller.MANAGER):
    """Change a campaign. People in flight stay on the version they entered. Requires manage_crm."""

    campaign = result(CrmCampaign)

    class Arguments:
        id = row_id("CrmCampaign")
        input = CrmCampaignUpdateInput(required=True, description="What is to be different.")

    @classmethod
    def perform(cls, _actor: Actor, *, id: str, input: dict[str, Any]) -> Self:
        """Change what was given."""
        changes = dict(input)
        refuse_naive(changes, _MOMENTS)
        return cls(campaign=automations.update_campaign(row_key("CrmCampaign", id, field="id"), **changes))


class CampaignChange(RowChange, abstract=True):
    """A mutation that does one thing to one campaign."""

    kind, answer = "CrmCampaign", "campaign"
    campaign = result(CrmCampaign)


class CrmCampaignPublish(CampaignChange, caller=Caller.MANAGER):
    """Freeze the definition into a version and run it. Requires manage_crm."""

    change = staticmethod(automations.publish)


class CrmCampaignPause(CampaignChange, caller=Caller.MANAGER):
    """Let nobody enter and send nothing until it goes on; everybody stays where they are. Requires manage_crm."""

    change = staticmethod(automations.pause)


def _deleted(pk: int) -> Campaign:
    campaign = automations.delete_campaign(pk)
    campaign.pk = pk  # Django blanks the key of a deleted row; the client knows it by its id
    return campaign


class CrmCampaignDelete(CampaignChange, caller=Caller.MANAGER):
    """Delete a draft; archive a campaign that has a history. One that runs is refused. Requires manage_crm."""

    campaign = graphene.Field(CrmCampaign, description="As it was last; archived when it has a history.")
    change = staticmethod(_deleted)


class CampaignMutations(graphene.ObjectType):
    """Root fields that change campaigns."""

    crm_campaign_create = CrmCampaignCreate.Field()
    crm_campaign_update = CrmCampaignUpdate.Field()
    crm_campaign_publish = CrmCampaignPublish.Field()
    crm_campaign_pause = CrmCampaignPause.Field()
    crm_campaign_delete = CrmCampaignDelete.Field()
