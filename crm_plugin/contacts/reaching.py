"""What a person decided about being reached, as a whole: for the pages and the API on which they see and change it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from crm_plugin import clock, merchant
from crm_plugin.channel_kind import PHONE_CHANNELS, ChannelKind
from crm_plugin.contacts.models import Consent, ConsentBasis, Contact, Endpoint
from crm_plugin.contacts.phones import normalize_phone
from crm_plugin.contacts.suppression import suppressed
from crm_plugin.contacts.topics import refused_topics_of
from crm_plugin.contacts.touching import touch
from crm_plugin.errors import InvalidInput, NotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentState:
    """Where a person stands now on marketing through one channel.

    Attributes:
        is_granted: False too when the consent has run out, or still waits for its confirmation.
        is_night_granted: whether it holds at night too.
        expires_at: when a soft opt-in runs out, or ran out; None: never.
    """

    channel: str
    is_granted: bool
    is_night_granted: bool
    basis: ConsentBasis
    changed_at: datetime
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How one person can be reached, and what they said to it.

    Attributes:
        reachable: channels on which there is an address.
        blocked: those of them whose address is suppressed.
        consents: by channel, of those that the person has said something about.
        refused_topics: slugs.
    """

    reachable: frozenset[str]
    blocked: frozenset[str]
    consents: Mapping[str, ConsentState]
    refused_topics: frozenset[str]

    def is_granted(self, channel: str) -> bool:
        """Whether marketing is agreed to on the channel, now."""
        return channel in self.consents and self.consents[channel].is_granted

    def is_night_granted(self, channel: str) -> bool:
        """Whether it is at night too."""
        return channel in self.consents and self.consents[channel].is_night_granted


def consent_states(contact_ids: Collection[int]) -> Mapping[int, tuple[ConsentState, ...]]:
    """Return, for each contact, where they stand on the channels that they said something about, by channel."""
    now = clock.now()
    found: dict[int, tuple[ConsentState, ...]] = dict.fromkeys(contact_ids, ())
    for row in Consent.objects.filter(contact_id__in=contact_ids).order_by("channel"):
        is_granted = row.is_granted and (row.expires_at is None or row.expires_at > now)
        state = ConsentState(
            channel=row.channel,
            is_granted=is_granted,
            is_night_granted=is_granted and row.is_night_granted,
            basis=ConsentBasis(row.basis),
            changed_at=row.changed_at,
            expires_at=row.expires_at,
        )
        found[row.contact_id] += (state,)
    return found


def standing(contact_id: int) -> Standing | None:
    """Return how a person can be reached and what they said to it; None when there is nobody (any more)."""
    contact = Contact.objects.filter(pk=contact_id, erased_at=None).first()
    if contact is None:
        return None
    addresses = addresses_of(contact)
    return Standing(
        reachable=frozenset(addresses),
        blocked=frozenset(channel for channel, some in addresses.items() if _are_blocked(some, channel)),
        consents={state.channel: state for state in consent_states([contact_id])[contact_id]},
        refused_topics=refused_topics_of([contact_id])[contact_id],
    )


def addresses_of(contact: Contact) -> dict[str, list[str]]:
    """Return by which addresses a person can be reached, by channel; of a device its digest."""
    found: dict[str, list[str]] = {}
    if contact.email:
        found[ChannelKind.EMAIL] = [contact.email]
    if contact.phone:
        found |= {channel: [contact.phone] for channel in PHONE_CHANNELS}
    if contact.customer_id:
        found[ChannelKind.INBOX] = [contact.customer_id]
    for channel, digest in Endpoint.objects.filter(contact=contact).values_list("channel", "address_digest"):
        found.setdefault(channel, []).append(digest)
    return found


def _are_blocked(addresses: Collection[str], channel: str) -> bool:
    return len(suppressed(addresses, channel=channel)) == len(addresses)


def set_phone(contact_id: int, phone: str) -> str:
    """Keep a person's telephone number; return it as it is kept, in E.164.

    Args:
        contact_id: whose. An erased person gets none.
        phone: as a person wrote it; without the country's code it is one of the contact's country,
            else of the merchant's.

    Raises:
        InvalidInput: it is no number that could be called; nothing is kept.
        NotFound: when there is no such contact.
    """
    with transaction.atomic():
        contact = Contact.objects.select_for_update(no_key=True).filter(pk=contact_id, erased_at=None).first()
        if contact is None:
            raise NotFound(f"There is no contact {contact_id}.")
        number = normalize_phone(phone, country=contact.country or merchant.load().country)
        if not number:
            message = "This is no telephone number; write it with its country, such as +82 10 1234 5678."
            raise InvalidInput(message, field="phone")
        if number != contact.phone:
            Contact.objects.filter(pk=contact_id).update(phone=number)
            touch([contact_id])
    return number
