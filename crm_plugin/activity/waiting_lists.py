"""The waiting lists as the merchant sees them: for what people wait, how many, and who."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection
from django.db.models import QuerySet

from crm_plugin.activity.models import StockRequest, StockRequestState

#: The most lists that are read at once: those with the most people.
MOST_LISTS: Final = 1_000

_LISTS: Final = """
SELECT l.product_id, l.variant_id, l.shop_channel, l.people, l.since, e.opened_at, e.next_wave_at, e.waves_count,
    e.told_count
FROM (
    SELECT min(r.product_id) AS product_id, r.variant_id, r.shop_channel, count(*) AS people, min(r.queued_at) AS since
    FROM crm_plugin_stockrequest r
    WHERE r.state = 'waiting' AND (%(channel)s = '' OR r.shop_channel = %(channel)s)
    GROUP BY r.variant_id, r.shop_channel
    ORDER BY people DESC, r.variant_id, r.shop_channel LIMIT %(limit)s
) l
LEFT JOIN crm_plugin_stockepoch e ON e.variant_id = l.variant_id AND e.shop_channel = l.shop_channel
    AND e.closed_at IS NULL
ORDER BY l.people DESC, l.variant_id, l.shop_channel
"""


@dataclass(frozen=True, slots=True)
class Epoch:
    """A restock that is being told: since when, when the next people are told, and how many were."""

    opened_at: datetime
    next_wave_at: datetime
    waves_count: int
    told_count: int


@dataclass(frozen=True, slots=True)
class WaitingList:
    """How many people wait for a variant in a channel, and since when the first of them does.

    ``epoch`` is None while there is nothing to tell them.
    """

    product_id: str
    variant_id: str
    shop_channel: str
    people: int
    since: datetime
    epoch: Epoch | None


def waiting_lists(*, shop_channel: str = "") -> list[WaitingList]:
    """Return for what people wait in a channel (empty: in all of them), most people first, in one query."""
    with connection.cursor() as cursor:
        cursor.execute(_LISTS, {"channel": shop_channel, "limit": MOST_LISTS})
        return [
            WaitingList(product_id, variant_id, channel, people, since, None if epoch[0] is None else Epoch(*epoch))
            for product_id, variant_id, channel, people, since, *epoch in cursor.fetchall()
        ]


def people_waiting(*, variant_id: str, shop_channel: str) -> QuerySet[StockRequest]:
    """Return the requests of those who wait for a variant; their order is that of ``queued_at`` and ``id``."""
    return StockRequest.objects.filter(
        variant_id=variant_id, shop_channel=shop_channel, state=StockRequestState.WAITING
    )
