"""Waiting for stock: who asked to be told when a variant can be bought again, and their place in the line.

The place is that of the moment at which it was certain that the person wants it: at once for a customer who is signed
in, with the click on the link for an address that anybody could have typed in. How the line moves on is in ``epochs``.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, assert_never

from django.db import connection, transaction
from django.db.models import F, QuerySet

from crm_plugin import clock, contacts, shop
from crm_plugin.activity import recording, watch
from crm_plugin.activity.models import StockRequest, StockRequestState
from crm_plugin.contacts import Merge
from crm_plugin.errors import InvalidInput
from crm_plugin.shop import Fact, FactKind, Offer, ProductRef

#: The most that one person waits for.
MOST_REQUESTS: Final = 100
#: How long the link that confirms a request holds.
ASK_WITHIN: Final = timedelta(days=7)
#: Requests to confirm that one address gets in 24 hours, whoever types it in.
MOST_ASKED_A_DAY: Final = 5

_OPEN: Final = (StockRequestState.UNCONFIRMED, StockRequestState.WAITING)

#: A purchase ends the wait; one from before the person was told, which the shop told later, takes that back.
_BOUGHT: Final = """
UPDATE crm_plugin_stockrequest r SET state = 'cancelled'
FROM crm_plugin_activity a
WHERE a.id = ANY(%s::bigint[]) AND a.contact_id = r.contact_id AND a.variant_id = r.variant_id AND a.variant_id <> ''
    AND a.occurred_at >= r.created_at
    AND (r.state IN ('unconfirmed', 'waiting') OR (r.state = 'told' AND r.told_at > a.occurred_at))
"""
_PUT_BACK: Final = """
UPDATE crm_plugin_stockrequest r SET state = 'waiting', told_at = NULL, wave_id = NULL
WHERE r.id = ANY(%s::bigint[]) AND r.state = 'told' AND NOT EXISTS (SELECT 1 FROM crm_plugin_stockrequest o
    WHERE o.contact_id = r.contact_id AND o.variant_id = r.variant_id AND o.shop_channel = r.shop_channel
        AND o.state IN ('unconfirmed', 'waiting'))
"""
#: Of two requests for the same thing the one that is further ahead stays.
_DROP_SECOND: Final = """
UPDATE crm_plugin_stockrequest l SET state = 'cancelled'
FROM (
    SELECT CASE WHEN s.state = 'waiting' AND (t.state <> 'waiting' OR s.queued_at < t.queued_at)
        THEN t.id ELSE s.id END AS id
    FROM crm_plugin_stockrequest s
    JOIN crm_plugin_stockrequest t ON t.contact_id = %(target)s AND t.variant_id = s.variant_id
        AND t.shop_channel = s.shop_channel AND t.state IN ('unconfirmed', 'waiting')
    WHERE s.contact_id = %(source)s AND s.state IN ('unconfirmed', 'waiting')
) second
WHERE l.id = second.id
"""


class AskStanding(StrEnum):
    """How it stands with a request that has to be confirmed."""

    OPEN = "open"  #: it can be confirmed
    DONE = "done"  #: it is confirmed
    AVAILABLE = "available"  #: it can be bought now, so there is nothing to wait for
    EXPIRED = "expired"  #: the link is too old
    GONE = "gone"  #: it was taken back, or is no longer known


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking.

    Attributes:
        is_available: it can be bought now; nothing was kept.
        request_id: the request that is new, or was confirmed by asking again; None when nothing changed.
    """

    is_available: bool
    request_id: int | None = None


@dataclass(frozen=True, slots=True)
class Awaited:
    """Something that a person waits for, and since when."""

    ref: ProductRef
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class Ask:
    """A request as the page behind its link shows it."""

    standing: AskStanding
    ref: ProductRef | None = None
    language: str = ""


