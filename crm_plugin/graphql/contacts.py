"""Contacts: the people we may message."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import graphene

from crm_plugin import contacts, ids
from crm_plugin.audience import Stage
from crm_plugin.contacts import ChannelKind, ConsentBasis, ConsentState, Contact
from crm_plugin.graphql.access import Caller, admits
from crm_plugin.graphql.enums import CrmEnum
from crm_plugin.graphql.loaders import beside, loaders
from crm_plugin.graphql.pagination import Page, list_field, page_of_rows
from crm_plugin.graphql.rows import Row
from crm_plugin.graphql.scalars import JSON, DateTime, Decimal
from crm_plugin.shop import Actor


class CrmChannel(CrmEnum):
    """How a person can be reached."""

    class Meta:
        enum = ChannelKind
        words = {
            ChannelKind.EMAIL: "Mail to the person's address.",
            ChannelKind.SMS: "Text messages to the person's telephone, short and long ones.",
            ChannelKind.KAKAO: "KakaoTalk, by telephone number: Alimtalk and Brand Message.",
            ChannelKind.WEB_PUSH: "Notifications of the person's browsers.",
            ChannelKind.APP_PUSH: "Notifications of the shop's app.",
            ChannelKind.INBOX: "Notes in the person's account at the shop.",
        }


class CrmConsentBasis(CrmEnum):
    """What allows an advertisement: the person's own word, or a purchase."""

    class Meta:
        enum = ConsentBasis
        words = {
            ConsentBasis.EXPRESS: "The person said so.",
            ConsentBasis.SOFT_OPT_IN: "A purchase, where the law of the buyer's country allows it.",
        }


class CrmConsent(graphene.ObjectType):
    """Where a person stands now on marketing through one channel. Nothing said means no."""

    channel = CrmChannel(required=True, description="Through which advertisements would come.")
    is_granted = graphene.Boolean(required=True, description="False too when it has run out or waits for confirmation.")
    is_night_granted = graphene.Boolean(required=True, description="Whether it holds at night too (Korean law).")
    changed_at = DateTime(required=True, description="When the person last said something, or it ran out.")
    basis = CrmConsentBasis(required=True, description="What it rests on.")
    expires_at = DateTime(description="When the consent that a purchase stood for runs out, or ran out; null: never.")


def consents_in_order(states: Iterable[ConsentState]) -> list[CrmConsent]:
    """Return one entry a channel that the person has said something about, by channel."""
    names = ("channel", "is_granted", "is_night_granted", "changed_at", "basis", "expires_at")
    return [CrmConsent(**{name: getattr(state, name) for name in names}) for state in states]


class CrmSpend(graphene.ObjectType):
    """What a person spent in one currency. Currencies are never added up."""

    amount = Decimal(required=True, description="Of orders that were not cancelled, in the currency's major unit.")
    currency = graphene.String(required=True, description="ISO 4217, such as EUR.")
    orders_count = graphene.Int(required=True, description="Orders in this currency that were not cancelled.")


def _customer_id(contact: Contact, _info: Any) -> str | None:
    return ids.to_global("User", contact.customer_id) if contact.customer_id else None


def _consents(contact: Contact, info: Any) -> Any:
    return loaders(info).consents.load(contact.pk).then(consents_in_order)


def _touch(which: str) -> Callable[[Any, Any], CrmTouch]:
    names = ("at", "source", "medium", "campaign", "keyword", "referrer")

    def read(inflow: Any, _info: Any) -> CrmTouch:
        return CrmTouch(**{name: getattr(inflow, f"{which}_{name}") for name in names})

    return read


class CrmStage(CrmEnum):
    """Where a contact stands in its life with the shop."""

    class Meta:
        enum = Stage
        words = {
            Stage.VISITOR: "Nobody knows who it is; only those who are known have a score.",
            Stage.LEAD: "Known, and never ordered.",
            Stage.NEW: "One order, in the last 30 days.",
            Stage.ACTIVE: "The last order was in the last 90 days.",
            Stage.AT_RISK: "The last order was 90 to 180 days ago.",
            Stage.LAPSED: "The last order was more than 180 days ago.",
        }


