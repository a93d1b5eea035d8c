"""Devices that push messages go to. A device belongs to whom it was last said to."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from django.db import transaction

from crm_plugin import clock, ids
from crm_plugin.contacts.identity import resolve
from crm_plugin.contacts.kept_key import keep_key
from crm_plugin.contacts.models import Contact, Endpoint, Visitor
from crm_plugin.contacts.people import Person
from crm_plugin.contacts.touching import touch
from crm_plugin.errors import NotFound

#: A person's devices on one channel; the one that was seen longest ago makes room for a new one.
MOST_DEVICES = 20


def add_endpoint(
    contact_id: int, *, channel: str, address: str, keys: Mapping[str, str] | None = None, language: str = ""
) -> Endpoint:
    """Keep a device for a contact; one that is known already is theirs from now on.

    Raises:
        NotFound: when there is no such contact, or it was erased.
    """
    now = clock.now()
    with transaction.atomic():
        if not Contact.objects.select_for_update(no_key=True).filter(pk=contact_id, erased_at=None).exists():
            raise NotFound(f"There is no contact {contact_id}.")
        former = owner_of_endpoint(address, channel=channel)
        known = {"contact_id": contact_id, "address": address, "keys": dict(keys or {}), "language": language}
        device, _ = Endpoint.objects.update_or_create(
            channel=channel,
            address_digest=ids.digest("endpoint", address),
            defaults={**known, "seen_at": now},
            create_defaults={**known, "seen_at": now, "created_at": now},
        )
        keep_key()
        mine = Endpoint.objects.filter(contact_id=contact_id, channel=channel).order_by("-seen_at", "-pk")
        Endpoint.objects.filter(pk__in=list(mine.values_list("pk", flat=True)[MOST_DEVICES:])).delete()
        if former != contact_id:  # who has it now can be reached by it, who had it may not
            touch([contact_id, former] if former else [contact_id])
    return device


def remove_endpoints(addresses: Collection[str], *, channel: str, contact_id: int | None = None) -> int:
    """Forget devices by address, only those of one contact if it is given; return how many there were."""
    if not addresses:
        return 0
    digests = [ids.digest("endpoint", address) for address in addresses]
    rows = Endpoint.objects.filter(channel=channel, address_digest__in=digests)
    if contact_id is not None:
        rows = rows.filter(contact_id=contact_id)
    with transaction.atomic():
        touch(list(rows.values_list("contact_id", flat=True)))
        return rows.delete()[0]


def owner_of_endpoint(address: str, *, channel: str) -> int | None:
    """Return the contact whose device it is; None when nobody's."""
    rows = Endpoint.objects.filter(channel=channel, address_digest=ids.digest("endpoint", address))
    return rows.values_list("contact_id", flat=True).first()


def has_endpoints(contact_id: int, *, channel: str) -> bool:
    """Whether the contact has any device on the channel."""
    return Endpoint.objects.filter(contact_id=contact_id, channel=channel).exists()


def contact_in_browser(visitor_id: str) -> int:
    """Return the contact behind a browser that is here now; a nameless one is made when nobody is known there.

    Must run in a transaction.
    """
    now = clock.now()
    resolve([Person(visitor_id=visitor_id, seen_at=now, first_seen_at=now)], seen_before=now)
    return Visitor.objects.values_list("contact_id", flat=True).get(pk=visitor_id)
