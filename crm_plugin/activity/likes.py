"""Likes that the CRM keeps for a shop without a wishlist of its own."""

from __future__ import annotations

from dataclasses import dataclass

from crm_plugin import clock
from crm_plugin.activity.models import OwnLike
from crm_plugin.shop import Like, Position, ProductRef


@dataclass(frozen=True, slots=True)
class KeptLike:
    """A like and whose it is; ``key`` tells it from others of the same moment."""

    key: str
    customer_id: str
    like: Like


def like_own(customer_id: str, ref: ProductRef) -> bool:
    """Keep the like; return whether it is new."""
    _row, is_new = OwnLike.objects.get_or_create(
        customer_id=customer_id,
        product_id=ref.product_id,
        variant_id=ref.variant_id,
        shop_channel=ref.shop_channel,
        defaults={"created_at": clock.now()},
    )
    return is_new


def unlike_own(customer_id: str, ref: ProductRef) -> bool:
    """Drop the like; return whether there was one."""
    gone, _by_model = OwnLike.objects.filter(
        customer_id=customer_id, product_id=ref.product_id, variant_id=ref.variant_id, shop_channel=ref.shop_channel
    ).delete()
    return gone > 0


def own_likes(customer_id: str) -> list[Like]:
    """Return the customer's likes, newest first."""
    rows = OwnLike.objects.filter(customer_id=customer_id).order_by("-created_at", "-id")
    return [Like(ProductRef(row.product_id, row.shop_channel, row.variant_id), row.created_at) for row in rows]


def likes_since(position: Position, *, limit: int) -> list[KeptLike]:
    """Return the likes of everybody after ``position``, oldest first, for the shop's stream of them."""
    rows = OwnLike.objects.filter(created_at__gte=position.at)
    if position.key:
        rows = rows.exclude(created_at=position.at, pk__lte=position.key)
    return [
        KeptLike(
            str(row.pk),
            row.customer_id,
            Like(ProductRef(row.product_id, row.shop_channel, row.variant_id), row.created_at),
        )
        for row in rows.order_by("created_at", "pk")[:limit]
    ]
