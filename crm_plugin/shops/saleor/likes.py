"""Wishlists: Saleor has none, so the CRM keeps them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from django.db import transaction

from crm_plugin import activity, clock
from crm_plugin.errors import NotFound
from crm_plugin.money import Money
from crm_plugin.shop import Fact, FactKind, Like, ProductRef, Wishlist
from crm_plugin.shops.saleor.offers import offers


def wishlists(customer_id: str) -> Sequence[Wishlist]:
    """Return the customer's lists, the default one first."""
    return activity.own_wishlists(customer_id)


def public_wishlist(key: str) -> Wishlist | None:
    """Return the public list of that key."""
    return activity.public_own_wishlist(key)


def make_wishlist(customer_id: str, *, name: str) -> Wishlist:
    """Make another list.

    Raises:
        InvalidInput: there are as many as there may be.
    """
    with transaction.atomic():
        return activity.make_own_wishlist(customer_id, name=name)


def change_wishlist(
    customer_id: str, list_ref: str, *, name: str | None = None, is_public: bool | None = None
) -> Wishlist:
    """Change what is given.

    Raises:
        NotFound: it is none of the customer's lists.
    """
    with transaction.atomic():
        return activity.change_own_wishlist(customer_id, list_ref, name=name, is_public=is_public)


def drop_wishlist(customer_id: str, list_ref: str) -> None:
    """Delete a list, or empty the default one, and record what is on none any more.

    Raises:
        NotFound: it is none of the customer's lists.
    """
    with transaction.atomic():
        now = clock.now()
        gone = activity.drop_own_wishlist(customer_id, list_ref)
        activity.record_many(fact(FactKind.UNLIKED, customer_id, ref, at=now) for ref in gone)


def likes(customer_id: str, *, list_ref: str | None = None) -> list[Like]:
    """Return what the customer likes, newest first."""
    return activity.own_likes(customer_id, list_ref=list_ref)


def liked(customer_id: str, product_ids: Collection[str], *, shop_channel: str) -> frozenset[str]:
    """Return which of the products are on a list of the customer's."""
    return activity.own_liked(customer_id, product_ids, shop_channel=shop_channel)


def like_counts(product_ids: Collection[str], *, shop_channel: str) -> Mapping[str, int]:
    """Return how many customers keep each product."""
    return activity.own_like_counts(product_ids, shop_channel=shop_channel)


def like(customer_id: str, ref: ProductRef, *, list_ref: str = "") -> None:
    """Keep the like and record it with the price that the customer sees now.

    Raises:
        NotFound: the channel does not offer the product, or it is none of the customer's lists.
        InvalidInput: the list is full.
    """
    price = _price_seen(ref)
    with transaction.atomic():
        liked_at = activity.like_own(customer_id, ref, list_ref=list_ref)
        if liked_at is not None:
            activity.record(fact(FactKind.LIKED, customer_id, ref, at=liked_at, amount=price))


def unlike(customer_id: str, ref: ProductRef, *, list_ref: str | None = None) -> None:
    """Drop the like; record it when the product is on none of the lists any more.

    Raises:
        NotFound: it is none of the customer's lists.
    """
    with transaction.atomic():
        if activity.unlike_own(customer_id, ref, list_ref=list_ref):
            activity.record(fact(FactKind.UNLIKED, customer_id, ref, at=clock.now()))


def _price_seen(ref: ProductRef) -> Money:
    found = [
        offer
        for offer in offers([ref.product_id], shop_channel=ref.shop_channel)
        if ref.variant_id in ("", offer.variant_id)
    ]
    if not found:
        raise NotFound("This product is not offered in this channel.")
    return min((offer.price for offer in found), key=lambda price: price.amount)


def fact(kind: FactKind, customer_id: str, ref: ProductRef, *, at: datetime, amount: Money | None = None) -> Fact:
    """Return the fact; a product can be liked, unliked and liked again, so its key has the time in it."""
    thing = ":".join(filter(None, (ref.shop_channel, ref.product_id, ref.variant_id)))
    return Fact(
        kind=kind,
        source_key=f"{kind}:{customer_id}:{thing}:{at.isoformat()}",
        occurred_at=at,
        customer_id=customer_id,
        product_id=ref.product_id,
        variant_id=ref.variant_id,
        shop_channel=ref.shop_channel,
        amount=amount,
    )
