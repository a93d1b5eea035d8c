"""Messages: the outbox, with what became of each."""

from __future__ import annotations

from typing import Any

import graphene
from graphene.relay import Connection, Node

from crm_plugin import messaging
from crm_plugin.graphql.access import Caller, admits
from crm_plugin.graphql.arguments import row_key
from crm_plugin.graphql.campaigns import CrmCampaign
from crm_plugin.graphql.contacts import CrmChannel, CrmContact
from crm_plugin.graphql.loaders import loaders
from crm_plugin.graphql.pagination import list_field, page_of_rows
from crm_plugin.graphql.scalars import DateTime
from crm_plugin.messaging import Message, MessageClass, MessageState
from crm_plugin.shop import Actor


class CrmMessageState(graphene.Enum):
    """The life of a message: queued, sending, then sent, unknown or failed; or queued, then skipped."""

    class Meta:
        enum = MessageState


class CrmMessageClass(graphene.Enum):
    """What the law sees in a message: an advertisement, or news about the person's own business."""

    class Meta:
        enum = MessageClass


def _contact(message: Message, info: Any) -> Any:
    return loaders(info).contact.load(message.contact_id)


def _campaign(message: Message, info: Any) -> Any:
    return loaders(info).campaign.load(message.campaign_id)


class CrmMessage(graphene.ObjectType):
    """One message for one contact on one channel, and what became of it."""

    contact = graphene.Field(CrmContact, required=True, resolver=_contact)
    campaign = graphene.Field(CrmCampaign, required=True, resolver=_campaign)
    step_id = graphene.String(required=True, description="The step of the definition that it comes from.")
    channel = CrmChannel(required=True)
    message_class = CrmMessageClass(required=True)
    state = CrmMessageState(required=True)
    reason = graphene.String(required=True, description="Closed word: why it was held, skipped or failed; or empty.")
    detail = graphene.String(required=True, description="What the provider answered; or empty.")
    recipient = graphene.String(required=True, description="The address it was handed out to; blank once erased.")
    language = graphene.String(required=True)
    subject = graphene.String(required=True)
    attempts = graphene.Int(required=True)
    due_at = DateTime(required=True, description="Not sent before this moment; a hold moves it on.")
    created_at = DateTime(required=True)
    finished_at = DateTime(description="When it was sent, skipped or given up.")
    opened_at = DateTime()
    clicked_at = DateTime()

    class Meta:
        interfaces = (Node,)


class CrmMessageConnection(Connection):
    """A page of messages, newest first."""

    class Meta:
        node = CrmMessage


@admits(Caller.VIEWER)
def _messages(
    _actor: Actor,
    _info: Any,
    *,
    campaign: str | None = None,
    contact: str | None = None,
    state: str | None = None,
    **page: Any,
) -> Any:
    rows = messaging.messages()
    if campaign is not None:
        rows = rows.filter(campaign_id=row_key("CrmCampaign", campaign, field="campaign"))
    if contact is not None:
        rows = rows.filter(contact_id=row_key("CrmContact", contact, field="contact"))
    if state is not None:
        rows = rows.filter(state=state)
    return page_of_rows(CrmMessageConnection, rows, **page)


class MessageQueries(graphene.ObjectType):
    """Root fields that read messages."""

    crm_messages = list_field(
        CrmMessageConnection,
        description="Messages, newest first. Requires view_crm.",
        resolver=_messages,
        campaign=graphene.ID(description="Only those of this campaign."),
        contact=graphene.ID(description="Only those to this contact."),
        state=CrmMessageState(description="Only those in this state."),
    )
