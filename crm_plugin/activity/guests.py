"""Likes of people who have not signed in: kept by the id of their browser, and given to the customer who it was.

Only a fact that the shop itself tells of both, the customer and the browser, hands them over: an address that somebody
typed in says nothing about whose list it is (docs/decisions/unauthenticated-identify.md).
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.db import connection, transaction

from crm_plugin import clock, contacts, shop
from crm_plugin.activity.models import OwnLike
from crm_plugin.activity.recording import record
from crm_plugin.activity.wishlists import take_turns
from crm_plugin.contacts import Person
from crm_plugin.errors import CRMError, InvalidInput
from crm_plugin.money import Money
from crm_plugin.shop import Fact, FactKind, Like, ProductRef

logger = logging.getLogger(__name__)

#: Of one browser.
MAX_GUEST_LIKES: Final = 200

#: Who comes second waits, and finds nothing left. The first condition is what the index of guests' rows asks for.
_TAKE: Final = """
DELETE FROM crm_plugin_ownlike WHERE id IN (
    SELECT id FROM crm_plugin_ownlike WHERE visitor_id <> '' AND visitor_id = ANY(%s) ORDER BY id FOR UPDATE)
RETURNING id, visitor_id, product_id, variant_id, shop_channel, created_at
"""

#: The like is as old as it was, and so is the price that the person saw: signing in is no new sign of interest. Unless
#: they took the product off their own list since: then it is there again from now on.
_AS_IT_WAS: Final = """
UPDATE crm_plugin_inbox f SET occurred_at = g.liked_at, amount = COALESCE(a.amount, f.amount),
    currency = COALESCE(NULLIF(a.currency, ''), f.currency)
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::text[])
    AS g(customer_id, product_id, variant_id, shop_channel, liked_at, source_key)
LEFT JOIN crm_plugin_activity a ON a.source_key = g.source_key
WHERE f.id > %s AND f.kind = 'liked' AND f.customer_id = g.customer_id AND f.product_id = g.product_id
    AND f.variant_id = g.variant_id AND f.shop_channel = g.shop_channel AND NOT EXISTS (
        SELECT 1 FROM crm_plugin_contact c JOIN crm_plugin_interest i ON i.contact_id = c.id
        WHERE c.customer_id = g.customer_id AND i.product_id = g.product_id AND i.shop_channel = g.shop_channel
            AND i.liked_at IS NULL AND i.like_changed_at > g.liked_at)
