"""The sender's checklist: whether mailbox providers will trust what comes from the merchant's address."""

from __future__ import annotations

from typing import Any

import graphene

from crm_plugin import messaging
from crm_plugin.graphql.access import Caller, admits
from crm_plugin.graphql.enums import CrmEnum
from crm_plugin.graphql.rules import language_of
from crm_plugin.messaging import PointState
from crm_plugin.shop import Actor


class CrmSenderPointState(CrmEnum):
    """Whether a point is in order."""

    class Meta:
        enum = PointState
        words = {
            PointState.OK: "Nothing to do.",
            PointState.WARNING: "It works, and could be better.",
            PointState.FAILED: "Missing or wrong; `advice` says what to do.",
            PointState.UNKNOWN: "Nobody answered, or it cannot be seen from here.",
        }


class CrmSenderPoint(graphene.ObjectType):
    """One point of the checklist."""

    code = graphene.String(required=True, description="Such as spf, dkim, dmarc, alignment, complaint_rate.")
    state = graphene.Field(CrmSenderPointState, required=True, description="Whether it is in order.")
    title = graphene.String(required=True, description="What it is about.")
    found = graphene.String(required=True, description="What was seen: a record, a number; empty: nothing.")
    advice = graphene.String(required=True, description="What to do; empty when it is in order.")


class CrmDnsRecord(graphene.ObjectType):
    """A DNS record to publish, in the place of one of the same kind and name."""

    type = graphene.String(required=True, description="Such as TXT.")
    name = graphene.String(required=True, description="The domain name that it stands at.")
    value = graphene.String(required=True, description="What it says.")


class CrmSenderCheck(graphene.ObjectType):
    """What Gmail, Yahoo and others ask of bulk senders, and how the domain of the sender's address does."""

    domain = graphene.String(required=True, description="In ASCII (punycode); empty: no address is set.")
    points = graphene.List(graphene.NonNull(CrmSenderPoint), required=True, description="Each thing that is looked at.")
    records = graphene.List(
        graphene.NonNull(CrmDnsRecord), required=True, description="Those that are missing and can be known."
    )


@admits(Caller.VIEWER)
def _sender_check(_actor: Actor, _info: Any, *, language: str | None = None) -> CrmSenderCheck:
    said = language_of(language)
    check = messaging.check_sender()
    points = [
        CrmSenderPoint(
            code=point.code.value,
            state=point.state,
            title=point.title.said(said),
            found=point.found,
            advice=point.advice.said(said),
        )
        for point in check.points
    ]
    records = [CrmDnsRecord(type=one.kind, name=one.name, value=one.value) for one in check.records]
    return CrmSenderCheck(domain=check.domain, points=points, records=records)


class SenderCheckQueries(graphene.ObjectType):
    """Root field of the sender's checklist."""

    crm_sender_check = graphene.Field(
        CrmSenderCheck,
        language=graphene.String(description="Of the sentences: en or ko; the merchant's when left out."),
        description="Asks name servers about the sender's domain, which takes seconds. Requires view_crm.",
        resolver=_sender_check,
    )
