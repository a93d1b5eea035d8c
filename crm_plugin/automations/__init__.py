"""Campaigns and their runs: what a merchant sets up, who enters it, and how each person moves through it.

This room decides who gets a message and when; it never talks to a provider (``messaging`` does), and asks the shop
only about the carts and orders that runs are about. Start in
``definition`` (what a campaign can say), then ``matching`` and ``stepping``.
"""

from crm_plugin.automations.accounting import Line, explain_message, explain_one
from crm_plugin.automations.advising import Advice
from crm_plugin.automations.asking import note_review_requests
from crm_plugin.automations.awaiting import wake
from crm_plugin.automations.campaigns import (
    UNSET,
    campaigns,
    clone_campaign,
    create_campaign,
    create_from_recipe,
    delete_campaign,
    in_flight,
    update_campaign,
)
from crm_plugin.automations.concerning import hears_waiting
from crm_plugin.automations.copying import copy_of
from crm_plugin.automations.definition import Definition
from crm_plugin.automations.exiting import end_at_once
from crm_plugin.automations.expecting_drops import Expected, expect_drops
from crm_plugin.automations.falling_back import fall_back
from crm_plugin.automations.firing import arm_timers, fire_timers
from crm_plugin.automations.foreseeing import DryRun, Foreseen, Outcome, dry_run
from crm_plugin.automations.forgetting import forget_past, waves_in_use
from crm_plugin.automations.guarding import PauseReason, guard_campaigns
from crm_plugin.automations.lag import lag
from crm_plugin.automations.matching import match
from crm_plugin.automations.models import Campaign, CampaignState, Enrollment, EnrollmentState
from crm_plugin.automations.moving import Moved, move_in_flight
from crm_plugin.automations.naming import campaign_naming
from crm_plugin.automations.ownership import absorb, forget
from crm_plugin.automations.previewing import PublishPreview, preview_publish
from crm_plugin.automations.publishing import end_campaign, end_campaigns, let_go, pause, publish, resume
from crm_plugin.automations.rechecking import recheck
from crm_plugin.automations.recipes import GROUPS as RECIPE_GROUPS
from crm_plugin.automations.recipes import about_recipe, recipe, recipe_names
from crm_plugin.automations.scheduling import plan_slots, run_slot
from crm_plugin.automations.statistics import CampaignStatistics, enrollments, statistics, step_ids
from crm_plugin.automations.stepping import advance, go_on, items_of
from crm_plugin.automations.unheard import unheard
from crm_plugin.automations.waves import fan_out, plan_fan_out, tell_waiting

__all__ = [
    "RECIPE_GROUPS",
    "UNSET",
    "Advice",
    "Campaign",
    "CampaignState",
    "CampaignStatistics",
    "Definition",
    "DryRun",
    "Enrollment",
    "EnrollmentState",
    "Expected",
    "Foreseen",
    "Line",
    "Moved",
    "Outcome",
    "PauseReason",
    "PublishPreview",
    "about_recipe",
    "absorb",
    "advance",
    "arm_timers",
    "campaign_naming",
    "campaigns",
    "clone_campaign",
    "copy_of",
    "create_campaign",
    "create_from_recipe",
    "delete_campaign",
    "dry_run",
    "end_at_once",
    "end_campaign",
    "end_campaigns",
    "enrollments",
    "expect_drops",
    "explain_message",
    "explain_one",
    "fall_back",
    "fan_out",
    "fire_timers",
    "forget",
    "forget_past",
    "go_on",
    "guard_campaigns",
    "hears_waiting",
    "in_flight",
    "items_of",
    "lag",
    "let_go",
    "match",
    "move_in_flight",
    "note_review_requests",
    "pause",
    "plan_fan_out",
    "plan_slots",
    "preview_publish",
    "publish",
    "recheck",
    "recipe",
    "recipe_names",
    "resume",
    "run_slot",
    "statistics",
    "step_ids",
    "tell_waiting",
    "unheard",
    "update_campaign",
    "wake",
    "waves_in_use",
]
