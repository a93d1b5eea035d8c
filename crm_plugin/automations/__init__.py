"""Campaigns and their runs: what a merchant sets up, who enters it, and how each person moves through it.

This room decides who gets a message and when; it never talks to a provider (``messaging`` does) and never asks the shop
anything itself. Start reading in ``definition`` (what a campaign can say), then ``matching`` and ``stepping``.
"""

from crm_plugin.automations.campaigns import (
    UNSET,
    campaigns,
    create_campaign,
    delete_campaign,
    end_campaigns,
    in_flight,
    pause,
    publish,
    update_campaign,
)
from crm_plugin.automations.definition import Definition
from crm_plugin.automations.exiting import recheck
from crm_plugin.automations.matching import fan_out, match, plan_fan_out
from crm_plugin.automations.models import Campaign, CampaignState
from crm_plugin.automations.ownership import absorb, forget
from crm_plugin.automations.recipes import recipe, recipe_names
from crm_plugin.automations.scheduling import plan_slots, run_slot
from crm_plugin.automations.stepping import advance, go_on, items_of

__all__ = [
    "UNSET",
    "Campaign",
    "CampaignState",
    "Definition",
    "absorb",
    "advance",
    "campaigns",
    "create_campaign",
    "delete_campaign",
    "end_campaigns",
    "fan_out",
    "forget",
    "go_on",
    "in_flight",
    "items_of",
    "match",
    "pause",
    "plan_fan_out",
    "plan_slots",
    "publish",
    "recheck",
    "recipe",
    "recipe_names",
    "run_slot",
    "update_campaign",
]
