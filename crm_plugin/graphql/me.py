"""What a customer sees and says about themself, and consent that staff record for them."""

from __future__ import annotations

from typing import Any, Self

import graphene

from crm_plugin import contacts, ids
from crm_plugin.contacts import PHONE_CHANNELS, Contact, Person
from crm_plugin.errors import InvalidInput, PermissionDenied
from crm_plugin.graphql.access import Caller, admits, reads
from crm_plugin.graphql.arguments import contact_named, name_of
from crm_plugin.graphql.attribute_history import OwnHistoryFields
from crm_plugin.graphql.contacts import CrmChannel, CrmConsent, consents_in_order
from crm_plugin.graphql.coupons import CouponFields
from crm_plugin.graphql.inbox import InboxFields
from crm_plugin.graphql.likes import LikeFields
from crm_plugin.graphql.mutation import CrmMutation
from crm_plugin.graphql.reviews import OwnReviewFields
from crm_plugin.graphql.scalars import JSON
from crm_plugin.graphql.stock import OwnStockFields
from crm_plugin.graphql.topics import CrmTopicChoice, topics_of
from crm_plugin.graphql.wishlists import WishlistFields
from crm_plugin.shop import Actor, Permission

_LONGEST_SOURCE = 64


@reads
def _own_consents(actor: Actor, _info: Any) -> list[CrmConsent]:
    contact = contacts.find(customer_id=actor.customer_id)
    return [] if contact is None else _consents(contact)


@reads
def _own_attributes(actor: Actor, _info: Any) -> dict[str, Any]:
    contact = contacts.find(customer_id=actor.customer_id)
    shown = {one.name for one in contacts.attributes() if one.is_shown_to_customer}
    return {} if contact is None else {name: value for name, value in contact.attributes.items() if name in shown}


@reads
def _own_phone(actor: Actor, _info: Any) -> str:
    contact = contacts.find(customer_id=actor.customer_id)
    return "" if contact is None else contact.phone


@reads
def _own_topics(actor: Actor, _info: Any, *, language: str = "") -> list[CrmTopicChoice]:
    return topics_of(contacts.find(customer_id=actor.customer_id), language=language)


def _customer_id(actor: Actor, _info: Any) -> str:
    return ids.to_global("User", actor.customer_id)


class CrmMe(
    CouponFields,
    InboxFields,
    LikeFields,
    OwnHistoryFields,
    OwnReviewFields,
    OwnStockFields,
    WishlistFields,
    graphene.ObjectType,
):
    """The caller as a customer."""

    customer_id = graphene.ID(required=True, resolver=_customer_id, description="The shop's User.")
    email = graphene.String(required=True, description="Of the account at the shop.")
    phone = graphene.String(required=True, resolver=_own_phone, description="In E.164; empty: none is known.")
    consents = graphene.List(
        graphene.NonNull(CrmConsent),
        required=True,
        resolver=_own_consents,
        description="Channels the customer has said something about.",
    )
    topics = graphene.List(
        graphene.NonNull(CrmTopicChoice),
        required=True,
        resolver=_own_topics,
        language=graphene.String(description="That the names are wanted in; left out: the customer's."),
        description="What the shop's advertisements are about, and which of it the customer refuses.",
    )
    attributes = JSON(
        required=True,
        resolver=_own_attributes,
        description="The customer's own values, by name, of the attributes that the merchant lets them see.",
    )


@admits(Caller.CUSTOMER)
def _me(actor: Actor, _info: Any) -> Actor:
    return actor


class MeQueries(graphene.ObjectType):
    """Root fields about the caller."""

    crm_me = graphene.Field(CrmMe, description="The caller as a customer. Requires an account.", resolver=_me)


class CrmConsentInput(graphene.InputObjectType):
    """A word of consent, or its withdrawal."""

    contact_id = graphene.ID(description="A CrmContact, which requires manage_crm; left out: the caller.")
    channel = CrmChannel(required=True, description="Through which advertisements would come.")
    is_granted = graphene.Boolean(required=True, description="True: they may come; false: it is withdrawn.")
    is_night = graphene.Boolean(
        description="Whether advertisements may come at night too (Korean law); left out: as it was."
    )
    phone = graphene.String(
        description="The person's telephone number, with SMS and KAKAO only; kept in E.164. Without the country's code "
        "it is one of the person's country, else of the shop's."
    )
    source = graphene.String(description="Where it was said, such as footer_form; kept in the log.")
    text_version = graphene.String(description="Version of the text that was agreed to; kept in the log.")


