"""Dry run: who would get what and when, and which rule would hold or skip each message."""

from __future__ import annotations

from typing import Any

import graphene

from crm_plugin import automations, contacts
from crm_plugin.automations import DryRun, Foreseen, Outcome
from crm_plugin.graphql.access import Caller, admits
from crm_plugin.graphql.answers import answered, errors_field
from crm_plugin.graphql.arguments import row_key
from crm_plugin.graphql.contacts import CrmChannel, CrmContact
from crm_plugin.graphql.enums import CrmEnum
from crm_plugin.graphql.rules import language_argument, language_of
from crm_plugin.graphql.scalars import JSON, DateTime
from crm_plugin.shop import Actor


class CrmForeseenOutcome(CrmEnum):
    """What would become of a step."""

    class Meta:
        enum = Outcome
        words = {
            Outcome.WOULD_SEND: "The message would go out at its time.",
            Outcome.HELD: "It would go out later, at `until`.",
            Outcome.SKIPPED: "The message would be left out; the run goes on.",
            Outcome.EXITS: "The run would end before the step.",
            Outcome.GETS_COUPON: "The person would be given a code.",
        }


class CrmForeseen(graphene.ObjectType):
    """One thing that would happen to one person."""

    contact = graphene.Field(CrmContact, description="Null when the person was merged or erased meanwhile.")
    is_under_way = graphene.Boolean(required=True, description="The run has begun already.")
    about = graphene.String(required=True, description="What the run is about, such as `order:7`; empty: the person.")
    step_id = graphene.String(required=True, description="As the definition names the step.")
    channel = CrmChannel(description="Null for what is no message.")
    at = DateTime(required=True, description="When it would happen.")
    outcome = CrmForeseenOutcome(required=True, description="What would happen.")
    reason = graphene.String(required=True, description="Closed word: why it is held, left out or the end; or empty.")
    until = DateTime(description="When a held message would go out.")
    subject = graphene.String(
        required=True, description="The subject line as written, in the person's language; of a coupon, its name."
    )


class CrmForeseenTotal(graphene.ObjectType):
    """How many people a day would bring to a step with the same outcome."""

    day = graphene.String(required=True, description="YYYY-MM-DD, a day of the shop's calendar.")
    step_id = graphene.String(required=True, description="As the definition names the step.")
    outcome = CrmForeseenOutcome(required=True, description="What would happen.")
    reason = graphene.String(required=True, description="Closed word, as of `foreseen`; or empty.")
    count = graphene.Int(required=True, description="Times that it would happen on that day.")


class CrmRemark(graphene.ObjectType):
    """Something to know about an answer."""

    code = graphene.String(required=True, description="Closed word for programs.")
    sentence = graphene.String(required=True, description="In the language asked for.")


class CrmCampaignDryRun(graphene.ObjectType):
    """What a campaign would do in the next days. Everything is null when it was refused."""

    starts_at = DateTime(description="The moment from which on was looked: now.")
    ends_at = DateTime(description="The moment up to which was looked.")
    people = graphene.Int(description="Runs that were followed: those under way, and those that would begin.")
    is_complete = graphene.Boolean(description="False: there are more; everything here is about those who come first.")
    count = graphene.Int(description="Everything foreseen; `foreseen` has the first of it.")
    foreseen = graphene.List(graphene.NonNull(CrmForeseen), description="In order of time.")
    totals = graphene.List(graphene.NonNull(CrmForeseenTotal), description="By day and step, of everything foreseen.")
    remarks = graphene.List(graphene.NonNull(CrmRemark), description="What cannot be foreseen, and what was assumed.")
    errors = errors_field()


@admits(Caller.VIEWER)
def _dry_run(
    _actor: Actor,
    _info: Any,
    *,
    id: str | None = None,
    definition: Any = None,
    days: int | None = None,
    limit: int | None = None,
    language: str | None = None,
) -> CrmCampaignDryRun:
    def body() -> CrmCampaignDryRun:
        found = automations.dry_run(
            None if id is None else row_key("CrmCampaign", id, field="id"),
            definition=definition,
            language=language_of(language),
            **{name: value for name, value in (("days", days), ("limit", limit)) if value is not None},
        )
        return _shown(found)

    return answered(CrmCampaignDryRun, body)


def _shown(found: DryRun) -> CrmCampaignDryRun:
    people = contacts.contacts().in_bulk({one.contact_id for one in found.foreseen})
    return CrmCampaignDryRun(
        starts_at=found.starts_at,
        ends_at=found.ends_at,
        people=found.people,
        is_complete=found.is_complete,
        count=found.count,
        foreseen=[_foreseen(one, people.get(one.contact_id)) for one in found.foreseen],
        totals=[
            CrmForeseenTotal(
                day=one.day.isoformat(),
                step_id=one.step_id,
                outcome=one.outcome.value,
                reason=one.reason,
                count=one.count,
            )
            for one in found.totals
        ],
        remarks=[CrmRemark(code=one.code, sentence=one.sentence) for one in found.remarks],
    )


def _foreseen(one: Foreseen, contact: Any) -> CrmForeseen:
    return CrmForeseen(
        contact=contact,
        is_under_way=one.enrollment_id is not None,
        about=one.about,
        step_id=one.step_id,
        channel=one.channel or None,
        at=one.at,
        outcome=one.outcome.value,
        reason=one.reason,
        until=one.until,
        subject=one.subject,
    )


class ForesightQueries(graphene.ObjectType):
    """Root fields that look ahead."""

    crm_campaign_dry_run = graphene.Field(
        CrmCampaignDryRun,
        description="Who would get what and when, with nothing changed. Requires view_crm.",
        resolver=_dry_run,
        id=graphene.ID(description="A CrmCampaign, a draft as well. Or `definition`."),
        definition=JSON(description="One that was not saved. Or `id`."),
        days=graphene.Int(description="How far to look: 1 to 31; 7 when left out."),
        limit=graphene.Int(description="Rows of `foreseen`: 1 to 1000; 200 when left out."),
        language=language_argument(),
    )
