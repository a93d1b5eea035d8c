"""What happens to a person in all rooms at once: two turn out to be one, somebody is forgotten, or asks for a copy.

The rooms come in the order in which they take their locks; ``contacts``, which the rows of all others hang on, is last.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction

from crm_plugin import activity, audience, automations, clock, contacts, coupons, messaging, reviews, shop
from crm_plugin.contacts import Merge, Part, Person

#: Grows when a reader of the copy would have to change; a new part, or a new field of one, is no such change.
COPY_FORMAT: Final = 1
_ROOMS: Final = (contacts, activity, audience, automations, coupons, messaging, reviews)


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


def parts_of(contact_ids: Collection[int]) -> list[Part]:
    """Return what all rooms keep about a person, not read yet."""
    return [part for room in _ROOMS for part in room.copy_of(contact_ids)]


@dataclass(slots=True)
class Copy:
    """Everything that is kept about a person, as one JSON object: the text comes in pieces, a row at a time.

    However much a person did, only a chunk of it is in memory. What is read is read while the pieces are taken, so
    that needs the shop's ``writable()``. The shape is in ``docs/compliance.md``.

    Attributes:
        contact_ids: whose; an account and the guest under its address are one person.
        rows_count: how many rows have been written.
    """

    contact_ids: Collection[int]
    rows_count: int = 0

    def __iter__(self) -> Iterator[str]:
        """Return the pieces of the text, UTF-8 when encoded."""
        yield f'{{"format": {COPY_FORMAT}, "made_at": {_json(clock.now())}'
        for part in parts_of(self.contact_ids):
            yield f",\n{_json(part.name)}: ["
            for place, row in enumerate(part.read()):
                self.rows_count += 1
                yield f"{',' if place else ''}\n{_json(row)}"
            yield "]"
        yield "}\n"


def _json(value: Any) -> str:
    return json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False)
