"""What other rooms may ask about contacts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db.models import Exists, OuterRef, Q, QuerySet

from crm_plugin import clock
from crm_plugin.channel_kind import PHONE_CHANNELS, PUSH_CHANNELS, ChannelKind
from crm_plugin.contacts.models import Consent, ConsentBasis, Contact, Endpoint, RefusedTopic, Topic, Visitor
from crm_plugin.contacts.people import normalize_email
from crm_plugin.contacts.phones import country_of_phone, normalize_phone
from crm_plugin.contacts.suppression import suppressed


@dataclass(frozen=True, slots=True)
class Reach:
    """Whether and how a contact can be reached on one channel, now.

    Attributes:
        address: empty when there is none, as for everybody who was erased: an e-mail, a telephone number in E.164, for
            push a name of the newest device, for the inbox the customer id.
        country: of the person, as far as the shop or the telephone number tells it; ISO 3166, else empty.
        has_consent: whether the person agreed to marketing on the channel, and the consent has not run out.
        has_night_consent: whether that holds for the night too.
        suppressed_for: why the address is blocked; None when it is not.
        attributes: what the merchant keeps about them, by name.
        endpoints: the devices that a push goes to, the newest first.
        refused_topics: slugs of topics that the person does not want to hear of.
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
    country: str = ""
    has_night_consent: bool = False
    endpoints: tuple[Endpoint, ...] = ()
    refused_topics: frozenset[str] = frozenset()


def contacts() -> QuerySet[Contact]:
    """Return the people who are known, for lists; the caller filters, orders and pages.

    Erased people are among them, as counts of what they did are. Visitors who never said who they are are not.
    """
    return Contact.objects.exclude(customer_id=None, email=None, erased_at=None)


def rows_of(contact_ids: Collection[int]) -> QuerySet[Contact]:
    """Return these contacts, whoever they are: visitors too."""
    return Contact.objects.filter(pk__in=contact_ids)


def lock(contact_ids: Collection[int]) -> set[int]:
    """Take the contacts until the transaction ends, in the order of ids, as every writer does; return those there are.

    Their messages are locked after them, never before.
    """
    rows = rows_of(contact_ids).order_by("pk").select_for_update(no_key=True)
    return set(rows.values_list("pk", flat=True))


def topics() -> QuerySet[Topic]:
    """Return the merchant's topics, in their order."""
    return Topic.objects.order_by("position", "pk")


def visitor_ids(contact_ids: Collection[int]) -> set[str]:
    """Return the ids of the browsers that are the contacts'."""
    return set(Visitor.objects.filter(contact_id__in=contact_ids).values_list("visitor_id", flat=True))


def find(*, customer_id: str = "", email: str = "") -> Contact | None:
    """Return the contact with the customer id, else the one with the e-mail (written in any way)."""
    found = Contact.objects.filter(customer_id=customer_id).first() if customer_id else None
    plain = normalize_email(email)
    return found or (Contact.objects.filter(email=plain).first() if plain else None)


def reach(contact_ids: Collection[int], *, channel: str) -> Mapping[int, Reach]:
    """Return how to reach each contact on a channel; unknown ids are left out. The number of queries is a constant."""
    granted = Consent.objects.filter(
        Q(expires_at__isnull=True) | Q(expires_at__gt=clock.now()),
        contact_id=OuterRef("pk"),
        channel=channel,
        is_granted=True,
    )
    rows = list(
        Contact.objects.filter(pk__in=contact_ids)
        .annotate(has_consent=Exists(granted), has_night_consent=Exists(granted.filter(is_night_granted=True)))
        # Not as models: two look-ups for every message are many objects.
        .values_list(*_Row._fields)
    )
    endpoints = _endpoints(contact_ids, channel=channel)
    refused = _refused_topics(contact_ids)
    people = [_Row(*row) for row in rows]
    addresses = {row.pk: _address(row, channel=channel, endpoints=endpoints.get(row.pk, ())) for row in people}
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
            country=row.country or country_of_phone(row.phone),
            has_night_consent=row.has_night_consent,
            endpoints=endpoints.get(row.pk, ()),
            refused_topics=refused.get(row.pk, frozenset()),
        )
        for row in people
    }


