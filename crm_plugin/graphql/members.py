"""Who is in a segment: the pages of its members, and people put in or taken out by hand."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import Any, Self, TypeVar

import graphene

from crm_plugin import audience
from crm_plugin.audience import Member, Segment
from crm_plugin.contacts import contacts as all_contacts
from crm_plugin.contacts import normalize_email
from crm_plugin.errors import InvalidInput
from crm_plugin.graphql.access import Caller, reads
from crm_plugin.graphql.arguments import row_key
from crm_plugin.graphql.contacts import CrmContact, segment_type
from crm_plugin.graphql.loaders import loaders
from crm_plugin.graphql.mutation import CrmMutation, result
from crm_plugin.graphql.pagination import Page, Window, key_bounds, list_field, page_of_keys
from crm_plugin.graphql.rows import row_id
from crm_plugin.graphql.scalars import DateTime
from crm_plugin.shop import Actor

K = TypeVar("K")

#: The most that one call puts in or takes out by hand; more come by import.
MOST_BY_HAND = 1_000


class CrmMemberConnection(Page, node=CrmContact):
    """A page of members, those whom the CRM came to know last first."""

    class Edge:
        joined_at = DateTime(required=True, description="When they joined the segment.")


@reads
def _members(segment: Segment, info: Any, **page: Any) -> Any:
    window = Window.read(CrmMemberConnection, **page)
    key_bounds(window)  # a wrong cursor is refused here, not for every row of the page at once

    def shown(found: Sequence[Member]) -> Any:
        joined = {member.contact_id: member.joined_at for member in found}
        page = page_of_keys([member.contact for member in found], window=window)
        for edge in page.edges:
            edge.joined_at = joined[edge.node.pk]
        return page

    return loaders(info).members.load((segment.pk, window)).then(shown)


def members_field() -> Any:
    """Return the field of a segment that pages through its members."""
    return list_field(CrmMemberConnection, description="Who is in it, the contacts made last first.", resolver=_members)


class _HandArguments:
    segment = row_id("CrmSegment")
    contacts = graphene.List(graphene.NonNull(graphene.ID), description="CrmContacts.")
    emails = graphene.List(graphene.NonNull(graphene.String), description="Addresses of contacts, in any case.")


def _people(*, contacts: Sequence[str] | None, emails: Sequence[str] | None) -> list[int]:
    """Return the keys of the people that are named, each once.

    Raises:
        InvalidInput: naming the first that is nobody's.
    """
    if not contacts and not emails:
        raise InvalidInput("Name somebody, by `contacts` or `emails`.", field="contacts", code="REQUIRED")
    if len(contacts or ()) + len(emails or ()) > MOST_BY_HAND:
        raise InvalidInput(f"At most {MOST_BY_HAND} at once; import a file for more.", field="contacts", code="LIMIT")
    keys = [row_key("CrmContact", value, field=f"contacts.{place}") for place, value in enumerate(contacts or ())]
    plain = [normalize_email(value) for value in emails or ()]
    known = all_contacts().filter(erased_at=None)
    by_key = set(known.filter(pk__in=keys).values_list("pk", flat=True))
    by_email = dict(known.filter(email__in=plain).values_list("email", "pk"))
    found = [_known(key, by_key, field=f"contacts.{place}") for place, key in enumerate(keys)]
    found += [by_email[_known(email, by_email, field=f"emails.{place}")] for place, email in enumerate(plain)]
    return list(dict.fromkeys(found))


def _known(value: K, known: Container[K], *, field: str) -> K:
    if value not in known:
        raise InvalidInput("There is no such contact.", field=field, code="NOT_FOUND")
    return value


def _change(
    change: Callable[[int, list[int]], int],
    *,
    segment: str,
    contacts: Sequence[str] | None = None,
    emails: Sequence[str] | None = None,
) -> dict[str, Any]:
    pk = row_key("CrmSegment", segment, field="segment")
    changed = change(pk, _people(contacts=contacts, emails=emails))
    return {"segment": audience.segments().get(pk=pk), "changed_count": changed}


class CrmSegmentMembersAdd(CrmMutation, caller=Caller.MANAGER):
    """Put people into a static list by hand. Requires manage_crm."""

    segment = result(lambda: segment_type())
    changed_count = graphene.Int(description="Of those, how many were not in it.")

    class Arguments(_HandArguments):
        pass

    @classmethod
    def perform(cls, _actor: Actor, **of: Any) -> Self:
        """Put them in."""
        return cls(**_change(audience.add_members, **of))


class CrmSegmentMembersRemove(CrmMutation, caller=Caller.MANAGER):
    """Take people out of a static list by hand. Requires manage_crm."""

    segment = result(lambda: segment_type())
    changed_count = graphene.Int(description="Of those, how many were in it.")

    class Arguments(_HandArguments):
        pass

    @classmethod
    def perform(cls, _actor: Actor, **of: Any) -> Self:
        """Take them out."""
        return cls(**_change(audience.remove_members, **of))


class MemberMutations(graphene.ObjectType):
    """Root fields that change a static list by hand."""

    crm_segment_members_add = CrmSegmentMembersAdd.Field()
    crm_segment_members_remove = CrmSegmentMembersRemove.Field()
