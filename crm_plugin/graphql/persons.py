"""One person, as somebody names who asks for a copy of what is kept about them, or to be forgotten."""

from __future__ import annotations

from typing import Any, Self

import graphene

from crm_plugin import ids, persons
from crm_plugin.contacts import normalize_email
from crm_plugin.errors import InvalidInput
from crm_plugin.graphql.access import Caller
from crm_plugin.graphql.mutation import CrmMutation
from crm_plugin.shop import Actor


class CrmPersonInput(graphene.InputObjectType):
    """One person: by the account, by the e-mail address, or by both."""

    customer_id = graphene.ID(description="The shop's User.")
    email = graphene.String(description="Whatever its case.")


def identity_of(person: dict[str, str]) -> dict[str, str]:
    """Return who is meant, as ``persons`` and ``contacts`` take it.

    Raises:
        InvalidInput: nobody is named, or in a way that cannot be anybody.
    """
    account, written = person.get("customer_id"), person.get("email")
    email = normalize_email(written or "")
    if written and not email:
        raise InvalidInput(f"{written!r} is no e-mail address.", field="person.email")
    customer_id = ids.from_global("User", account, field="person.customerId") if account else ""
    if not (customer_id or email):
        raise InvalidInput("Say whom: customerId, email, or both.", field="person", code="REQUIRED")
    return {"customer_id": customer_id, "email": email}


class CrmPersonErase(CrmMutation, caller=Caller.MANAGER):
    """Forget a person everywhere (GDPR, article 17): counts stay, what names them goes. Requires manage_crm.

    What the shop itself keeps is the shop's to delete. Somebody of whom nothing is known yet is not recorded either
    from facts that are older than this.
    """

    contacts_count = graphene.Int(description="How many contacts were erased: 0, 1, or an account and a guest.")

    class Arguments:
        person = CrmPersonInput(required=True, description="Who is to be forgotten.")

    @classmethod
    def perform(cls, _actor: Actor, *, person: dict[str, Any]) -> Self:
        """Forget them."""
        return cls(contacts_count=persons.erase(**identity_of(person)))


class PersonMutations(graphene.ObjectType):
    """Root fields about everything that is kept about a person."""

    crm_person_erase = CrmPersonErase.Field()
