"""What happens to a person in all rooms at once: two turn out to be one, or somebody is forgotten.

The rooms come in the order in which they take their locks; ``contacts``, which the rows of all others hang on, is last.
"""

from __future__ import annotations

from django.db import transaction

from crm_plugin import activity, audience, automations, contacts, coupons, messaging, reviews, shop
from crm_plugin.contacts import Merge, Person


def absorb(merge: Merge) -> None:
    """Make two contacts one, everywhere. Must run in a transaction."""
    activity.absorb(merge)
    automations.absorb(merge)
    coupons.absorb(merge)
    reviews.absorb(merge)
    messaging.absorb(merge.source_id, merge.target_id)
    audience.absorb(merge)
    contacts.absorb(merge)


def erase(*, customer_id: str = "", email: str = "") -> int:
    """Forget a person everywhere; return how many contacts were erased. Counts stay, names do not."""
    with shop.current().writable(), transaction.atomic():
        ids = contacts.lock_identity(customer_id=customer_id, email=email)
        automations.forget(ids)
        messaging.forget(ids)
        coupons.forget(ids)
        audience.forget(ids)
        reviews.forget(ids)
        activity.forget(ids, customer_ids=[customer_id] if customer_id else [])
        contacts.erase(ids, also=[Person(customer_id, email)])
        contacts.touch(ids)  # somebody may be putting them into a segment at this moment
    return len(ids)