class CrmConsentUpdate(CrmMutation, caller=Caller.SELF_OR_MANAGER):
    """Record consent to marketing, or its withdrawal. Requires an account; for another person, manage_crm."""

    consents = graphene.List(graphene.NonNull(CrmConsent), description="Where the person stands now.")

    class Arguments:
        input = CrmConsentInput(required=True, description="Who said what, and where.")

    @classmethod
    def perform(cls, actor: Actor, *, input: dict[str, Any]) -> Self:
        """Record it, with where it was said and by whom."""
        contact = contact_for(actor, input.get("contact_id"))
        is_own = bool(actor.customer_id) and contact.customer_id == actor.customer_id
        channel, is_granted = str(input["channel"]), bool(input["is_granted"])
        _check(input, channel=channel, is_granted=is_granted)
        said: dict[str, Any] = {
            "channel": channel,
            "source": _short(input, "source") or ("account" if is_own else "staff"),
            "text_version": _short(input, "text_version"),
            "evidence": evidence_of(actor, is_own=is_own),
        }
        # A number that somebody typed in may be anybody's: with double opt-in it is asked first.
        is_new = _is_new_phone(contact, input.get("phone"))
        contacts.set_consent(contact.pk, is_granted=is_granted, needs_confirmation=is_own and is_new, **said)
        if input.get("is_night") is not None:
            contacts.set_night_consent(contact.pk, is_granted=input["is_night"], **said)
        return cls(consents=_consents(contact))


def _check(given: dict[str, Any], *, channel: str, is_granted: bool) -> None:
    if given.get("is_night") and not is_granted:
        raise InvalidInput("The night is agreed to only together with the channel.", field="is_night")
    if given.get("phone") is not None and channel not in PHONE_CHANNELS:
        raise InvalidInput("A telephone number is given with SMS or KAKAO only.", field="phone")


def _is_new_phone(contact: Contact, phone: str | None) -> bool:
    """Keep the number if one was given; return whether it is another one than before."""
    return phone is not None and contacts.set_phone(contact.pk, phone) != contact.phone


class CrmTopicsUpdate(CrmMutation, caller=Caller.SELF_OR_MANAGER):
    """Say which topics a person refuses, and so which not. Requires an account; for another person, manage_crm."""

    topics = graphene.List(graphene.NonNull(CrmTopicChoice), description="Where the person stands now.")

    class Arguments:
        refused = graphene.List(
            graphene.NonNull(graphene.String),
            required=True,
            description="Slugs of all topics that are refused; an empty list refuses none.",
        )
        contact_id = graphene.ID(description="A CrmContact, which requires manage_crm; left out: the caller.")

    @classmethod
    def perform(cls, actor: Actor, *, refused: list[str], contact_id: str | None = None) -> Self:
        """Keep it, with by whom it was said."""
        contact = contact_for(actor, contact_id)
        is_own = bool(actor.customer_id) and contact.customer_id == actor.customer_id
        known = set(contacts.topics().values_list("slug", flat=True))
        if unknown := sorted(set(refused) - known):
            raise InvalidInput(f"There is no topic {unknown[0]!r}.", field="refused", code="NOT_FOUND")
        said: dict[str, Any] = {
            "source": "account" if is_own else "staff",
            "evidence": evidence_of(actor, is_own=is_own),
        }
        contacts.refuse_topics(contact.pk, refused, **said)
        contacts.accept_topics(contact.pk, known - set(refused), **said)
        return cls(topics=topics_of(contact))


def evidence_of(actor: Actor, *, is_own: bool) -> dict[str, str]:
    """Return what the consent log keeps of the caller."""
    return {"said_by": "self"} if is_own else {"said_by": "staff", "recorded_by": name_of(actor)}


def contact_for(actor: Actor, contact_id: str | None) -> Contact:
    """Return whom a mutation is about: the caller, or another person if the caller may speak for them.

    Raises:
        InvalidInput: an app names nobody, or there is no such contact.
        PermissionDenied: the contact is another person and the caller may not manage.
    """
    if contact_id is None:
        if not actor.customer_id:
            raise InvalidInput("An app names the contact.", field="contact_id", code="REQUIRED")
        return contacts.get_or_create(Person(actor.customer_id, contacts.normalize_email(actor.email)))
    if Permission.MANAGE not in actor.permissions:
        raise PermissionDenied("The consent of another person needs the permission manage_crm.")
    return contact_named(contact_id, field="contact_id")


def _consents(contact: Contact) -> list[CrmConsent]:
    return consents_in_order(contacts.consent_states([contact.pk])[contact.pk])


def _short(values: dict[str, Any], field: str) -> str:
    text = (values.get(field) or "").strip()
    if len(text) > _LONGEST_SOURCE:
        raise InvalidInput(f"At most {_LONGEST_SOURCE} characters.", field=field)
    return text


class MeMutations(graphene.ObjectType):
    """Root fields by which a person speaks for themself."""

    crm_consent_update = CrmConsentUpdate.Field()
    crm_topics_update = CrmTopicsUpdate.Field()
