"""Restock epochs: how those who wait for stock are told, a few at a time, first come first served.

An epoch lasts from the look that finds stock of what somebody waits for until there is none left, or nobody waits. In
it, a wave of people is told at a time: three for each unit that can be sold at that moment (features part 2c), since
not everybody who is told buys. Nobody is told twice in one epoch. What is left of the line goes on waiting.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import connection

from crm_plugin import clock, merchant, shop
from crm_plugin.activity import waves
from crm_plugin.activity.models import StockEpoch, WaveKind
from crm_plugin.shop import Offer

PEOPLE_PER_UNIT: Final = 3
#: The most people of one wave, also of what the shop does not count: one statement tells them.
WAVE_LIMIT: Final = 100_000
#: Epochs that one pass takes.
EPOCHS: Final = 200

#: By what is there, not by what changed: a restock between two looks that nobody saw is found by the next one.
_OPEN = """
INSERT INTO crm_plugin_stockepoch (product_id, variant_id, shop_channel, opened_at, next_wave_at, waves_count,
    told_count)
SELECT n.product_id, n.variant_id, n.shop_channel, %(now)s, %(now)s, 0, 0
FROM unnest(%(products)s::text[], %(variants)s::text[], %(channels)s::text[]) AS n(product_id, variant_id, shop_channel)
WHERE EXISTS (SELECT 1 FROM crm_plugin_stockrequest r
    WHERE r.variant_id = n.variant_id AND r.shop_channel = n.shop_channel AND r.state = 'waiting')
ORDER BY n.variant_id, n.shop_channel
ON CONFLICT DO NOTHING
"""

#: Who was told in this epoch and asked again waits for the next one; only a request that came since can be theirs.
_IS_NEXT = """r.variant_id = e.variant_id AND r.shop_channel = e.shop_channel AND r.state = 'waiting'
    AND (r.created_at < e.opened_at OR NOT EXISTS (SELECT 1 FROM crm_plugin_stockrequest t
        WHERE t.contact_id = r.contact_id AND t.variant_id = r.variant_id AND t.shop_channel = r.shop_channel
            AND t.state = 'told' AND t.told_at >= e.opened_at))"""

_TELL = f"""
WITH turn AS MATERIALIZED (
    SELECT e.id AS epoch_id, n.id
    FROM unnest(%(epochs)s::bigint[], %(shares)s::bigint[]) AS s(epoch_id, people)
    JOIN crm_plugin_stockepoch e ON e.id = s.epoch_id
    CROSS JOIN LATERAL (SELECT r.id FROM crm_plugin_stockrequest r WHERE {_IS_NEXT}
        ORDER BY r.queued_at, r.id LIMIT s.people FOR UPDATE OF r) n
), told AS (
    UPDATE crm_plugin_stockrequest r SET state = 'told', told_at = %(now)s, wave_id = %(wave)s
    FROM turn WHERE r.id = turn.id
    RETURNING turn.epoch_id
)
SELECT epoch_id, count(*) FROM told GROUP BY epoch_id
"""  # noqa: S608

_GO_ON = f"""
UPDATE crm_plugin_stockepoch e SET waves_count = e.waves_count + sign(n.told)::int, told_count = e.told_count + n.told,
    next_wave_at = CASE WHEN n.is_over THEN NULL ELSE %(next)s END,
    closed_at = CASE WHEN n.is_over THEN %(now)s::timestamptz END
FROM (
    SELECT s.epoch_id, s.told, s.is_sold_out OR NOT EXISTS (
        SELECT 1 FROM crm_plugin_stockrequest r WHERE {_IS_NEXT}) AS is_over
    FROM unnest(%(epochs)s::bigint[], %(told)s::int[], %(sold_out)s::bool[]) AS s(epoch_id, told, is_sold_out)
    JOIN crm_plugin_stockepoch e ON e.id = s.epoch_id
) n
WHERE e.id = n.epoch_id
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Turn:
    """What one pass over the epochs came to: how many it looked at, and the wave of those whose turn came, if any."""

    epochs_count: int
    wave: int | None = None


def open_epochs(offers: Iterable[Offer]) -> None:
    """Open an epoch for each of what can be bought and somebody waits for; one that is open goes on."""
    there = [offer for offer in offers if offer.is_purchasable and offer.is_settled and offer.is_in_stock]
    if not there:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _OPEN,
            {
                "now": clock.now(),
                "products": [offer.product_id for offer in there],
                "variants": [offer.variant_id for offer in there],
                "channels": [offer.shop_channel for offer in there],
            },
        )


def is_wave_due() -> bool:
    """Whether the time of somebody's next wave has come."""
    return StockEpoch.objects.filter(next_wave_at__lte=clock.now()).exists()


def next_wave(*, min_available: int = 1) -> Turn:
    """Give those a turn who wait longest for what is there. Must run in a transaction.

    All that is due is one wave, so that who waits for several things is told of them at once. The stock is read from
    the shop now: what sold out since the last wave is told to nobody.

    Args:
        min_available: while there are fewer units than this, nobody is told and the epoch goes on.
    """
    now = clock.now()
    due = StockEpoch.objects.filter(next_wave_at__lte=now).order_by("next_wave_at", "id")
    epochs = list(due.select_for_update(skip_locked=True)[:EPOCHS])
    if not epochs:
        return Turn(0)
    stock = _stock(epochs)
    shares = {one.pk: _share(stock[one.pk], min_available=min_available) for one in epochs}
    wave, told = _tell(shares, now)
    with connection.cursor() as cursor:
        cursor.execute(
            _GO_ON,
            {
                "now": now,
                "next": now + timedelta(minutes=merchant.load().stock_wave_minutes),
                "epochs": [one.pk for one in epochs],
                "told": [told.get(one.pk, 0) for one in epochs],
                "sold_out": [stock[one.pk] == 0 for one in epochs],
            },
        )
    return Turn(len(epochs), wave)


def _stock(epochs: Sequence[StockEpoch]) -> dict[int, int | None]:
    """Return how many units there are of each now; None where the shop does not count them."""
    by_channel: dict[str, set[str]] = defaultdict(set)
    for one in epochs:
        by_channel[one.shop_channel].add(one.product_id)
    port = shop.current()
    found = {
        (offer.variant_id, offer.shop_channel): offer
        for shop_channel, product_ids in sorted(by_channel.items())
        for offer in port.offers(product_ids, shop_channel=shop_channel)
    }
    return {one.pk: _units(found.get((one.variant_id, one.shop_channel))) for one in epochs}


def _units(offer: Offer | None) -> int | None:
    if offer is None or not offer.is_purchasable:
        return 0
    return offer.available if offer.available is None else max(offer.available, 0)


def _share(available: int | None, *, min_available: int) -> int:
    """Return how many people a wave may tell of so many units."""
    if available is None:
        return WAVE_LIMIT
    return min(PEOPLE_PER_UNIT * available, WAVE_LIMIT) if available >= min_available else 0


def _tell(shares: Mapping[int, int], now: datetime) -> tuple[int | None, dict[int, int]]:
    """Write the wave; return it, and how many people of each epoch are in it."""
    going = {epoch: people for epoch, people in shares.items() if people}
    if not going:
        return None, {}
    wave = waves.begin(WaveKind.BACK_IN_STOCK)
    with connection.cursor() as cursor:
        cursor.execute(_TELL, {"epochs": list(going), "shares": list(going.values()), "now": now, "wave": wave.pk})
        told = dict(cursor.fetchall())
    if not told:
        wave.delete()
        return None, {}
    return wave.pk, told