def ask_for_stock(contact_id: int, ref: ProductRef) -> Asked:
    """Let somebody wait for a variant who is known to want it; asking twice keeps the place.

    Raises:
        InvalidInput: the channel does not offer the variant, or the person waits for too much already.
    """
    offer = _offer(ref)
    if offer.is_in_stock:
        return Asked(is_available=True)
    with transaction.atomic():
        contacts.lock([contact_id])
        request, now = _open(contact_id, ref).first(), clock.now()
        if request is not None and request.state == StockRequestState.WAITING:
            return Asked(is_available=False)
        if request is None:
            _refuse_too_many(contact_id)
            request = _new(contact_id, ref, at=now)
        _queue(request, offer, at=now)  # as old as its place: that tells it from one that was confirmed by a link
    return Asked(is_available=False, request_id=request.pk)


def is_available(ref: ProductRef) -> bool:
    """Return whether a variant can be bought now, so that there is nothing to wait for.

    Raises:
        InvalidInput: the channel does not offer the variant.
    """
    return _offer(ref).is_in_stock


def ask_unconfirmed(contact_id: int, ref: ProductRef) -> Asked:
    """Keep that somebody asked for an address that may be another's; who waits for too much is passed over.

    A new request is to be confirmed by the mail that the caller sends.

    Raises:
        InvalidInput: the channel does not offer the variant.
    """
    if is_available(ref):
        return Asked(is_available=True)
    with transaction.atomic():
        contacts.lock([contact_id])
        if _open(contact_id, ref).exists() or _has_too_many(contact_id) or _was_asked_enough(contact_id):
            return Asked(is_available=False)
        return Asked(is_available=False, request_id=_new(contact_id, ref, at=clock.now()).pk)


def look_at_ask(request_id: int) -> Ask:
    """Return how it stands with a request."""
    request = StockRequest.objects.filter(pk=request_id).first()
    if request is None:
        return Ask(AskStanding.GONE)
    language = contacts.rows_of([request.contact_id]).values_list("language", flat=True).first()
    return Ask(_standing(request), _ref(request), language or "")


def confirm_ask(request_id: int) -> AskStanding:
    """Let somebody wait who has proven that the address is theirs; doing it twice is fine."""
    request = StockRequest.objects.filter(pk=request_id).first()
    if request is None or _standing(request) is not AskStanding.OPEN:
        return AskStanding.GONE if request is None else _standing(request)
    try:
        offer = _offer(_ref(request))
    except InvalidInput:
        return AskStanding.GONE
    if offer.is_in_stock:
        return AskStanding.AVAILABLE
    with transaction.atomic():
        contacts.lock([request.contact_id])
        locked = StockRequest.objects.select_for_update().filter(pk=request_id).first()
        if locked is None:
            return AskStanding.GONE
        if _standing(locked) is AskStanding.OPEN:
            _queue(locked, offer, at=clock.now())
        return _standing(locked)


def cancel_ask(request_id: int) -> None:
    """Take a request back, one of which the person was told too; doing it twice is fine."""
    StockRequest.objects.filter(pk=request_id).update(state=StockRequestState.CANCELLED)


def stop_waiting(contact_id: int, *, variant_id: str, shop_channel: str) -> bool:
    """Take the request for a variant back; return whether there was one."""
    mine = StockRequest.objects.filter(contact_id=contact_id, variant_id=variant_id, shop_channel=shop_channel)
    return bool(mine.filter(state__in=_OPEN).update(state=StockRequestState.CANCELLED))


def awaited_by(contact_id: int) -> list[Awaited]:
    """Return what a person waits for, newest first; what was not confirmed is not among it."""
    rows = StockRequest.objects.filter(contact_id=contact_id, state=StockRequestState.WAITING)
    return [Awaited(_ref(row), row.queued_at or row.created_at) for row in rows.order_by("-queued_at", "-pk")]


def still_told(pairs: Sequence[tuple[int, str, str]]) -> set[tuple[int, str, str]]:
    """Return those of the (contact id, product id, shop channel) of which the person was told and is to hear."""
    rows = StockRequest.objects.filter(
        contact_id__in={contact_id for contact_id, _product, _channel in pairs}, state=StockRequestState.TOLD
    )
    return set(rows.values_list("contact_id", "product_id", "shop_channel")) & set(pairs)


def put_back(request_ids: Collection[int]) -> int:
    """Give people their place in the line back whose message came to nothing; return how many."""
    if not request_ids:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_PUT_BACK, [list(request_ids)])
        return int(cursor.rowcount)


