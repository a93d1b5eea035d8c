"""Deliverability: what became of messages by channel, reason and domain, and the addresses that are blocked."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Self

import graphene

from crm_plugin import clock, contacts, messaging
from crm_plugin.contacts import PHONE_CHANNELS, ChannelKind, SuppressionReason
from crm_plugin.errors import InvalidInput
from crm_plugin.graphql.access import Caller, admits
from crm_plugin.graphql.arguments import name_of
from crm_plugin.graphql.contacts import CrmChannel
from crm_plugin.graphql.messages import CrmCost, CrmMessageState, messages_where
from crm_plugin.graphql.mutation import CrmMutation, result
from crm_plugin.graphql.scalars import DateTime
from crm_plugin.messaging import ChannelFigures, MessageState
from crm_plugin.shop import Actor

logger = logging.getLogger(__name__)

#: As far back as a summary looks, and how far it does when nobody says.
MAX_DAYS, USUAL_DAYS = 366, 30
#: Channels whose addresses can be blocked by hand; devices and accounts are not addresses.
_ADDRESSED = (ChannelKind.EMAIL, *sorted(PHONE_CHANNELS))
_ADDRESS = "An e-mail address, or a number such as +821012345678."
_CHANNEL = "EMAIL, SMS or KAKAO."
_COUNTS = ("delivered", "opened", "machine_opened", "clicked", "complained")


class CrmChannelDelivery(graphene.ObjectType):
    """What became of the messages on one channel."""

    channel = CrmChannel(required=True, description="How they went out.")
    total = graphene.Int(required=True, description="Messages in all states.")
    waiting = graphene.Int(required=True, description="Queued, or being handed out.")
    sent = graphene.Int(required=True, description="Taken by the provider, and not come back.")
    failed = graphene.Int(required=True, description="Not taken, or come back.")
    skipped = graphene.Int(required=True, description="Not sent, for a reason.")
    unknown = graphene.Int(required=True, description="Nobody knows whether they went out.")
    delivered = graphene.Int(required=True, description="Of which the provider said that they arrived.")
    opened = graphene.Int(required=True, description="By a person.")
    machine_opened = graphene.Int(required=True, description="Only by programs.")
    clicked = graphene.Int(required=True, description="By a person.")
    complained = graphene.Int(required=True, description="Of which the person said that it is spam.")
    costs = graphene.List(graphene.NonNull(CrmCost), required=True, description="One entry a currency.")


class CrmDeliveryReason(graphene.ObjectType):
    """How many messages are in a state for a reason."""

    channel = CrmChannel(required=True, description="How they go out.")
    state = CrmMessageState(required=True, description="How far they got.")
    reason = graphene.String(required=True, description="Closed word; or empty.")
    count = graphene.Int(required=True, description="Messages.")


class CrmDeliverySummary(graphene.ObjectType):
    """What became of messages."""

    channels = graphene.List(
        graphene.NonNull(CrmChannelDelivery), required=True, description="One entry a channel with messages."
    )
    reasons = graphene.List(
        graphene.NonNull(CrmDeliveryReason), required=True, description="One entry a channel, state and reason."
    )


def _channel(channel: str, figures: Sequence[ChannelFigures]) -> CrmChannelDelivery:
    def count(*states: MessageState) -> int:
        return sum(one.count for one in figures if one.state in states)

    costs: dict[str, Any] = {}
    for one in figures:
        if one.cost is not None:
            costs[one.cost_currency] = costs.get(one.cost_currency, 0) + one.cost
    return CrmChannelDelivery(
        channel=channel,
        total=sum(one.count for one in figures),
        waiting=count(MessageState.QUEUED, MessageState.SENDING),
        sent=count(MessageState.SENT),
        failed=count(MessageState.FAILED),
        skipped=count(MessageState.SKIPPED),
        unknown=count(MessageState.UNKNOWN),
        **{name: sum(getattr(one, name) for one in figures) for name in _COUNTS},
        costs=[CrmCost(amount=amount, currency=currency) for currency, amount in sorted(costs.items())],
    )


def _summary_of(figures: Sequence[ChannelFigures]) -> CrmDeliverySummary:
    by_channel: dict[str, list[ChannelFigures]] = {}
    reasons: dict[tuple[str, str, str], int] = {}
    for one in figures:
        by_channel.setdefault(one.channel, []).append(one)
        key = (one.channel, one.state, one.reason)
        reasons[key] = reasons.get(key, 0) + one.count
    return CrmDeliverySummary(
        channels=[_channel(channel, some) for channel, some in by_channel.items()],
        reasons=[CrmDeliveryReason(*key, count) for key, count in reasons.items()],
    )


@admits(Caller.VIEWER)
def _summary(
    _actor: Actor,
    _info: Any,
    *,
    campaign: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> CrmDeliverySummary:
    if since is None and campaign is None:
        since = (until or clock.now()) - timedelta(days=USUAL_DAYS)
    return _summary_of(messaging.summary(messages_where(campaign=campaign, since=since, until=until)))


class CrmDomainDelivery(graphene.ObjectType):
    """What became of the e-mails to one receiving domain."""

    domain = graphene.String(required=True, description="Such as gmail.com; empty: all together.")
    sent = graphene.Int(required=True, description="Handed out, whether or not they came back.")
    delivered = graphene.Int(required=True, description="Of which the provider said that they arrived.")
    bounced = graphene.Int(required=True, description="Of which it came back.")
    complained = graphene.Int(required=True, description="Of which the person said that it is spam.")
    opened = graphene.Int(required=True, description="By a person.")
    machine_opened = graphene.Int(required=True, description="Only by programs.")
    clicked = graphene.Int(required=True, description="By a person.")


class CrmSuppressionCount(graphene.ObjectType):
    """How many addresses are blocked on a channel for a reason."""

    channel = CrmChannel(required=True, description="On which nothing is sent to them.")
    reason = graphene.String(required=True, description="As CrmSuppression has it.")
    count = graphene.Int(required=True, description="Addresses.")


class CrmDeliverability(graphene.ObjectType):
    """How e-mail arrives."""

    total = graphene.Field(CrmDomainDelivery, required=True, description="All domains together.")
    domains = graphene.List(
        graphene.NonNull(CrmDomainDelivery), required=True, description="The twenty that most was sent to."
    )
    suppressions = graphene.List(
        graphene.NonNull(CrmSuppressionCount), required=True, description="Addresses that are blocked now."
    )


@admits(Caller.VIEWER)
def _deliverability(_actor: Actor, _info: Any, *, days: int) -> CrmDeliverability:
    if not 1 <= days <= MAX_DAYS:
        raise InvalidInput(f"`days` is between 1 and {MAX_DAYS}.", field="days")
    total, *domains = messaging.by_domain(clock.now() - timedelta(days=days))
    return CrmDeliverability(
        total=total,
        domains=domains,
        suppressions=[CrmSuppressionCount(*row) for row in contacts.suppressions_by_reason()],
    )


class CrmSuppression(graphene.ObjectType):
    """A block of one address on one channel. The address itself is kept as a digest only."""

    channel = CrmChannel(required=True, description="On which nothing is sent to it.")
    reason = graphene.String(
        required=True, description="hard_bounce, complaint, refused, soft_bounces, stop or manual."
    )
    detail = graphene.String(required=True, description="What the provider said, or who blocked it by hand.")
    created_at = DateTime(required=True, description="Since when it is blocked.")


@admits(Caller.MANAGER)
def _suppression(_actor: Actor, _info: Any, *, address: str, channel: str) -> Any:
    _refuse_unaddressed(channel)
    return contacts.suppression_of(address, channel=channel)


def _refuse_unaddressed(channel: str) -> None:
    if channel not in _ADDRESSED:
        raise InvalidInput(f"Only addresses can be blocked: {', '.join(_ADDRESSED)}.", field="channel")


class DeliverabilityQueries(graphene.ObjectType):
    """Root fields that tell how messages arrive."""

    crm_delivery_summary = graphene.Field(
        CrmDeliverySummary,
        required=True,
        description="What became of messages by channel and reason, and what they cost. Requires view_crm.",
        resolver=_summary,
        campaign=graphene.ID(description="Only those of this campaign."),
        since=DateTime(
            description=f"Queued at this moment or later; left out: {USUAL_DAYS} days, or all of the campaign."
        ),
        until=DateTime(description="Queued before this moment."),
    )
    crm_deliverability = graphene.Field(
        CrmDeliverability,
        required=True,
        description="How e-mail of the last days arrived, by receiving domain. Requires view_crm.",
        resolver=_deliverability,
        days=graphene.Int(default_value=USUAL_DAYS, description=f"1 to {MAX_DAYS}."),
    )
    crm_suppression = graphene.Field(
        CrmSuppression,
        description="The block of an address; null when there is none. Requires manage_crm.",
        resolver=_suppression,
        address=graphene.String(required=True, description=_ADDRESS),
        channel=CrmChannel(required=True, description=_CHANNEL),
    )


class CrmSuppress(CrmMutation, caller=Caller.MANAGER):
    """Block an address, whatever its owner agrees to. It leaves nobody's consent behind. Requires manage_crm."""

    suppression = result(CrmSuppression)

    class Arguments:
        address = graphene.String(required=True, description=_ADDRESS)
        channel = CrmChannel(required=True, description=_CHANNEL)

    @classmethod
    def perform(cls, actor: Actor, *, address: str, channel: str) -> Self:
        """Block it; one that is blocked already stays as it is."""
        _refuse_unaddressed(channel)
        contacts.suppress(address, channel=channel, reason=SuppressionReason.MANUAL, detail=name_of(actor))
        found = contacts.suppression_of(address, channel=channel)
        if found is None:
            raise InvalidInput("That is no address of the channel.", field="address")
        logger.info("crm: %s blocked an address on %s (%s)", name_of(actor), channel, found.address_digest[:8])
        return cls(suppression=found)


class CrmSuppressionLift(CrmMutation, caller=Caller.MANAGER):
    """Take the block off an address. What the person agreed to stays as it is. Requires manage_crm."""

    was_blocked = graphene.Boolean(description="False: there was nothing to lift.")

    class Arguments:
        address = graphene.String(required=True, description=_ADDRESS)
        channel = CrmChannel(required=True, description=_CHANNEL)

    @classmethod
    def perform(cls, actor: Actor, *, address: str, channel: str) -> Self:
        """Lift it."""
        _refuse_unaddressed(channel)
        found = contacts.suppression_of(address, channel=channel)
        if found is not None:
            contacts.lift_suppression(address, channel=channel)
            logger.info(
                "crm: %s lifted the block of an address on %s (%s, %s)",
                name_of(actor), channel, found.address_digest[:8], found.reason,
            )  # fmt: skip
        return cls(was_blocked=found is not None)


class DeliverabilityMutations(graphene.ObjectType):
    """Root fields that block addresses and lift blocks."""

    crm_suppress = CrmSuppress.Field()
    crm_suppression_lift = CrmSuppressionLift.Field()
