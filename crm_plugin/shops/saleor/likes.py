"""Likes: Saleor has no wishlist, so the CRM keeps one."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from crm_plugin import activity, clock
from crm_plugin.errors import NotFound
from crm_plugin.money import Money
from crm_plugin.shop import Fact, FactKind, Like, ProductRef
from crm_plugin.shops.saleor.offers import offers


def likes(customer_id: str) -> list[Like]:
    """Return what the customer likes, newest first."""
    return activity.own_likes(customer_id)


def like(customer_id: str, ref: ProductRef) -> None:
    """Keep the like and record it with the price that the customer sees now.

    Raises:
        NotFound: when the channel does not offer the product.
    """
    price = _price_seen(ref)
    with transaction.atomic():
        if activity.like_own(customer_id, ref):
            kept = next(like for like in activity.own_likes(customer_id) if like.ref == ref)
            activity.record(fact(FactKind.LIKED, customer_id, ref, at=kept.liked_at, amount=price))


def unlike(customer_id: str, ref: ProductRef) -> None:
    """Drop the like and record that it is gone."""
    with transaction.atomic():
        if activity.unlike_own(customer_id, ref):
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