class _Row(NamedTuple):
    """What ``reach`` reads of a contact."""

    pk: int
    email: str | None
    phone: str
    customer_id: str | None
    first_name: str
    last_name: str
    language: str
    country: str
    time_zone: str
    attributes: Mapping[str, Any]
    has_consent: bool
    has_night_consent: bool


def _address(contact: _Row, *, channel: str, endpoints: tuple[Endpoint, ...]) -> str:
    if channel == ChannelKind.EMAIL:
        return contact.email or ""
    if channel in PHONE_CHANNELS:
        return contact.phone
    if channel in PUSH_CHANNELS:
        return endpoints[0].address_digest if endpoints else ""
    return contact.customer_id or ""


def _endpoints(contact_ids: Collection[int], *, channel: str) -> Mapping[int, tuple[Endpoint, ...]]:
    found: dict[int, tuple[Endpoint, ...]] = {}
    if channel in PUSH_CHANNELS:
        for one in Endpoint.objects.filter(contact_id__in=contact_ids, channel=channel).order_by("-seen_at", "-pk"):
            found[one.contact_id] = (*found.get(one.contact_id, ()), one)
    return found


def _refused_topics(contact_ids: Collection[int]) -> Mapping[int, frozenset[str]]:
    found: dict[int, frozenset[str]] = {}
    rows = RefusedTopic.objects.filter(contact_id__in=contact_ids).values_list("contact_id", "topic__slug")
    for contact_id, slug in rows:
        found[contact_id] = found.get(contact_id, frozenset()) | {slug}
    return found


def people_at(address: str, *, channel: str) -> list[int]:
    """Return the contacts that an address of a channel is that of: several may share a telephone."""
    if channel == ChannelKind.EMAIL:
        mine = Q(email=normalize_email(address) or None)
    else:
        mine = Q(phone=normalize_phone(address) or None) if channel in PHONE_CHANNELS else Q(pk__in=())
    return list(Contact.objects.filter(mine).order_by("pk").values_list("pk", flat=True))


def ids_of_identity(*, customer_id: str = "", email: str = "") -> list[int]:
    """Return the contacts of one person: the account's, and the guest's under the e-mail (written in any way).

    A contact of another account is not theirs, even under the same e-mail.
    """
    return list(_of_identity(customer_id=customer_id, email=email).values_list("pk", flat=True))


def lock_identity(*, customer_id: str = "", email: str = "") -> list[int]:
    """Lock and return the contacts of one person, as ``ids_of_identity`` does.

    Locked in the order of ids, before anything of them is, as every writer does. Must run in a transaction.
    """
    mine = _of_identity(customer_id=customer_id, email=email)
    return list(mine.select_for_update(no_key=True).values_list("pk", flat=True))


def _of_identity(*, customer_id: str, email: str) -> QuerySet[Contact]:
    plain = normalize_email(email)
    mine = Q(customer_id=customer_id) if customer_id else Q(pk__in=())
    if plain:
        mine |= Q(email=plain, customer_id__isnull=True) if customer_id else Q(email=plain)
    return Contact.objects.filter(mine).order_by("pk")


def withdrawals(contact_ids: Collection[int]) -> Mapping[int, datetime]:
    """Return when contacts took back a consent that stands withdrawn now, on whichever channel, the newest of each.

    One that waits to be confirmed, or that ran out by itself, was not taken back.
    """
    refused = Consent.objects.filter(is_granted=False, pending_at__isnull=True, basis=ConsentBasis.EXPRESS)
    rows = refused.filter(contact_id__in=contact_ids).values_list("contact_id", "changed_at")
    found: dict[int, datetime] = {}
    for contact_id, at in rows:
        found[contact_id] = max(at, found.get(contact_id, at))
    return found


def zones_of(contact_ids: Collection[int]) -> Mapping[int, ZoneInfo]:
    """Return the time zones of contacts, as far as they are known and exist."""
    rows = Contact.objects.filter(pk__in=contact_ids).exclude(time_zone="").values_list("pk", "time_zone")
    found = {name: zone for name in {name for _pk, name in rows} if (zone := clock.zone_named(name)) is not None}
    return {pk: found[name] for pk, name in rows if name in found}
