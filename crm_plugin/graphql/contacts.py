"""Contacts: the people we may message."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import graphene
from graphene.relay import Connection, Node

from crm_plugin import contacts, ids
from crm_plugin.audience import Stage
from crm_plugin.contacts import ChannelKind, ConsentBasis, ConsentState, Contact
from crm_plugin.graphql.access import Caller, admits
from crm_plugin.graphql.loaders import loaders
from crm_plugin.graphql.pagination import list_field, page_of_rows
from crm_plugin.graphql.scalars import JSON, DateTime, Decimal
from crm_plugin.shop import Actor


class CrmChannel(graphene.Enum):
    """How a person can be reached."""

    class Meta:
        enum = ChannelKind


class CrmConsentBasis(graphene.Enum):
    """What allows an advertisement: the person's own word, or a purchase."""

    class Meta:
        enum = ConsentBasis


class CrmConsent(graphene.ObjectType):
    """Where a person stands now on marketing through one channel. Nothing said means no."""

    channel = CrmChannel(required=True)
    is_granted = graphene.Boolean(required=True, description="False too when it has run out or waits for confirmation.")
    is_night_granted = graphene.Boolean(required=True, description="Whether it holds at night too (Korean law).")
    changed_at = DateTime(required=True)
    basis = CrmConsentBasis(required=True)
    expires_at = DateTime(description="When the consent that a purchase stood for runs out, or ran out; null: never.")


def consents_in_order(states: Iterable[ConsentState]) -> list[CrmConsent]:
    """Return one entry a channel that the person has said something about, by channel."""
    names = ("channel", "is_granted", "is_night_granted", "changed_at", "basis", "expires_at")
    return [CrmConsent(**{name: getattr(state, name) for name in names}) for state in states]


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


def _segments(contact: Contact, info: Any) -> Any:
    return loaders(info).segments.load(contact.pk)


def _score(contact: Contact, info: Any) -> Any:
    return loaders(info).score.load(contact.pk)


def _inflow(contact: Contact, info: Any) -> Any:
    return loaders(info).inflow.load(contact.pk)


def _touch(which: str) -> Callable[[Any, Any], CrmTouch]:
    names = ("at", "source", "medium", "campaign", "keyword", "referrer")

    def read(inflow: Any, _info: Any) -> CrmTouch:
        return CrmTouch(**{name: getattr(inflow, f"{which}_{name}") for name in names})

    return read


class CrmStage(graphene.Enum):
    """Where a contact stands in its life with the shop."""

    class Meta:
        enum = Stage


class CrmScore(graphene.ObjectType):
    """How a contact stands among all: fifths of recency, frequency and amount (5 is best), and what follows."""

    recency = graphene.Int(description="1 to 5; null: never bought.")
    frequency = graphene.Int(description="1 to 5; null: never bought.")
    monetary = graphene.Int(description="1 to 5; null: never bought.")
    label = graphene.String(required=True, description="What the three say together, such as champions; or empty.")
    stage = CrmStage(required=True)
    computed_at = DateTime(required=True)


class CrmTouch(graphene.ObjectType):
    """What brought a person to the shop."""

    at = DateTime(required=True)
    source = graphene.String(required=True, description="`utm_source`, else what the referrer says; direct: neither.")
    medium = graphene.String(required=True)
    campaign = graphene.String(required=True)
    keyword = graphene.String(required=True)
    referrer = graphene.String(required=True)


class CrmInflow(graphene.ObjectType):
    """Where a contact came from."""

    first = graphene.Field(CrmTouch, required=True, resolver=_touch("first"))
    last = graphene.Field(CrmTouch, required=True, resolver=_touch("last"))
    browser = graphene.String(required=True, description="Family of the last visit's browser.")


def segment_type() -> Any:
    """Return the type of segments, whose members are contacts: each names the other."""
    from crm_plugin.graphql.segments import CrmSegment  # noqa: PLC0415 - it imports this module

    return CrmSegment


class CrmContact(graphene.ObjectType):
    """A person we may message, with or without an account. An erased one has nothing that names them."""

    customer_id = graphene.ID(resolver=_customer_id, description="The shop's User; null: a guest.")
    email = graphene.String()
    phone = graphene.String(required=True, description="In E.164; empty: none is known.")
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
    attributes = JSON(required=True, description="What the merchant declared, by name; see crmAttributes.")
    segments = graphene.List(
        graphene.NonNull(segment_type), required=True, resolver=_segments, description="Those they are in, by name."
    )
    score = graphene.Field(CrmScore, resolver=_score, description="Null: not computed yet.")
    inflow = graphene.Field(CrmInflow, resolver=_inflow, description="Null: no visit was told.")
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
    rows = contacts.contacts().exclude(customer_id=None, email=None, erased_at=None)
    if email is not None:
        rows = rows.filter(email=contacts.normalize_email(email))
    if customer_id is not None:
        rows = rows.filter(customer_id=ids.from_global("User", customer_id, field="customerId"))
    return page_of_rows(CrmContactConnection, rows, **page)


class ContactQueries(graphene.ObjectType):
    """Root fields that read contacts."""

    crm_contacts = list_field(
        CrmContactConnection,
        description="Contacts, newest first; visitors whom nobody knows are left out. Requires view_crm.",
        resolver=_contacts,
        email=graphene.String(description="Only the contact with exactly this e-mail address, whatever its case."),
        customer_id=graphene.ID(description="Only the contact of this User of the shop."),
    )
