"""Runs: one person's way through one campaign."""

from __future__ import annotations

from typing import Any

import graphene

from crm_plugin import automations
from crm_plugin.automations import Enrollment, EnrollmentState
from crm_plugin.errors import InvalidInput
from crm_plugin.graphql.access import Caller, admits
from crm_plugin.graphql.arguments import row_key
from crm_plugin.graphql.campaigns import CrmCampaign
from crm_plugin.graphql.contacts import CrmContact
from crm_plugin.graphql.enums import CrmEnum
from crm_plugin.graphql.loaders import beside, loaders
from crm_plugin.graphql.pagination import Page, list_field, page_of_rows
from crm_plugin.graphql.rows import Row
from crm_plugin.graphql.scalars import DateTime
from crm_plugin.shop import Actor


class CrmEnrollmentState(CrmEnum):
    """Where a run stands. Every one ends in exactly one of completed, exited, converted."""

    class Meta:
        enum = EnrollmentState
        words = {
            EnrollmentState.ACTIVE: "Under way.",
            EnrollmentState.COMPLETED: "All steps are done.",
            EnrollmentState.EXITED: "Ended early; `reason` says why.",
            EnrollmentState.CONVERTED: "Ended because the person bought.",
        }


class CrmArm(graphene.ObjectType):
    """The way that a person went at a split."""

    step_id = graphene.String(required=True, description="As the definition names the split.")
    arm = graphene.String(required=True, description="Name of the way.")


def _step_id(run: Enrollment, info: Any) -> Any:
    if run.state != EnrollmentState.ACTIVE:
        return None
    found = loaders(info).step_ids.load(run.version_id)
    return found.then(lambda ids: ids[run.step] if run.step < len(ids) else None)


def _version(run: Enrollment, _info: Any) -> int:
    return run.version.number


def _arms(run: Enrollment, _info: Any) -> list[CrmArm]:
    return [CrmArm(step_id=step_id, arm=arm) for step_id, arm in sorted(run.arms.items())]


def _subject(run: Enrollment, _info: Any) -> str:
    return run.subject_key


class CrmEnrollment(Row):
    """One person's way through one campaign."""

    campaign = graphene.Field(
        CrmCampaign,
        required=True,
        resolver=beside("campaign", "campaign_id"),
        description="What the person goes through.",
    )
    contact = graphene.Field(
        CrmContact, required=True, resolver=beside("contact", "contact_id"), description="Whose run it is."
    )
    version = graphene.Int(required=True, resolver=_version, description="The version that the run is on.")
    state = CrmEnrollmentState(required=True, description="Whether it is under way, or how it ended.")
    reason = graphene.String(required=True, description="Closed word: why it ended early; or empty.")
    step_id = graphene.String(resolver=_step_id, description="What is done next; null when it has ended.")
    subject = graphene.String(
        required=True, resolver=_subject, description="What it is about, such as `order:7`; empty: the person."
    )
    arms = graphene.List(
        graphene.NonNull(CrmArm),
        required=True,
        resolver=_arms,
        description="The ways that were gone at splits, by step.",
    )
    waits_for = graphene.String(required=True, description="The activity that it waits for; or empty.")
    due_at = DateTime(description="When that is done; null while a message is on its way, and when it has ended.")
    entered_at = DateTime(required=True, description="When what started it happened.")
    finished_at = DateTime(description="When it ended; null: it has not.")


class CrmEnrollmentConnection(Page, node=CrmEnrollment):
    """A page of runs, newest first."""


@admits(Caller.VIEWER)
def _enrollments(
    _actor: Actor,
    _info: Any,
    *,
    campaign: str | None = None,
    contact: str | None = None,
    state: str | None = None,
    **page: Any,
) -> Any:
    if campaign is None and contact is None:
        raise InvalidInput("Give a campaign, a contact, or both.", field="campaign", code="REQUIRED")
    rows = automations.enrollments()
    if campaign is not None:
        rows = rows.filter(campaign_id=row_key("CrmCampaign", campaign, field="campaign"))
    if contact is not None:
        rows = rows.filter(contact_id=row_key("CrmContact", contact, field="contact"))
    if state is not None:
        rows = rows.filter(state=state)
    return page_of_rows(CrmEnrollmentConnection, rows, moment="entered_at", **page)


class EnrollmentQueries(graphene.ObjectType):
    """Root fields that read runs."""

    crm_enrollments = list_field(
        CrmEnrollmentConnection,
        description="Runs of a campaign or of a contact, newest first. Requires view_crm.",
        resolver=_enrollments,
        campaign=graphene.ID(description="Only those of this campaign."),
        contact=graphene.ID(description="Only those of this contact."),
        state=CrmEnrollmentState(description="Only those in this state."),
    )
