"""The price watch: own snapshots of price and stock of what somebody cares for, read again on schedule or when told.

First load never fires: a new snapshot is compared with nothing. Unless a fact in the batch says that the person saw a
higher price than the shop asks now: then the drop came before the first look, and the snapshot starts from
the price that was seen, so that the look finds it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from django.db import connection
from django.db.models import Q

from crm_plugin import clock, shop
from crm_plugin.activity import epochs, waves
from crm_plugin.activity.models import PriceDrop, PriceWatch, Restock, WaveKind
from crm_plugin.conf import settings
from crm_plugin.shop import FactKind, Offer

#: How soon to look again at a price that the shop is still computing.
UNSETTLED_SECONDS = 2.0
Pair = tuple[str, str]

#: Whoever makes somebody care for a product shares this until the commit; what nobody cares for is forgotten only
#: while no one does: an interest that is not committed yet would lose its watch.
_SHARE = "SELECT pg_advisory_xact_lock_shared(1129467230)"
_TAKE_ALONE = "SELECT pg_try_advisory_xact_lock(1129467230)"

_UNWATCHED = """
SELECT f.product_id, f.shop_channel, f.variant_id, max(f.amount)
FROM crm_plugin_inbox f
WHERE f.id = ANY(%s::bigint[]) AND f.kind = ANY(%s) AND f.product_id <> '' AND f.shop_channel <> ''
    AND NOT EXISTS (SELECT 1 FROM crm_plugin_pricewatch w
        WHERE w.product_id = f.product_id AND w.shop_channel = f.shop_channel)
GROUP BY f.product_id, f.shop_channel, f.variant_id
"""


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at the shop found: how many rows it read, and the waves that began.

    At most two: of what became cheaper, and of what can be bought again.
    """

    checked_count: int
    waves: tuple[int, ...] = ()


def keep() -> None:
    """Let nobody forget a watch before this transaction ends; to be called before anything is locked or looked up."""
    with connection.cursor() as cursor:
        cursor.execute(_SHARE)


def ensure(inbox_ids: str, *, kinds: Iterable[FactKind]) -> None:
    """Make sure that every product that the facts show interest in is watched. After ``keep``."""
    with connection.cursor() as cursor:
        cursor.execute(_UNWATCHED, [inbox_ids, [kind.value for kind in kinds]])
        rows = cursor.fetchall()
    seen: dict[Pair, dict[str, Decimal | None]] = defaultdict(dict)
    for product_id, shop_channel, variant_id, amount in rows:
        seen[product_id, shop_channel][variant_id] = amount
    fresh = [_first(offer, seen[offer.product_id, offer.shop_channel]) for offer in _offers(seen)]
    PriceWatch.objects.bulk_create(sorted(fresh, key=_lock_order), ignore_conflicts=True)


def begin(offers: Iterable[Offer]) -> None:
    """Watch what these offers say from now on; what is watched already stays as it is."""
    PriceWatch.objects.bulk_create(
        sorted((_first(offer, {}) for offer in offers), key=_lock_order), ignore_conflicts=True
    )


def look_now(product_ids: Collection[str], *, variant_ids: Collection[str] = ()) -> None:
    """Move the next look at these products and variants to the present."""
    for of_some in (Q(product_id__in=product_ids), Q(variant_id__in=variant_ids)):  # by index, each by its own
        PriceWatch.objects.filter(of_some).update(due_at=clock.now())


def look(limit: int) -> Look:
    """Read the watched prices that are due and keep what changed. Must run in a transaction."""
    now = clock.now()
    due = list(
        PriceWatch.objects.filter(due_at__lte=now).order_by("due_at", "id").select_for_update(skip_locked=True)[:limit]
    )
    if not due:
        return Look(0)
    offers = {(offer.variant_id, offer.shop_channel): offer for offer in _offers(_pairs(due))}
    epochs.open_epochs(offers.values())
    findings = [_compare(row, offers.pop((row.variant_id, row.shop_channel), None)) for row in due]
    _reschedule(due, findings)
    begin(offers.values())
    return Look(len(due), tuple(_begin_waves(findings)))


@dataclass(frozen=True, slots=True)
class _Finding:
    """What one comparison came to: whether the row is to be saved whole, when to look next, the news if any."""

    is_changed: bool = False
    next_look_seconds: float | None = None
    drop: PriceDrop | None = None
    restock: Restock | None = None


_WATCHED_FIELDS = (
    "price",
    "regular_price",
    "previous_price",
    "lowest_price",
    "currency",
    "is_purchasable",
    "available",
    "changed_at",
)


def _reschedule(rows: Sequence[PriceWatch], findings: Sequence[_Finding]) -> None:
    now = clock.now()
    changed = [row for row, finding in zip(rows, findings, strict=True) if finding.is_changed]
    PriceWatch.objects.bulk_update(changed, _WATCHED_FIELDS, batch_size=500)
    by_pause: dict[float, list[int]] = defaultdict(list)
    for row, finding in zip(rows, findings, strict=True):
        by_pause[finding.next_look_seconds or settings().price_scan_seconds].append(row.pk)
    for pause, pks in by_pause.items():
        PriceWatch.objects.filter(pk__in=pks).update(checked_at=now, due_at=now + timedelta(seconds=pause))


