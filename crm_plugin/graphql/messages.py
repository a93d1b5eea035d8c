"""Messages: the outbox as the delivery log, with what became of each; sending failed ones again."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

import graphene
from django.db.models import QuerySet

from crm_plugin import automations, messaging, nudge
from crm_plugin.automations import CampaignState
from crm_plugin.errors import InvalidInput, NotFound
from crm_plugin.graphql.access import Caller, admits
from crm_plugin.graphql.arguments import key_or_none, refuse_naive, row_key
from crm_plugin.graphql.campaigns import CrmCampaign
from crm_plugin.graphql.contacts import CrmChannel, CrmContact
from crm_plugin.graphql.enums import CrmEnum
from crm_plugin.graphql.loaders import beside, loaders
from crm_plugin.graphql.mutation import CrmMutation
from crm_plugin.graphql.pagination import Page, list_field, page_of_rows
from crm_plugin.graphql.rows import Row
from crm_plugin.graphql.scalars import DateTime, Decimal
from crm_plugin.messaging import Message, MessageClass, MessageForm, MessageState
from crm_plugin.shop import Actor

#: As many as a person ticks in a list.
MAX_IDS = 1_000


class CrmMessageState(CrmEnum):
    """The life of a message: queued, sending, then sent, unknown or failed; or queued, then skipped."""

    class Meta:
        enum = MessageState
        words = {
            MessageState.QUEUED: "Waits for its time, or for a worker.",
            MessageState.SENDING: "A worker is handing it out.",
            MessageState.SENT: "The provider took it; it may still come back and fail.",
            MessageState.UNKNOWN: "Nobody knows whether it went out; it is not sent again by itself.",
            MessageState.FAILED: "It did not arrive; `reason` says why.",
            MessageState.SKIPPED: "It was not sent; `reason` says why.",
        }


class CrmMessageClass(CrmEnum):
    """What the law sees in a message: an advertisement, or news about the person's own business."""

    class Meta:
        enum = MessageClass
        words = {
            MessageClass.MARKETING: "An advertisement: only with consent, within caps and quiet hours.",
            MessageClass.TRANSACTIONAL: "News about the person's own business, such as an order.",
        }


class CrmMessageForm(CrmEnum):
    """What a message is on its channel, where that makes a difference in length, price and law."""

    class Meta:
        enum = MessageForm
        words = {
            MessageForm.SMS: "A short text message.",
            MessageForm.LMS: "A long text message (Korea).",
            MessageForm.ALIMTALK: "A KakaoTalk message that informs, of an approved template.",
            MessageForm.BRAND_MESSAGE: "A KakaoTalk message that advertises.",
        }


class CrmCost(graphene.ObjectType):
    """What a provider asks for, in one currency. Currencies are never added up."""

    amount = Decimal(required=True, description="Sum, in the currency's major unit; below a cent too.")
    currency = graphene.String(required=True, description="ISO 4217, such as KRW.")


def _form(message: Message, _info: Any) -> str | None:
    return message.form or None


def _cost(message: Message, _info: Any) -> CrmCost | None:
    return None if message.cost is None else CrmCost(amount=message.cost, currency=message.cost_currency)


def _is_notice(message: Message, _info: Any) -> bool:
    return message.enrollment_id is None


def _tries(message: Message, info: Any) -> Any:
    if message.enrollment_id is None:
        return [message]
    return loaders(info).tries.load((message.enrollment_id, message.step_id))


class CrmMessage(Row):
    """One message for one contact on one channel, and what became of it."""

    contact = graphene.Field(
        CrmContact, required=True, resolver=beside("contact", "contact_id"), description="Whom it is for."
    )
    campaign = graphene.Field(CrmCampaign, resolver=beside("campaign", "campaign_id"), description="Null: a notice.")
    step_id = graphene.String(required=True, description="The step of the definition that it comes from; or empty.")
    is_notice = graphene.Boolean(
        required=True, resolver=_is_notice, description="No campaign asked for it: the law, or the shop's order, did."
    )
    occasion = graphene.String(required=True, description="What a notice is about, such as consent:17; or empty.")
    channel = CrmChannel(required=True, description="How it goes out.")
    form = CrmMessageForm(resolver=_form, description="Null: the channel has one form only, or it was not written yet.")
    message_class = CrmMessageClass(required=True, description="Whether it is an advertisement.")
    state = CrmMessageState(required=True, description="How far it got.")
    reason = graphene.String(required=True, description="Closed word: why it was held, skipped or failed; or empty.")
    detail = graphene.String(required=True, description="What the provider answered; or empty.")
    recipient = graphene.String(required=True, description="The address it was handed out to; blank once erased.")
    provider_id = graphene.String(required=True, description="The provider's own id of it; or empty.")
    language = graphene.String(
        required=True, description="Code of the contents that were chosen; empty: not written yet."
    )
    subject = graphene.String(
        required=True, description="Subject or title as it was sent; empty: none, or not written yet."
    )
    attempts = graphene.Int(required=True, description="How often it was handed out.")
    due_at = DateTime(required=True, description="Not sent before this moment; a hold moves it on.")
    created_at = DateTime(required=True, description="When it was queued.")
    finished_at = DateTime(description="When it was sent, skipped or given up.")
    delivered_at = DateTime(description="When the provider said that it arrived; null: it did not say.")
    opened_at = DateTime(description="When a person first opened it.")
    machine_opened_at = DateTime(
        description="When a mail program or a scanner first loaded it, whether or not anybody looked."
    )
    clicked_at = DateTime(description="When a person first followed one of its links.")
    complained_at = DateTime(description="When the person said that it is spam.")
    cost = graphene.Field(CrmCost, resolver=_cost, description="Null: not known.")
    tries = graphene.List(
        graphene.NonNull(lambda: CrmMessage),
        required=True,
        resolver=_tries,
        description="The messages of the same run and step, this one too, in the order in which channels were tried.",
    )