"""


@dataclass(frozen=True, slots=True)
class _Taken:
    """A guest's like on its way to the customer's list."""

    pk: int
    visitor_id: str
    ref: ProductRef
    liked_at: datetime


def guest_likes(visitor_id: str) -> list[Like]:
    """Return what was liked in a browser by whoever had not signed in, newest first."""
    rows = OwnLike.objects.filter(visitor_id=visitor_id).exclude(visitor_id="").order_by("-created_at", "-id")
    return [Like(ProductRef(row.product_id, row.shop_channel, row.variant_id), row.created_at) for row in rows]


def like_as_guest(visitor_id: str, ref: ProductRef) -> None:
    """Keep the like and record it with the price that the visitor sees; twice is once. Must run in a transaction.

    Raises:
        InvalidInput: shoppers cannot see the product in this channel (``NOT_FOUND``); the list is full (``LIMIT``).
    """
    take_turns(visitor_id)
    kept = OwnLike.objects.filter(visitor_id=visitor_id)
    if kept.filter(product_id=ref.product_id, variant_id=ref.variant_id, shop_channel=ref.shop_channel).exists():
        return
    price = _price_seen(ref)
    if kept.count() >= MAX_GUEST_LIKES:
        raise InvalidInput(f"At most {MAX_GUEST_LIKES} products.", field="product", code="LIMIT")
    now = clock.now()
    OwnLike.objects.create(
        visitor_id=visitor_id,
        product_id=ref.product_id,
        variant_id=ref.variant_id,
        shop_channel=ref.shop_channel,
        created_at=now,
    )
    record(_fact(FactKind.LIKED, visitor_id, ref, at=now, amount=price))


def unlike_as_guest(visitor_id: str, ref: ProductRef) -> None:
    """Drop the like; record it when no variant of the product is left. Must run in a transaction."""
    take_turns(visitor_id)
    of_product = OwnLike.objects.filter(
        visitor_id=visitor_id, product_id=ref.product_id, shop_channel=ref.shop_channel
    ).exclude(visitor_id="")
    gone, _by_model = of_product.filter(variant_id=ref.variant_id).delete()
    if gone and not of_product.exists():
        record(_fact(FactKind.UNLIKED, visitor_id, ref, at=clock.now()))


def hand_likes_over(people: Collection[Person]) -> int:
    """Put the likes of browsers onto the default lists of the customers who were seen in them; return how many.

    Must run in the drain's transaction, after ``project``: the customers' contacts are locked then, and what they did
    as guests is in the stream. What the shop refuses, because it is sold no longer or the list is full, is let go.
    """
    owners = _owners(people)
    if not owners or not OwnLike.objects.exclude(visitor_id="").filter(visitor_id__in=owners).exists():
        return 0
    known = contacts.contacts().filter(customer_id__in=set(owners.values()))
    alive = set(known.values_list("customer_id", flat=True))
    taken = _take([visitor_id for visitor_id, customer_id in owners.items() if customer_id in alive])
    taken.sort(key=lambda one: (owners[one.visitor_id], one.liked_at, one.pk))
    newest = _newest_fact()
    given = [one for one in taken if _give(owners[one.visitor_id], one.ref)]
    _tell_as_it_was(given, owners, after=newest)
    return len(given)


def forget_guests(visitor_ids: Collection[str]) -> None:
    """Delete the likes of browsers that are forgotten."""
    OwnLike.objects.exclude(visitor_id="").filter(visitor_id__in=visitor_ids).delete()


def _owners(people: Collection[Person]) -> dict[str, str]:
    """Return the customer of each browser; of several, who was seen in it first: the next one found it as it was."""
    now = clock.now()
    seen = [one for one in people if one.customer_id and one.visitor_id]
    seen.sort(key=lambda one: (one.first_seen_at or one.seen_at or now, one.customer_id), reverse=True)
    return {one.visitor_id: one.customer_id for one in seen}


def _take(visitor_ids: Sequence[str]) -> list[_Taken]:
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, [list(visitor_ids)])
        return [
            _Taken(pk, visitor_id, ProductRef(product_id, shop_channel, variant_id), liked_at)
            for pk, visitor_id, product_id, variant_id, shop_channel, liked_at in cursor.fetchall()
        ]


def _give(customer_id: str, ref: ProductRef) -> bool:
    try:
        with transaction.atomic():
            shop.current().like(customer_id, ref)
    except CRMError as refused:
        logger.info("crm: a guest's like of product %s was let go: %s", ref.product_id, refused)
        return False
    return True


def _newest_fact() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT COALESCE(max(id), 0) FROM crm_plugin_inbox")
        return int(cursor.fetchone()[0])


def _tell_as_it_was(given: Sequence[_Taken], owners: Mapping[str, str], *, after: int) -> None:
    if not given:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _AS_IT_WAS,
            [
                [owners[one.visitor_id] for one in given],
                [one.ref.product_id for one in given],
                [one.ref.variant_id for one in given],
                [one.ref.shop_channel for one in given],
                [one.liked_at for one in given],
                [_key(FactKind.LIKED, one.visitor_id, one.ref, one.liked_at) for one in given],
                after,
            ],
        )


def _price_seen(ref: ProductRef) -> Money:
    offers = shop.current().offers([ref.product_id], shop_channel=ref.shop_channel)
    prices: list[Money] = [one.price for one in offers if one.is_purchasable and ref.variant_id in ("", one.variant_id)]
    if not prices:
        raise InvalidInput("There is no such product in this channel.", field="product", code="NOT_FOUND")
    return min(prices, key=_amount)


def _amount(price: Money) -> Decimal:
    return price.amount


def _fact(kind: FactKind, visitor_id: str, ref: ProductRef, *, at: datetime, amount: Money | None = None) -> Fact:
    return Fact(
        kind=kind,
        source_key=_key(kind, visitor_id, ref, at),
        occurred_at=at,
        visitor_id=visitor_id,
        product_id=ref.product_id,
        variant_id=ref.variant_id,
        shop_channel=ref.shop_channel,
        amount=amount,
    )


def _key(kind: FactKind, visitor_id: str, ref: ProductRef, at: datetime) -> str:
    """Return the key of the fact; the time comes early, because a key is cut at 200 characters."""
    return f"{kind}:{visitor_id}:{at.isoformat()}:{ref.shop_channel}:{ref.product_id}:{ref.variant_id}"[:200]