def end_by_purchase(bought: Sequence[int]) -> None:
    """End the waits of those who bought it meanwhile. Must run in a transaction.

    Args:
        bought: ids of activities.
    """
    if bought:
        with connection.cursor() as cursor:
            cursor.execute(_BOUGHT, [list(bought)])


def forget_unconfirmed(limit: int) -> int:
    """Delete up to ``limit`` requests that nobody confirmed in time; return how many."""
    old = StockRequest.objects.filter(state=StockRequestState.UNCONFIRMED, created_at__lt=clock.now() - ASK_WITHIN)
    return StockRequest.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:limit])).delete()[0]


def absorb(merge: Merge) -> None:
    """Give what the source contact waits for to the target. Must run in a transaction."""
    with connection.cursor() as cursor:
        cursor.execute(_DROP_SECOND, {"source": merge.source_id, "target": merge.target_id})
    StockRequest.objects.filter(contact_id=merge.source_id).update(contact_id=merge.target_id)


def forget(contact_ids: Collection[int]) -> None:
    """Delete what people waited for."""
    StockRequest.objects.filter(contact_id__in=contact_ids).delete()


def _offer(ref: ProductRef) -> Offer:
    """Return the offer of a variant that a shopper can see."""
    offers = {one.variant_id: one for one in shop.current().offers([ref.product_id], shop_channel=ref.shop_channel)}
    offer = offers.get(ref.variant_id)
    if offer is None or not offer.is_purchasable:
        raise InvalidInput("The channel does not offer such a variant.", field="variant_id", code="NOT_FOUND")
    return offer


def _open(contact_id: int, ref: ProductRef) -> QuerySet[StockRequest]:
    return StockRequest.objects.filter(
        contact_id=contact_id, variant_id=ref.variant_id, shop_channel=ref.shop_channel, state__in=_OPEN
    )


def _has_too_many(contact_id: int) -> bool:
    return StockRequest.objects.filter(contact_id=contact_id, state__in=_OPEN).count() >= MOST_REQUESTS


def _refuse_too_many(contact_id: int) -> None:
    if _has_too_many(contact_id):
        raise InvalidInput(f"At most {MOST_REQUESTS} products can be waited for.", field="variant_id", code="LIMIT")


def _was_asked_enough(contact_id: int) -> bool:
    """Whether the address was asked to confirm as often as it may be in a day; its own requests do not count."""
    day = StockRequest.objects.filter(contact_id=contact_id, created_at__gt=clock.now() - timedelta(days=1))
    return day.count() - day.filter(queued_at=F("created_at")).count() >= MOST_ASKED_A_DAY


def _new(contact_id: int, ref: ProductRef, *, at: datetime) -> StockRequest:
    return StockRequest.objects.create(
        contact_id=contact_id,
        product_id=ref.product_id,
        variant_id=ref.variant_id,
        shop_channel=ref.shop_channel,
        state=StockRequestState.UNCONFIRMED,
        created_at=at,
    )


def _queue(request: StockRequest, offer: Offer, *, at: datetime) -> None:
    """Put a request at the end of the line, and watch what it is about."""
    watch.keep()
    request.state, request.queued_at = StockRequestState.WAITING, at
    request.save(update_fields=("state", "queued_at"))
    watch.begin([offer])
    recording.record(
        Fact(
            kind=FactKind.STOCK_AWAITED,
            source_key=f"stock_request:{request.pk}",
            occurred_at=request.queued_at,
            contact_id=request.contact_id,
            product_id=request.product_id,
            variant_id=request.variant_id,
            shop_channel=request.shop_channel,
        )
    )


def _standing(request: StockRequest) -> AskStanding:
    match StockRequestState(request.state):
        case StockRequestState.UNCONFIRMED:
            is_open = clock.now() <= request.created_at + ASK_WITHIN
            return AskStanding.OPEN if is_open else AskStanding.EXPIRED
        case StockRequestState.WAITING | StockRequestState.TOLD:
            return AskStanding.DONE
        case StockRequestState.CANCELLED:
            return AskStanding.GONE
        case unknown:
            assert_never(unknown)


def _ref(request: StockRequest) -> ProductRef:
    return ProductRef(request.product_id, request.shop_channel, request.variant_id)
