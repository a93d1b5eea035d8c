"""Attributes of contacts: what the merchant declares, and each person's values."""

from __future__ import annotations

from typing import Any, Self

import graphene

from crm_plugin import contacts
from crm_plugin.contacts import Attribute, AttributeKind
from crm_plugin.errors import InvalidInput
from crm_plugin.graphql.access import Caller, admits
from crm_plugin.graphql.arguments import contact_named
from crm_plugin.graphql.contacts import CrmContact
from crm_plugin.graphql.enums import CrmEnum
from crm_plugin.graphql.mutation import CrmMutation, result
from crm_plugin.graphql.pagination import Page, list_field, page_of_list
from crm_plugin.graphql.rows import Row, row_id
from crm_plugin.graphql.scalars import JSON, DateTime
from crm_plugin.shop import Actor


class CrmAttributeKind(CrmEnum):
    """What an attribute holds. A date is written YYYY-MM-DD, tags are a list of words."""

    class Meta:
        enum = AttributeKind
        words = {
            AttributeKind.TEXT: "Words; compared whatever their case.",
            AttributeKind.NUMBER: "Such as a balance of points.",
            AttributeKind.BOOLEAN: "Yes or no.",
            AttributeKind.DATE: "A day, written YYYY-MM-DD.",
            AttributeKind.TAGS: "A list of words.",
        }


class CrmAttribute(Row):
    """An attribute that contacts can have, such as a birthday or a points balance."""

    name = graphene.String(required=True, description="By which conditions and templates name it.")
    label = graphene.String(required=True, description="What people read.")
    kind = CrmAttributeKind(required=True, description="Never changes.")
    is_shown_to_customer = graphene.Boolean(
        required=True, description="Whether customers see their own value in `crmMe`."
    )
    keeps_history = graphene.Boolean(
        required=True, description="Whether its changes are kept and told to campaigns; of numbers only."
    )
    created_at = DateTime(required=True, description="When it was declared.")


class CrmAttributeConnection(Page, node=CrmAttribute):
    """A page of attributes."""


def _name(attribute: Attribute) -> str:
    return attribute.name


@admits(Caller.VIEWER)
def _attributes(_actor: Actor, _info: Any, **page: Any) -> Any:
    return page_of_list(CrmAttributeConnection, contacts.attributes(), name=_name, **page)


class AttributeQueries(graphene.ObjectType):
    """Root fields that read attributes."""

    crm_attributes = list_field(
        CrmAttributeConnection, description="The declared attributes. Requires view_crm.", resolver=_attributes
    )


class CrmAttributeDeclare(CrmMutation, caller=Caller.MANAGER):
    """Declare an attribute; a second time changes its label and who sees it, never its kind. Requires manage_crm."""

    attribute = result(CrmAttribute)

    class Arguments:
        name = graphene.String(required=True, description="Lower-case letters, digits and _.")
        kind = CrmAttributeKind(required=True, description="What it holds; never to be changed.")
        label = graphene.String(description="What people read; the one it has when left out.")
        is_shown_to_customer = graphene.Boolean(
            description="Whether customers see their own value in `crmMe`; at first they do not."
        )
        keeps_history = graphene.Boolean(
            description="Whether its changes are kept and told to campaigns, as a balance needs; at first they are not."
        )

    @classmethod
    def perform(
        cls,
        _actor: Actor,
        *,
        name: str,
        kind: str,
        label: str | None = None,
        is_shown_to_customer: bool | None = None,
        keeps_history: bool | None = None,
    ) -> Self:
        """Declare it."""
        if label is None:
            label = next((known.label for known in contacts.attributes() if known.name == name), "")
        declared = contacts.declare_attribute(
            name, kind, label, is_shown_to_customer=is_shown_to_customer, keeps_history=keeps_history
        )
        return cls(attribute=declared)


class CrmContactAttributesUpdate(CrmMutation, caller=Caller.MANAGER):
    """Set attributes of one contact: what is left out stays, null takes a value away. Requires manage_crm."""

    contact = result(CrmContact)

    class Arguments:
        contact = row_id("CrmContact")
        attributes = JSON(required=True, description="Values by name.")

    @classmethod
    def perform(cls, _actor: Actor, *, contact: str, attributes: Any) -> Self:
        """Set them."""
        found = contact_named(contact, field="contact")
        if not isinstance(attributes, dict):
            raise InvalidInput("Give an object: values by name.", field="attributes")
        contacts.set_attributes(found.pk, attributes)
        found.refresh_from_db()
        return cls(contact=found)


class AttributeMutations(graphene.ObjectType):
    """Root fields that change attributes."""

    crm_attribute_declare = CrmAttributeDeclare.Field()
    crm_contact_attributes_update = CrmContactAttributesUpdate.Field()
