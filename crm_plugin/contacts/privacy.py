"""Erasure: what named a person goes, what counts stays, and late facts do not bring the person back."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from django.db import transaction

from crm_plugin import clock
from crm_plugin.contacts.models import (
    AttributeChange,
    Blocked,
    Consent,
    ConsentEvent,
    Contact,
    ContactSpend,
    Endpoint,
    RefusedTopic,
    Touched,
    Visitor,
)
from crm_plugin.contacts.people import Person, normalize_email
from crm_plugin.contacts.tombstones import bury

_DELETED: Final = (
    AttributeChange, Blocked, Consent, ConsentEvent, ContactSpend, Endpoint, RefusedTopic, Touched, Visitor
)  # fmt: skip


def erase(contact_ids: Collection[int], *, also: Collection[Person] = ()) -> None:
    """Anonymise contacts, delete what is kept about them, and write tombstones for their identities.

    Consents, consent log, refused topics, spends, attributes and their history, devices and the ties to browsers go.
    What is seen of such a browser afterwards is a new visitor's.

    The row stays, so that counts stay true. A suppression of the address stays too, as a digest: an address that
    asked never to be written to must not be forgotten together with its owner (GDPR Art. 17(3)(b), 21(3)).

    Args:
        contact_ids: whom to erase; those erased before are left as they are.
        also: further identities to put under a tombstone, for people of whom only facts in the inbox are known.
    """
    with transaction.atomic():
        rows = Contact.objects.select_for_update(no_key=True).filter(pk__in=contact_ids, erased_at=None).order_by("pk")
        named = {row.pk: Person(row.customer_id or "", row.email or "") for row in rows}
        browsers = Visitor.objects.filter(contact_id__in=named).values_list("visitor_id", flat=True)
        bury(
            [
                *named.values(),
                *(Person(other.customer_id, normalize_email(other.email)) for other in also),
                *(Person(visitor_id=visitor_id) for visitor_id in browsers),
            ]
        )
        for model in _DELETED:
            model._default_manager.filter(contact_id__in=named).delete()
        Contact.objects.filter(pk__in=named).update(
            customer_id=None,
            email=None,
            first_name="",
            last_name="",
            language="",
            country="",
            time_zone="",
            phone="",
            first_order_at=None,
            last_order_at=None,
            last_seen_at=None,
            joined_at=None,
            attributes={},
            erased_at=clock.now(),
        )
