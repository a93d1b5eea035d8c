"""Contacts: the people we may message."""

from __future__ import annotations

from typing import Any

import graphene
from graphene.relay import Connection, Node

from crm_plugin import contacts, ids
from crm_plugin.contacts import ChannelKind, Contact
from crm_plugin.graphql.access import Caller, admits
from crm_plugin.graphql.loaders import loaders
from crm_plugin.graphql.pagination import list_field, page_of_rows
from crm_plugin.graphql.scalars import DateTime, Decimal
from crm_plugin.shop import Actor


class CrmChannel(graphene.Enum):
    """How a person can be reached."""

    class Meta:
        enum = ChannelKind


class CrmConsent(graphene.ObjectType):
    """Where a person stands now on marketing through one channel. Nothing said means no."""

    channel = CrmChannel(required=True)
    is_granted = graphene.Boolean(required=True)


def consents_in_order(consents: dict[str, bool]) -> list[CrmConsent]:
    """Return one entry a channel that the person has said something about."""
    return [CrmConsent(channel=channel, is_granted=consents[channel]) for channel in sorted(consents)]


class CrmSpend(graphene.ObjectType):
    """What a person spent in one currency. Currencies are never added up."""

    amount = Decimal(required=True)
    currency = graphene.String(required=True)
    orders_count = graphene.Int(required=True)


def _customer_id(contact: Contact, _info: Any) -> str | None:
    return ids.to_global("User", contact.customer_id) if contact.customer_id else None


def _consents(contact: Contact, info: Any) -> Any:
    return loaders(info).consents.load(contact.pk).then(consents_in_order)


def _spent(contact: Contact, info: Any) -> Any:
    return loaders(info).spends.load(contact.pk)


class CrmContact(graphene.ObjectType):
    """A person we may message, with or without an account. An erased one has nothing that names them."""

    customer_id = graphene.ID(resolver=_customer_id, description="The shop's User; null: a guest.")
    email = graphene.String()
    first_name = graphene.String(required=True)
    last_name = graphene.String(required=True)
    language = graphene.String(required=True)
    country = graphene.String(required=True)
    time_zone = graphene.String(required=True)
    consents = graphene.List(graphene.NonNull(CrmConsent), required=True, resolver=_consents)
    orders_count = graphene.Int(required=True)
    spent = graphene.List(
        graphene.NonNull(CrmSpend),
        required=True,
        resolver=_spent,
        description="By currency; cancelled orders left out.",
    )
    first_order_at = DateTime()
    last_order_at = DateTime()
    last_seen_at = DateTime()
    joined_at = DateTime(description="When the account was made.")
    created_at = DateTime(required=True)
    erased_at = DateTime()

    class Meta:
        interfaces = (Node,)


class CrmContactConnection(Connection):
    """A page of contacts, newest first."""

    class Meta:
        node = CrmContact


@admits(Caller.VIEWER)
def _contacts(
    _actor: Actor, _info: Any, *, email: str | None = None, customer_id: str | None = None, **page: Any
) -> Any:
    rows = contacts.contacts()
    if email is not None:
        rows = rows.filter(email=contacts.normalize_email(email))
    if customer_id is not None:
        rows = rows.filter(customer_id=ids.from_global("User", customer_id, field="customerId"))
    return page_of_rows(CrmContactConnection, rows, **page)


class ContactQueries(graphene.ObjectType):
    """Root fields that read contacts."""

    crm_contacts = list_field(
        CrmContactConnection,
        description="Contacts, newest first. Requires view_crm.",
        resolver=_contacts,
        email=graphene.String(description="Only the contact with exactly this e-mail address, whatever its case."),
        customer_id=graphene.ID(description="Only the contact of this User of the shop."),
    )
