"""What a customer sees and says about themself, and consent that staff record for them."""

from __future__ import annotations

from typing import Any, Self

import graphene

from crm_plugin import contacts, ids
from crm_plugin.contacts import Contact, Person
from crm_plugin.errors import InvalidInput, PermissionDenied
from crm_plugin.graphql.access import Caller, admits, reads
from crm_plugin.graphql.arguments import name_of, row_key
from crm_plugin.graphql.contacts import CrmChannel, CrmConsent, consents_in_order
from crm_plugin.graphql.likes import CrmLikeConnection, page_of_likes
from crm_plugin.graphql.mutation import CrmMutation
from crm_plugin.graphql.pagination import list_field
from crm_plugin.graphql.scalars import JSON
from crm_plugin.shop import Actor, Permission

_LONGEST_SOURCE = 64


@reads
def _likes(actor: Actor, _info: Any, **page: Any) -> Any:
    return page_of_likes(actor.customer_id, **page)


@reads
def _own_consents(actor: Actor, _info: Any) -> list[CrmConsent]:
    contact = contacts.find(customer_id=actor.customer_id)
    return [] if contact is None else _consents(contact)


@reads
def _own_attributes(actor: Actor, _info: Any) -> dict[str, Any]:
    contact = contacts.find(customer_id=actor.customer_id)
    shown = {one.name for one in contacts.attributes() if one.is_shown_to_customer}
    return {} if contact is None else {name: value for name, value in contact.attributes.items() if name in shown}


def _customer_id(actor: Actor, _info: Any) -> str:
    return ids.to_global("User", actor.customer_id)


class CrmMe(graphene.ObjectType):
    """The caller as a customer."""

    customer_id = graphene.ID(required=True, resolver=_customer_id, description="The shop's User.")
    email = graphene.String(required=True)
    likes = list_field(CrmLikeConnection, description="What the customer likes, newest first.", resolver=_likes)
    consents = graphene.List(
        graphene.NonNull(CrmConsent),
        required=True,
        resolver=_own_consents,
        description="Channels the customer has said something about.",
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
    channel = CrmChannel(required=True)
    is_granted = graphene.Boolean(required=True)
    source = graphene.String(description="Where it was said, such as footer_form; kept in the log.")
    text_version = graphene.String(description="Version of the text that was agreed to; kept in the log.")


class CrmConsentUpdate(CrmMutation):
    """Record consent to marketing, or its withdrawal. Requires an account; for another person, manage_crm."""

    consents = graphene.List(graphene.NonNull(CrmConsent), description="Where the person stands now.")

    class Arguments:
        input = CrmConsentInput(required=True)

    class Meta:
        caller = Caller.SELF_OR_MANAGER

    @classmethod
    def perform(cls, actor: Actor, *, input: dict[str, Any]) -> Self:
        """Record it, with where it was said and by whom."""
        contact = _contact(actor, input.get("contact_id"))
        is_own = bool(actor.customer_id) and contact.customer_id == actor.customer_id
        contacts.set_consent(
            contact.pk,
            channel=str(input["channel"]),
            is_granted=input["is_granted"],
            source=_short(input, "source") or ("account" if is_own else "staff"),
            text_version=_short(input, "text_version"),
            evidence={"said_by": "self"} if is_own else {"said_by": "staff", "recorded_by": name_of(actor)},
        )
        return cls(consents=_consents(contact))


def _contact(actor: Actor, contact_id: str | None) -> Contact:
    if contact_id is None:
        if not actor.customer_id:
            raise InvalidInput("An app names the contact.", field="contact_id", code="REQUIRED")
        return contacts.get_or_create(Person(actor.customer_id, contacts.normalize_email(actor.email)))
    if Permission.MANAGE not in actor.permissions:
        raise PermissionDenied("The consent of another person needs the permission manage_crm.")
    key = row_key("CrmContact", contact_id, field="contact_id")
    found = contacts.contacts().filter(pk=key, erased_at=None).first()
    if found is None:
        raise InvalidInput("There is no such contact.", field="contact_id", code="NOT_FOUND")
    return found


def _consents(contact: Contact) -> list[CrmConsent]:
    return consents_in_order(dict(contacts.consents_of([contact.pk]).get(contact.pk, {})))


def _short(values: dict[str, Any], field: str) -> str:
    text = (values.get(field) or "").strip()
    if len(text) > _LONGEST_SOURCE:
        raise InvalidInput(f"At most {_LONGEST_SOURCE} characters.", field=field)
    return text


class MeMutations(graphene.ObjectType):
    """Root fields by which a person speaks for themself."""

    crm_consent_update = CrmConsentUpdate.Field()
