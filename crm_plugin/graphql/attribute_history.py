"""The history of balances, for the merchant and for the customer whose they are."""

from __future__ import annotations

from typing import Any

import graphene

from crm_plugin import contacts
from crm_plugin.contacts import ChangeSource, Contact
from crm_plugin.graphql.access import Caller, admits, reads
from crm_plugin.graphql.arguments import row_key
from crm_plugin.graphql.enums import CrmEnum
from crm_plugin.graphql.pagination import Page, list_field, page_of_rows
from crm_plugin.graphql.rows import row_id
from crm_plugin.graphql.scalars import DateTime, Decimal
from crm_plugin.shop import Actor


class CrmChangeSource(CrmEnum):
    """Who changed a value."""

    class Meta:
        enum = ChangeSource
        words = {
            ChangeSource.API: "Somebody who used this API.",
            ChangeSource.IMPORT: "An imported file.",
            ChangeSource.SHOP: "The shop itself: what is left on gift cards.",
            ChangeSource.CAMPAIGN: "A step of a campaign.",
        }


class CrmAttributeChange(graphene.ObjectType):
    """A value that keeps its history changed."""

    name = graphene.String(required=True, description="Of the attribute.")
    before = Decimal(description="Null: there was none.")
    after = Decimal(description="Null: there is none any more.")
    source = CrmChangeSource(required=True, description="Who changed it.")
    changed_at = DateTime(required=True, description="When the new value came.")


class CrmAttributeChangeConnection(Page, node=CrmAttributeChange):
    """A page of changes, newest first."""


def _page(contact: Contact | None, names: list[str], **page: Any) -> Any:
    rows = contacts.attribute_changes(0 if contact is None else contact.pk, names)
    return page_of_rows(CrmAttributeChangeConnection, rows, moment="changed_at", **page)


@admits(Caller.VIEWER)
def _changes(_actor: Actor, _info: Any, *, contact: str, name: str | None = None, **page: Any) -> Any:
    names = [one.name for one in contacts.attributes() if name in (None, one.name)]
    found = contacts.contacts().filter(pk=row_key("CrmContact", contact, field="contact")).first()
    return _page(found, names, **page)


@reads
def _own_changes(actor: Actor, _info: Any, *, name: str | None = None, **page: Any) -> Any:
    shown = [one.name for one in contacts.attributes() if one.is_shown_to_customer and name in (None, one.name)]
    return _page(contacts.find(customer_id=actor.customer_id), shown, **page)


_NAME = graphene.String(description="Of one attribute; left out: of all that keep their history.")


class AttributeHistoryQueries(graphene.ObjectType):
    """Root fields that read histories."""

    crm_attribute_changes = list_field(
        CrmAttributeChangeConnection,
        description="How a contact's balances changed, newest first. Requires view_crm.",
        resolver=_changes,
        contact=row_id("CrmContact"),
        name=_NAME,
    )


class OwnHistoryFields:
    """The part of `crmMe` about the customer's own balances."""

    attribute_changes = list_field(
        CrmAttributeChangeConnection,
        description="How the balances changed that the merchant lets the customer see, newest first.",
        resolver=_own_changes,
        name=_NAME,
    )
