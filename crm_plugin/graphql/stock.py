"""Waiting for stock: what a customer asks to be told of, and the waiting lists as the merchant sees them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Self

import graphene

from crm_plugin import activity, contacts, ids, shop
from crm_plugin.activity import Awaited, WaitingList
from crm_plugin.contacts import Person
from crm_plugin.graphql.access import Caller, admits, reads
from crm_plugin.graphql.arguments import channel_named, product_named
from crm_plugin.graphql.contacts import CrmContact
from crm_plugin.graphql.loaders import beside
from crm_plugin.graphql.mutation import CrmMutation
from crm_plugin.graphql.pagination import Page, list_field, page_of_list, page_of_rows
from crm_plugin.graphql.products import CrmProduct, products
from crm_plugin.graphql.rules import language_of
from crm_plugin.graphql.scalars import DateTime
from crm_plugin.shop import Actor, Offer


class CrmAwaited(graphene.ObjectType):
    """A variant that the customer waits for."""

    product_id = graphene.ID(required=True, description="The shop's Product.")
    variant_id = graphene.ID(required=True, description="The shop's ProductVariant.")
    channel = graphene.String(required=True, description="Slug of the sales channel.")
    asked_at = DateTime(required=True, description="Their place in the line: first come, first served.")


def _awaited(one: Awaited) -> CrmAwaited:
    return CrmAwaited(
        product_id=ids.to_global("Product", one.ref.product_id),
        variant_id=ids.to_global("ProductVariant", one.ref.variant_id),
        channel=one.ref.shop_channel,
        asked_at=one.asked_at,
    )


@reads
def _own_requests(actor: Actor, _info: Any) -> list[CrmAwaited]:
    contact = contacts.find(customer_id=actor.customer_id)
    return [] if contact is None else [_awaited(one) for one in activity.awaited_by(contact.pk)]


class OwnStockFields(graphene.ObjectType):
    """What a customer waits for, as fields of ``CrmMe``."""

    stock_requests = graphene.List(
        graphene.NonNull(CrmAwaited),
        required=True,
        resolver=_own_requests,
        description="What the customer asked to be told of when it can be bought again, newest first; at most 100.",
    )


def _variant(value: str) -> str:
    return ids.from_global("ProductVariant", value, field="variant_id")


_CHANNEL = "Slug of the sales channel; left out: the shop's default one."


class CrmStockRequest(CrmMutation, caller=Caller.CUSTOMER):
    """Ask to be told when a variant can be bought again; asking twice keeps the place. Requires an account."""

    is_available = graphene.Boolean(description="True: it can be bought now, nothing was kept; null when refused.")

    class Arguments:
        product_id = graphene.ID(required=True, description="The shop's Product.")
        variant_id = graphene.ID(required=True, description="The shop's ProductVariant.")
        channel = graphene.String(description=_CHANNEL)

    @classmethod
    def perform(cls, actor: Actor, *, product_id: str, variant_id: str, channel: str | None = None) -> Self:
        """Let the caller wait, who needs no confirmation: the address is that of their account."""
        ref = product_named(product_id, variant_id, channel)
        contact = contacts.get_or_create(Person(actor.customer_id, contacts.normalize_email(actor.email)))
        return cls(is_available=activity.ask_for_stock(contact.pk, ref).is_available)


class CrmStockRequestCancel(CrmMutation, caller=Caller.CUSTOMER):
    """Take the request for a variant back. Requires an account."""

    is_cancelled = graphene.Boolean(description="Whether there was one; null when refused.")

    class Arguments:
        variant_id = graphene.ID(required=True, description="The shop's ProductVariant.")
        channel = graphene.String(description=_CHANNEL)

    @classmethod
    def perform(cls, actor: Actor, *, variant_id: str, channel: str | None = None) -> Self:
        """Take it back, also for what is no longer sold."""
        contact = contacts.find(customer_id=actor.customer_id)
        variant, shop_channel = _variant(variant_id), channel_named(channel)
        return cls(
            is_cancelled=contact is not None
            and activity.stop_waiting(contact.pk, variant_id=variant, shop_channel=shop_channel)
        )


class CrmRestock(graphene.ObjectType):
    """A restock of which those who wait are being told."""

    opened_at = DateTime(required=True, description="When it could be bought again.")
    next_wave_at = DateTime(required=True, description="When the stock is read again and the next people are told.")
    waves_count = graphene.Int(required=True, description="How many times people were told so far.")
    told_count = graphene.Int(required=True, description="How many people were told so far.")


class CrmWaitingList(graphene.ObjectType):
    """How many people wait for a variant in a channel."""

    product = graphene.Field(CrmProduct, required=True, description="What the variant is of.")
    variant_id = graphene.ID(required=True, description="The shop's ProductVariant.")
    channel = graphene.String(required=True, description="Slug of the sales channel.")
    people = graphene.Int(required=True, description="How many wait, with their request confirmed.")
    since = DateTime(required=True, description="Since when the first of them waits.")
    is_available = graphene.Boolean(required=True, description="Whether it can be bought at this moment.")
    available = graphene.Int(description="Units that can be sold at this moment; null: the shop does not count them.")
    restock = graphene.Field(CrmRestock, description="Null: there is nothing to tell them of.")


class CrmWaitingListConnection(Page, node=CrmWaitingList):
    """A page of waiting lists, most people first."""


@admits(Caller.VIEWER)
def _waiting_lists(
    _actor: Actor, _info: Any, *, channel: str | None = None, language: str | None = None, **page: Any
) -> Any:
    lists = activity.waiting_lists(shop_channel="" if channel is None else channel_named(channel))
    found = page_of_list(
        CrmWaitingListConnection, lists, name=lambda one: f"{one.shop_channel}/{one.variant_id}", **page
    )
    rows = [edge.node for edge in found.edges]
    shown, offers = products({row.product_id for row in rows}, language=language_of(language)), _offers(rows)
    for edge in found.edges:
        row: WaitingList = edge.node
        edge.node = _shown(row, shown[row.product_id], offers.get((row.variant_id, row.shop_channel)))
    return found


def _offers(rows: Sequence[WaitingList]) -> dict[tuple[str, str], Offer]:
    """Return what the shop offers now of what is waited for."""
    by_channel: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        by_channel[row.shop_channel].add(row.product_id)
    return {
        (offer.variant_id, offer.shop_channel): offer
        for channel, product_ids in by_channel.items()
        for offer in shop.current().offers(product_ids, shop_channel=channel)
    }


def _shown(row: WaitingList, product: CrmProduct, offer: Offer | None) -> CrmWaitingList:
    is_sold = offer is not None and offer.is_purchasable
    return CrmWaitingList(
        product=product,
        variant_id=ids.to_global("ProductVariant", row.variant_id),
        channel=row.shop_channel,
        people=row.people,
        since=row.since,
        is_available=offer is not None and is_sold and offer.is_in_stock,
        available=offer.available if offer is not None and is_sold else 0,
        restock=None
        if row.epoch is None
        else CrmRestock(
            opened_at=row.epoch.opened_at,
            next_wave_at=row.epoch.next_wave_at,
            waves_count=row.epoch.waves_count,
            told_count=row.epoch.told_count,
        ),
    )


def _asked_at(request: Any, _info: Any) -> Any:
    return request.queued_at


class CrmWaiting(graphene.ObjectType):
    """Somebody who waits for a variant."""

    contact = graphene.Field(
        CrmContact, required=True, resolver=beside("contact", "contact_id"), description="Who waits."
    )
    asked_at = DateTime(required=True, resolver=_asked_at, description="Their place in the line.")


class CrmWaitingConnection(Page, node=CrmWaiting):
    """A page of a waiting list, who is told first first."""


@admits(Caller.VIEWER)
def _waiting_list(_actor: Actor, _info: Any, *, variant_id: str, channel: str | None = None, **page: Any) -> Any:
    rows = activity.people_waiting(variant_id=_variant(variant_id), shop_channel=channel_named(channel))
    return page_of_rows(CrmWaitingConnection, rows, moment="queued_at", is_oldest_first=True, **page)


class StockQueries(graphene.ObjectType):
    """Root fields that read waiting lists."""

    crm_waiting_lists = list_field(
        CrmWaitingListConnection,
        description="For what people wait, most people first; at most 1,000 lists. Requires view_crm.",
        resolver=_waiting_lists,
        channel=graphene.String(description="Slug of a sales channel; left out: all of them."),
        language=graphene.String(description="That the products are named in; left out: the merchant's."),
    )
    crm_waiting_list = list_field(
        CrmWaitingConnection,
        description="Who waits for a variant, in the order in which they will be told. Requires view_crm.",
        resolver=_waiting_list,
        variant_id=graphene.ID(required=True, description="The shop's ProductVariant."),
        channel=graphene.String(description=_CHANNEL),
    )


class StockMutations(graphene.ObjectType):
    """Root fields by which a customer waits for stock."""

    crm_stock_request = CrmStockRequest.Field()
    crm_stock_request_cancel = CrmStockRequestCancel.Field()
