"""The inbox of a customer: what campaigns sent there, and whether it was read."""

from __future__ import annotations

from typing import Any, Self

import graphene

from crm_plugin import contacts, messaging
from crm_plugin.errors import InvalidInput
from crm_plugin.graphql.access import Caller, reads
from crm_plugin.graphql.arguments import NOBODY, row_key
from crm_plugin.graphql.mutation import CrmMutation
from crm_plugin.graphql.pagination import PAGE_LIMIT, Page, list_field, page_of_rows
from crm_plugin.graphql.rows import Row
from crm_plugin.graphql.scalars import DateTime
from crm_plugin.shop import Actor


def _own_id(actor: Actor) -> int:
    contact = contacts.find(customer_id=actor.customer_id)
    return contact.pk if contact else NOBODY


class CrmInboxNote(Row):
    """A note in the inbox of a customer."""

    title = graphene.String(required=True, description="One line of plain text.")
    text = graphene.String(required=True, description="Plain text.")
    url = graphene.String(
        required=True, description="Where it leads, an address that counts the click; empty: nowhere."
    )
    image_url = graphene.String(required=True, description="Empty: none.")
    created_at = DateTime(required=True, description="When it was put there.")
    read_at = DateTime(description="Null: not read yet.")


class CrmInboxNoteConnection(Page, node=CrmInboxNote):
    """A page of notes, newest first."""


@reads
def _inbox(actor: Actor, _info: Any, *, is_read: bool | None = None, **page: Any) -> Any:
    rows = messaging.notes_of(_own_id(actor))
    if is_read is not None:
        rows = rows.filter(read_at__isnull=not is_read)
    return page_of_rows(CrmInboxNoteConnection, rows, **page)


@reads
def _unread_count(actor: Actor, _info: Any) -> int:
    return messaging.unread_count(_own_id(actor))


class InboxFields:
    """The part of ``crmMe`` that is the inbox."""

    inbox = list_field(
        CrmInboxNoteConnection,
        description="Notes to the customer, newest first.",
        resolver=_inbox,
        is_read=graphene.Boolean(description="Only those that were read, or only those that were not."),
    )
    inbox_unread_count = graphene.Int(
        required=True, resolver=_unread_count, description="Notes that the customer has not read."
    )


class CrmInboxMarkRead(CrmMutation, caller=Caller.CUSTOMER):
    """Mark notes of the caller's inbox as read. Requires an account."""

    marked_count = graphene.Int(description="How many had not been read before.")
    unread_count = graphene.Int(description="How many are left.")

    class Arguments:
        ids = graphene.List(graphene.NonNull(graphene.ID), description=f"At most {PAGE_LIMIT} notes.")
        all = graphene.Boolean(description="All notes, instead of ids.")

    @classmethod
    def perform(cls, actor: Actor, *, ids: list[str] | None = None, all: bool = False) -> Self:
        """Mark them; ids of other people's notes name nothing."""
        if (ids is None) is not bool(all):
            raise InvalidInput("Give either `ids` or `all: true`.", field="ids", code="REQUIRED")
        if ids is not None and len(ids) > PAGE_LIMIT:
            raise InvalidInput(f"At most {PAGE_LIMIT} at once.", field="ids")
        keys = None if ids is None else [row_key("CrmInboxNote", one, field="ids") for one in ids]
        own = _own_id(actor)
        marked = messaging.mark_read(own, note_ids=keys)
        return cls(marked_count=marked, unread_count=messaging.unread_count(own))


class InboxMutations(graphene.ObjectType):
    """Root fields that change the caller's inbox."""

    crm_inbox_mark_read = CrmInboxMarkRead.Field()
