"""What became of the people of a campaign, as numbers."""

from __future__ import annotations

from typing import Any

import graphene

from crm_plugin.automations import CampaignStatistics
from crm_plugin.graphql.scalars import JSON, DateTime


class CrmVersionStatistics(graphene.ObjectType):
    """The runs of one version; one that was moved counts where it is now."""

    version = graphene.Int(required=True, description="Number, counted from 1.")
    published_at = DateTime(required=True, description="When it was frozen.")
    entered = graphene.Int(required=True, description="Runs on this version.")
    active = graphene.Int(required=True, description="Of these, under way.")
    completed = graphene.Int(required=True, description="Of these, did all steps.")
    exited = graphene.Int(required=True, description="Of these, ended early.")
    converted = graphene.Int(required=True, description="Of these, ended with a purchase.")


class CrmExitCount(graphene.ObjectType):
    """How many exited for one reason."""

    reason = graphene.String(required=True, description="Closed word, such as `stale` or `holdout`.")
    people = graphene.Int(required=True, description="Runs that ended so.")


class CrmStanding(graphene.ObjectType):
    """How many people stand at a step of a version: it is the next thing that is done for them."""

    version = graphene.Int(required=True, description="Number of the version that they are on.")
    step_id = graphene.String(required=True, description="As the definition names the step.")
    path = graphene.String(required=True, description="Where the step is in that version, such as `steps.2.then.0`.")
    people = graphene.Int(required=True, description="How many stand there.")
    parked = graphene.Int(required=True, description="Of those, how many wait for what becomes of their message.")


class CrmArmStatistics(graphene.ObjectType):
    """How many went one way of a split; its arms add up to those who passed it."""

    step_id = graphene.String(required=True, description="As the definition names the split.")
    arm = graphene.String(required=True, description="Name of the way.")
    entered = graphene.Int(required=True, description="People who went it.")
    converted = graphene.Int(required=True, description="Of these, who bought.")


class CrmSplitTest(graphene.ObjectType):
    """The test of a split that looks for a winner."""

    step_id = graphene.String(required=True, description="As the definition names the split.")
    version = graphene.Int(required=True, description="Number of the version that it is in.")
    started_at = DateTime(required=True, description="When its first person came.")
    arm = graphene.String(required=True, description="The winner; empty while it is open.")
    decided_at = DateTime(description="Null: still open.")
    evidence = JSON(required=True, description="What the decision rested on.")


def _many(kind: type[graphene.ObjectType], **options: Any) -> Any:
    return graphene.List(graphene.NonNull(kind), required=True, **options)


class CrmCampaignStatistics(graphene.ObjectType):
    """What became of the people of one campaign. `entered` is the sum of the four after it."""

    entered = graphene.Int(required=True, description="Runs that began.")
    active = graphene.Int(required=True, description="Runs under way.")
    completed = graphene.Int(required=True, description="Runs that did all steps.")
    exited = graphene.Int(required=True, description="Runs that ended early.")
    converted = graphene.Int(required=True, description="Runs that ended with a purchase.")
    exits = _many(CrmExitCount, description="Why runs ended early.")
    versions = _many(CrmVersionStatistics, description="The same numbers, by version.")
    steps = _many(CrmStanding, description="Where those stand who are under way.")
    arms = _many(CrmArmStatistics, description="How many went each way of the splits.")
    tests = _many(CrmSplitTest, description="Splits that look for a winner.")


_ENDS = ("entered", "active", "completed", "exited", "converted")


def told(found: CampaignStatistics) -> CrmCampaignStatistics:
    """Return the statistics in the types of the API."""
    return CrmCampaignStatistics(
        **{name: getattr(found.ends, name) for name in _ENDS},
        exits=[CrmExitCount(reason=reason, people=people) for reason, people in found.exits],
        versions=[
            CrmVersionStatistics(
                version=one.version,
                published_at=one.published_at,
                **{name: getattr(one.ends, name) for name in _ENDS},
            )
            for one in found.versions
        ],
        steps=list(found.steps),
        arms=list(found.arms),
        tests=list(found.tests),
    )