class CrmMessageConnection(Page, node=CrmMessage):
    """A page of messages, newest first."""


def messages_where(
    *,
    campaign: str | None = None,
    contact: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    **columns: Any,
) -> QuerySet[Message]:
    """Return the messages that fit the arguments; ``columns`` hold those that are compared as they are.

    Raises:
        InvalidInput: naming the argument.
    """
    refuse_naive({"since": since, "until": until}, ("since", "until"))
    keys = {
        "campaign_id": key_or_none("CrmCampaign", campaign, field="campaign"),
        "contact_id": key_or_none("CrmContact", contact, field="contact"),
        "created_at__gte": since,
        "created_at__lt": until,
        **columns,
    }
    return messaging.messages().filter(**{name: value for name, value in keys.items() if value is not None})


@admits(Caller.VIEWER)
def _messages(
    _actor: Actor,
    _info: Any,
    *,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
    **where: Any,
) -> Any:
    rows = messages_where(**where)
    return page_of_rows(CrmMessageConnection, rows, first=first, after=after, last=last, before=before)


class MessageQueries(graphene.ObjectType):
    """Root fields that read messages."""

    crm_messages = list_field(
        CrmMessageConnection,
        description="Messages, newest first. Requires view_crm.",
        resolver=_messages,
        campaign=graphene.ID(description="Only those of this campaign."),
        contact=graphene.ID(description="Only those to this contact."),
        state=CrmMessageState(description="Only those in this state."),
        channel=CrmChannel(description="Only those on this channel."),
        message_class=CrmMessageClass(description="Only those of this class."),
        reason=graphene.String(description="Only those with this reason, such as bounced."),
        since=DateTime(description="Only those that were queued at this moment or later."),
        until=DateTime(description="Only those that were queued before this moment."),
    )


class CrmMessagesResendInput(graphene.InputObjectType):
    """Which messages to send again: give either ids or a campaign."""

    ids = graphene.List(graphene.NonNull(graphene.ID), description=f"These messages; at most {MAX_IDS}.")
    campaign = graphene.ID(description="The messages of this campaign.")
    reasons = graphene.List(
        graphene.NonNull(graphene.String), description="Only what failed for one of these, such as undelivered."
    )
    include_unknown = graphene.Boolean(
        default_value=False,
        description="Those too of which nobody knows whether they arrived: they may arrive TWICE.",
    )


def _chosen(ids: list[str] | None, campaign: str | None) -> dict[str, Any]:
    if (ids is None) == (campaign is None):
        raise InvalidInput("Give either ids or a campaign.", field="ids", code="REQUIRED")
    if campaign is not None:
        pk = row_key("CrmCampaign", campaign, field="campaign")
        _refuse_over(pk)
        return {"campaign_id": pk}
    keys = [row_key("CrmMessage", one, field="ids") for one in ids or ()]
    if len(keys) > MAX_IDS:
        raise InvalidInput(f"Give at most {MAX_IDS} ids, or the campaign.", field="ids", code="LIMIT")
    return {"message_ids": keys}


def _refuse_over(campaign_id: int) -> None:
    found = automations.campaigns().filter(pk=campaign_id).first()
    if found is None:
        raise NotFound("There is no such campaign.")
    if found.state not in (CampaignState.RUNNING, CampaignState.PAUSED):
        raise InvalidInput(
            f"Only messages of a running or paused campaign can be sent again; this one is {found.state}.",
            field="campaign",
            code="NOT_RUNNING",
        )


class CrmMessagesResend(CrmMutation, caller=Caller.MANAGER):
    """Send failed messages again; every gate is asked anew, and nobody who was reached gets another.

    Requires manage_crm.
    """

    resent_count = graphene.Int(description="How many are in the queue again.")
    left_count = graphene.Int(description="How many more can be sent again: call it once more.")

    class Arguments:
        input = CrmMessagesResendInput(required=True, description="Which messages.")

    @classmethod
    def perform(cls, _actor: Actor, *, input: dict[str, Any]) -> Self:
        """Queue them."""
        done = messaging.resend(
            **_chosen(input.get("ids"), input.get("campaign")),
            reasons=input.get("reasons") or (),
            includes_unknown=bool(input.get("include_unknown")),
        )
        nudge.after_commit("crm.deliver")
        return cls(resent_count=done.resent, left_count=done.left)


class MessageMutations(graphene.ObjectType):
    """Root fields that change messages."""

    crm_messages_resend = CrmMessagesResend.Field()