class CrmScore(graphene.ObjectType):
    """How a contact stands among all: fifths of recency, frequency and amount (5 is best), and what follows."""

    recency = graphene.Int(description="1 to 5; null: never bought.")
    frequency = graphene.Int(description="1 to 5; null: never bought.")
    monetary = graphene.Int(description="1 to 5; null: never bought.")
    label = graphene.String(required=True, description="What the three say together, such as champions; or empty.")
    stage = CrmStage(required=True, description="By the days since the last order, whatever others do.")
    computed_at = DateTime(required=True, description="When the numbers last changed.")


class CrmTouch(graphene.ObjectType):
    """What brought a person to the shop."""

    at = DateTime(required=True, description="When they came.")
    source = graphene.String(required=True, description="`utm_source`, else what the referrer says; direct: neither.")
    medium = graphene.String(required=True, description="`utm_medium`, else organic or referral; empty: direct.")
    campaign = graphene.String(required=True, description="`utm_campaign`; empty: none.")
    keyword = graphene.String(required=True, description="What was searched for, or `utm_term`; empty: not told.")
    referrer = graphene.String(
        required=True, description="Host of the page that linked here; empty: none, or not told."
    )


class CrmInflow(graphene.ObjectType):
    """Where a contact came from."""

    first = graphene.Field(
        CrmTouch, required=True, resolver=_touch("first"), description="The first visit that names a source."
    )
    last = graphene.Field(
        CrmTouch, required=True, resolver=_touch("last"), description="The last visit that names a source."
    )
    browser = graphene.String(required=True, description="Family of the last visit's browser.")


def segment_type() -> Any:
    """Return the type of segments, whose members are contacts: each names the other."""
    from crm_plugin.graphql.segments import CrmSegment  # noqa: PLC0415 - it imports this module

    return CrmSegment


class CrmContact(Row):
    """A person we may message, with or without an account. An erased one has nothing that names them."""

    customer_id = graphene.ID(resolver=_customer_id, description="The shop's User; null: a guest.")
    email = graphene.String(description="In lower case; null: none is known.")
    phone = graphene.String(required=True, description="In E.164; empty: none is known.")
    first_name = graphene.String(required=True, description="Empty: not known.")
    last_name = graphene.String(required=True, description="Empty: not known.")
    language = graphene.String(required=True, description="Code, such as ko; empty: not known.")
    country = graphene.String(required=True, description="ISO 3166, such as KR; empty: not known.")
    time_zone = graphene.String(required=True, description="Such as Asia/Seoul; empty: not known.")
    consents = graphene.List(
        graphene.NonNull(CrmConsent),
        required=True,
        resolver=_consents,
        description="One entry a channel that the person has said something about.",
    )
    orders_count = graphene.Int(required=True, description="Orders that were not cancelled.")
    spent = graphene.List(
        graphene.NonNull(CrmSpend),
        required=True,
        resolver=beside("spends"),
        description="By currency; cancelled orders left out.",
    )
    attributes = JSON(required=True, description="What the merchant declared, by name; see crmAttributes.")
    segments = graphene.List(
        graphene.NonNull(segment_type),
        required=True,
        resolver=beside("segments"),
        description="Those they are in, by name.",
    )
    score = graphene.Field(CrmScore, resolver=beside("score"), description="Null: not computed yet.")
    inflow = graphene.Field(CrmInflow, resolver=beside("inflow"), description="Null: no visit was told.")
    first_order_at = DateTime(description="Of those not cancelled; null: never ordered.")
    last_order_at = DateTime(description="Of those not cancelled; null: never ordered.")
    last_seen_at = DateTime(description="When they last did something themselves; null: never.")
    joined_at = DateTime(description="When the account was made.")
    created_at = DateTime(required=True, description="When the CRM first heard of them.")
    erased_at = DateTime(description="When they were forgotten; null: they were not.")


class CrmContactConnection(Page, node=CrmContact):
    """A page of contacts, newest first."""


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
