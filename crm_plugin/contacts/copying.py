"""A copy of what is kept about people, for those who ask for it (GDPR, articles 15(3) and 20(1)).

Each room names its own parts (``copy_of``), this one as well; ``persons`` writes them one after the other. A part shows
every column of its table but those that it says it leaves out, so that a new column is in the copy by itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import F, Q, QuerySet

from crm_plugin.contacts.models import (
    AttributeChange,
    Blocked,
    Consent,
    ConsentEvent,
    Contact,
    ContactSpend,
    Endpoint,
    RefusedTopic,
    Suppression,
    Visitor,
)
from crm_plugin.contacts.reaching import addresses_of
from crm_plugin.contacts.suppression import blocks_of

#: Rows read at once.
CHUNK: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One kind of what a room keeps about people.

    Attributes:
        name: what the copy calls it.
        rows: not read yet; what they are annotated with is shown too.
        without: columns that are left out: secrets, what belongs to another person, the bookkeeping of workers.
    """

    name: str
    rows: QuerySet[Any]
    without: frozenset[str] = frozenset()

    def read(self) -> Iterator[dict[str, Any]]:
        """Return the rows, oldest first, of which there may be hundreds of thousands: a chunk is in memory at a time.

        By key, as no cursor of the database outlives a transaction.
        """
        keys = list(self.rows.order_by("pk").values_list("pk", flat=True))
        for start in range(0, len(keys), CHUNK):
            for row in self.rows.filter(pk__in=keys[start : start + CHUNK]).order_by("pk").values():
                yield {column: value for column, value in row.items() if column not in self.without}


def copy_of(contact_ids: Collection[int]) -> list[Part]:
    """Return what this room keeps about people.

    A device is named without the keys by which it could be written to, an address that is blocked by its block alone.
    """
    mine = Q(contact_id__in=contact_ids)
    return [
        Part(name="contacts", rows=Contact.objects.filter(pk__in=contact_ids)),
        Part(name="browsers", rows=Visitor.objects.filter(mine)),
        Part(name="spent", rows=ContactSpend.objects.filter(mine)),
        Part(name="consents", rows=Consent.objects.filter(mine)),
        Part(name="consent_log", rows=ConsentEvent.objects.filter(mine)),
        Part(name="refused_topics", rows=RefusedTopic.objects.filter(mine).annotate(topic_slug=F("topic__slug"))),
        Part(
            name="attribute_changes",
            rows=AttributeChange.objects.filter(mine),
            without=frozenset({"is_told"}),
        ),
        Part(
            name="devices",
            rows=Endpoint.objects.filter(mine),
            without=frozenset({"address", "address_digest", "keys"}),
        ),
        Part(name="blocked_channels", rows=Blocked.objects.filter(mine)),
        Part(name="suppressions", rows=_suppressions(contact_ids), without=frozenset({"address_digest"})),
    ]


def _suppressions(contact_ids: Collection[int]) -> QuerySet[Suppression]:
    found = Suppression.objects.none()
    for contact in Contact.objects.filter(pk__in=contact_ids):
        for channel, addresses in addresses_of(contact).items():
            found = found | blocks_of(addresses, channel=channel)
    return found
