"""Likes that the CRM keeps for a shop without a wishlist of its own. Their lists are in ``wishlists``."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import Count

from crm_plugin import clock
from crm_plugin.activity.models import OwnLike
from crm_plugin.activity.wishlists import row_of, take_turns
from crm_plugin.errors import InvalidInput
from crm_plugin.shop import Like, Position, ProductRef

#: On one list.
MAX_LIKES: Final = 1_000


@dataclass(frozen=True, slots=True)
class KeptLike:
    """A like and whose it is; ``key`` tells it from others of the same moment."""

    key: str
    customer_id: str
    like: Like


def like_own(customer_id: str, ref: ProductRef, *, list_ref: str = "") -> datetime | None:
    """Keep the like on a list; return its time, None when it is there already. Must run in a transaction.

    Raises:
        NotFound: it is none of the customer's lists.
        InvalidInput: the list is full (``LIMIT``).
    """
    take_turns(customer_id)
    wishlist = row_of(customer_id, list_ref) if list_ref else None
    on_it = OwnLike.objects.filter(customer_id=customer_id, wishlist=wishlist)
    if on_it.filter(**_named(ref)).exists():
        return None
    if on_it.count() >= MAX_LIKES:
        raise InvalidInput(f"At most {MAX_LIKES} products on a list.", field="product_id", code="LIMIT")
    made = OwnLike.objects.create(customer_id=customer_id, wishlist=wishlist, created_at=clock.now(), **_named(ref))
    return made.created_at


def unlike_own(customer_id: str, ref: ProductRef, *, list_ref: str | None = None) -> bool:
    """Drop the like from one list, or (None) from all. Must run in a transaction.

    Returns:
        Whether by that the product is on none of the customer's lists any more, by none of its variants.

    Raises:
        NotFound: it is none of the customer's lists.
    """
    take_turns(customer_id)
    mine = OwnLike.objects.filter(customer_id=customer_id)
    doomed = mine.filter(**_named(ref))
    if list_ref is not None:
        doomed = doomed.filter(wishlist=row_of(customer_id, list_ref) if list_ref else None)
    gone, _by_model = doomed.delete()
    return gone > 0 and not mine.filter(product_id=ref.product_id, shop_channel=ref.shop_channel).exists()


def own_likes(customer_id: str, *, list_ref: str | None = None) -> list[Like]:
    """Return the customer's likes, newest first: those on one list, or (None) on all of them."""
    rows = OwnLike.objects.filter(customer_id=customer_id).exclude(customer_id="")
    if list_ref is not None:
        wanted = int(list_ref) if list_ref.isascii() and list_ref.isdecimal() else None
        if list_ref and wanted is None:
            return []
        rows = rows.filter(wishlist=wanted)
    return [_like(row) for row in rows.order_by("-created_at", "-id")]


def own_liked(customer_id: str, product_ids: Collection[str], *, shop_channel: str) -> frozenset[str]:
    """Return which of the products, or variants of them, are on any list of the customer, in one query."""
    rows = OwnLike.objects.filter(customer_id=customer_id, product_id__in=set(product_ids), shop_channel=shop_channel)
    return frozenset(rows.exclude(customer_id="").values_list("product_id", flat=True))


def own_like_counts(product_ids: Collection[str], *, shop_channel: str) -> Mapping[str, int]:
    """Return how many customers keep each product on a list, in one query; those of nobody are left out."""
    rows = OwnLike.objects.filter(product_id__in=set(product_ids), shop_channel=shop_channel).exclude(customer_id="")
    counted = rows.order_by().values("product_id").annotate(people=Count("customer_id", distinct=True))
    return dict(counted.values_list("product_id", "people"))


def likes_since(position: Position, *, limit: int) -> list[KeptLike]:
    """Return the likes of all customers after ``position``, oldest first, for the shop's stream of them."""
    rows = OwnLike.objects.filter(created_at__gte=position.at).exclude(customer_id="")
    if position.key:
        rows = rows.exclude(created_at=position.at, pk__lte=position.key)
    found = rows.order_by("created_at", "pk")[:limit]
    return [KeptLike(str(row.pk), row.customer_id, _like(row)) for row in found]


def _like(row: OwnLike) -> Like:
    list_ref = "" if row.wishlist_id is None else str(row.wishlist_id)
    return Like(ProductRef(row.product_id, row.shop_channel, row.variant_id), row.created_at, list_ref)


def _named(ref: ProductRef) -> dict[str, str]:
    return {"product_id": ref.product_id, "variant_id": ref.variant_id, "shop_channel": ref.shop_channel}
