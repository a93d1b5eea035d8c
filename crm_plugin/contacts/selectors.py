"""What other rooms may ask about contacts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Exists, OuterRef, Q, QuerySet

from crm_plugin import clock
from crm_plugin.contacts.models import ChannelKind, Consent, Contact, Visitor
from crm_plugin.contacts.people import normalize_email
from crm_plugin.contacts.suppression import suppressed


@dataclass(frozen=True, slots=True)
class Reach:
    """Whether and how a contact can be reached on one channel, now.

    Attributes:
        address: empty when there is none, as for everybody who was erased.
        has_consent: whether the person agreed to marketing on the channel.
        suppressed_for: why the address is blocked; None when it is not.
        attributes: what the merchant keeps about them, by name.
    """

    contact_id: int
    address: str
    first_name: str
    last_name: str
    language: str
    time_zone: str
    customer_id: str
    has_consent: bool
    suppressed_for: str | None
    attributes: Mapping[str, Any]


def contacts() -> QuerySet[Contact]:
    """Return the people who are known, for lists; the caller filters, orders and pages.

    Erased people are among them, as counts of what they did are. Visitors who never said who they are are not.
    """
    return Contact.objects.exclude(customer_id=None, email=None, erased_at=None)


def rows_of(contact_ids: Collection[int]) -> QuerySet[Contact]:
    """Return these contacts, whoever they are: visitors too."""
    return Contact.objects.filter(pk__in=contact_ids)


def visitor_ids(contact_ids: Collection[int]) -> set[str]:
    """Return the ids of the browsers that are the contacts'."""
    return set(Visitor.objects.filter(contact_id__in=contact_ids).values_list("visitor_id", flat=True))


def find(*, customer_id: str = "", email: str = "") -> Contact | None:
    """Return the contact with the customer id, else the one with the e-mail (written in any way)."""
    found = Contact.objects.filter(customer_id=customer_id).first() if customer_id else None
    plain = normalize_email(email)
    return found or (Contact.objects.filter(email=plain).first() if plain else None)


def reach(contact_ids: Collection[int], *, channel: str) -> Mapping[int, Reach]:
    """Return how to reach each contact on a channel, in two queries; unknown ids are left out."""
    granted = Consent.objects.filter(contact_id=OuterRef("pk"), channel=channel, is_granted=True)
    rows = list(Contact.objects.filter(pk__in=contact_ids).annotate(has_consent=Exists(granted)))
    addresses = {row.pk: _address(row, channel=channel) for row in rows}
    blocked = suppressed(addresses.values(), channel=channel)
    return {
        row.pk: Reach(
            contact_id=row.pk,
            address=addresses[row.pk],
            first_name=row.first_name,
            last_name=row.last_name,
            language=row.language,
            time_zone=row.time_zone,
            customer_id=row.customer_id or "",
            has_consent=row.has_consent,
            suppressed_for=blocked.get(addresses[row.pk]),
            attributes=row.attributes,
        )
        for row in rows
    }


def _address(contact: Contact, *, channel: str) -> str:
    return contact.email or "" if channel == ChannelKind.EMAIL else ""


def lock_identity(*, customer_id: str = "", email: str = "") -> list[int]:
    """Lock and return the contacts of one person: the account's, and the guest's under the e-mail.

    A contact of another account is not theirs, even under the same e-mail. Locked in the order of ids, before anything
    of them is, as every writer does. Must run in a transaction.
    """
    plain = normalize_email(email)
    mine = Q(customer_id=customer_id) if customer_id else Q(pk__in=())
    if plain:
        mine |= Q(email=plain, customer_id__isnull=True) if customer_id else Q(email=plain)
    return list(Contact.objects.filter(mine).order_by("pk").select_for_update(no_key=True).values_list("pk", flat=True))


def withdrawals(contact_ids: Collection[int]) -> Mapping[int, datetime]:
    """Return when contacts took back a consent that stands withdrawn now, on whichever channel, the newest of each."""
    rows = Consent.objects.filter(contact_id__in=contact_ids, is_granted=False).values_list("contact_id", "changed_at")
    found: dict[int, datetime] = {}
    for contact_id, at in rows:
        found[contact_id] = max(at, found.get(contact_id, at))
    return found


def zones_of(contact_ids: Collection[int]) -> Mapping[int, ZoneInfo]:
    """Return the time zones of contacts, as far as they are known and exist."""
    rows = Contact.objects.filter(pk__in=contact_ids).exclude(time_zone="").values_list("pk", "time_zone")
    found = {name: zone for name in {name for _pk, name in rows} if (zone := clock.zone_named(name)) is not None}
    return {pk: found[name] for pk, name in rows if name in found}