def forget_unwanted(limit: int) -> int:
    """Stop watching what nobody is interested in or waits for any more; return how many rows went.

    Must run in a transaction of its own. While somebody's interest is being written, nothing is forgotten.
    """
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_ALONE)
        (is_alone,) = cursor.fetchone()
        if not is_alone:
            return 0
        cursor.execute(
            """
            DELETE FROM crm_plugin_pricewatch WHERE id IN (
                SELECT w.id FROM crm_plugin_pricewatch w WHERE NOT EXISTS (
                    SELECT 1 FROM crm_plugin_interest i
                    WHERE i.product_id = w.product_id AND i.shop_channel = w.shop_channel)
                AND NOT EXISTS (SELECT 1 FROM crm_plugin_stockrequest r
                    WHERE r.variant_id = w.variant_id AND r.shop_channel = w.shop_channel AND r.state = 'waiting')
                LIMIT %s)
            """,
            [limit],
        )
        return int(cursor.rowcount)


def watched(product_ids: Iterable[str]) -> list[PriceWatch]:
    """Return the snapshots of products, for people who ask what the CRM believes."""
    return list(PriceWatch.objects.filter(Q(product_id__in=list(product_ids))).order_by("product_id", "variant_id"))


def _compare(row: PriceWatch, offer: Offer | None) -> _Finding:
    """Bring the snapshot up to date, in memory.

    What cannot be bought keeps its old price: when it comes back cheaper, that is a drop.
    """
    if offer is None or not offer.is_purchasable:
        was_purchasable, row.is_purchasable = row.is_purchasable, False
        return _Finding(is_changed=was_purchasable)
    if not offer.is_settled:
        return _Finding(next_look_seconds=UNSETTLED_SECONDS)
    restock = _restock(row, offer)
    facts = (True, offer.available, offer.regular_price.amount)
    is_changed = facts != (row.is_purchasable, row.available, row.regular_price)
    row.is_purchasable, row.available, row.regular_price = facts
    if (row.price, row.currency) == (offer.price.amount, offer.price.currency):
        return _Finding(is_changed=is_changed, restock=restock)
    return _Finding(is_changed=True, drop=_move(row, offer), restock=restock)


def _restock(row: PriceWatch, offer: Offer) -> Restock | None:
    """Return the restock when the variant could not be bought at the last look and can be now."""
    could_be_bought = row.is_purchasable and (row.available is None or row.available > 0)
    if could_be_bought or not offer.is_in_stock:
        return None
    return Restock(
        product_id=row.product_id,
        variant_id=row.variant_id,
        shop_channel=row.shop_channel,
        available=offer.available,
    )


def _move(row: PriceWatch, offer: Offer) -> PriceDrop | None:
    """Write the new price into the snapshot; return the drop when it is lower in the same currency."""
    before, after, is_same_currency = row.price, offer.price.amount, row.currency == offer.price.currency
    is_new_low = after < row.lowest_price
    row.previous_price, row.price, row.changed_at, row.currency = before, after, clock.now(), offer.price.currency
    row.lowest_price = min(row.lowest_price, after) if is_same_currency else after
    if after > before or not is_same_currency:
        return None
    return PriceDrop(
        product_id=row.product_id,
        variant_id=row.variant_id,
        shop_channel=row.shop_channel,
        currency=row.currency,
        old_price=before,
        new_price=after,
        is_new_low=is_new_low,
    )


def _begin_waves(findings: Sequence[_Finding]) -> Iterator[int]:
    """Write what was found as waves, one of each kind."""
    if drops := [finding.drop for finding in findings if finding.drop is not None]:
        wave = waves.begin(WaveKind.PRICE_DROP)
        for drop in drops:
            drop.wave = wave
        PriceDrop.objects.bulk_create(drops)
        yield wave.pk
    if restocks := [finding.restock for finding in findings if finding.restock is not None]:
        wave = waves.begin(WaveKind.BACK_IN_STOCK)
        for restock in restocks:
            restock.wave = wave
        Restock.objects.bulk_create(restocks)
        yield wave.pk


def _first(offer: Offer, seen: Mapping[str, Decimal | None]) -> PriceWatch:
    now = clock.now()
    known = [amount for key in ("", offer.variant_id) if (amount := seen.get(key)) is not None]
    price = max([offer.price.amount, *known])
    return PriceWatch(
        product_id=offer.product_id,
        variant_id=offer.variant_id,
        shop_channel=offer.shop_channel,
        currency=offer.price.currency,
        price=price,
        regular_price=offer.regular_price.amount,
        lowest_price=price,
        is_purchasable=offer.is_purchasable,
        available=offer.available,
        checked_at=now,
        due_at=now + timedelta(seconds=0 if price > offer.price.amount else settings().price_scan_seconds),
    )


def _offers(pairs: Iterable[Pair]) -> list[Offer]:
    by_channel: dict[str, set[str]] = defaultdict(set)
    for product_id, shop_channel in pairs:
        by_channel[shop_channel].add(product_id)
    port = shop.current()
    return [
        offer
        for shop_channel, product_ids in sorted(by_channel.items())
        for offer in port.offers(product_ids, shop_channel=shop_channel)
    ]


def _pairs(rows: Iterable[PriceWatch]) -> set[Pair]:
    return {(row.product_id, row.shop_channel) for row in rows}


def _lock_order(row: PriceWatch) -> tuple[str, str]:
    return row.variant_id, row.shop_channel
