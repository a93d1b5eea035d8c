"""Likes: what a customer keeps on a list, in the shop's own wishlist where it has one."""

from __future__ import annotations

from typing import Any, Self

import graphene
from graphene.relay import Connection

from crm_plugin import ids, shop
from crm_plugin.errors import InvalidInput
from crm_plugin.graphql.access import Caller
from crm_plugin.graphql.mutation import CrmMutation
from crm_plugin.graphql.pagination import page_of_list
from crm_plugin.graphql.scalars import DateTime
from crm_plugin.shop import Actor, Like, ProductRef


def _product_id(like: Like, _info: Any) -> str:
    return ids.to_global("Product", like.ref.product_id)


def _variant_id(like: Like, _info: Any) -> str | None:
    return ids.to_global("ProductVariant", like.ref.variant_id) if like.ref.variant_id else None


def _channel(like: Like, _info: Any) -> str:
    return like.ref.shop_channel


class CrmLike(graphene.ObjectType):
    """A product, or one variant of it, that a customer likes."""

    product_id = graphene.ID(required=True, resolver=_product_id, description="The shop's Product.")
    variant_id = graphene.ID(
        resolver=_variant_id, description="The shop's ProductVariant; null: the product as a whole."
    )
    channel = graphene.String(required=True, resolver=_channel, description="Slug of the sales channel.")
    liked_at = DateTime(required=True)


class CrmLikeConnection(Connection):
    """A page of likes, newest first."""

    class Meta:
        node = CrmLike


def page_of_likes(customer_id: str, **page: Any) -> Any:
    """Return a page of what the customer likes."""
    return page_of_list(CrmLikeConnection, shop.current().likes(customer_id), name=_name, **page)


def _name(like: Like) -> str:
    return f"{like.ref.shop_channel}/{like.ref.product_id}/{like.ref.variant_id}"


def _named(*, product_id: str, variant_id: str | None, channel: str | None) -> ProductRef:
    """Return the product that the arguments name; without a channel, in the shop's default one."""
    channels = [known.slug for known in shop.current().channels()]
    if channel is not None and channel not in channels:
        raise InvalidInput(f"There is no channel {channel!r}.", field="channel", code="NOT_FOUND")
    return ProductRef(
        product_id=ids.from_global("Product", product_id, field="product_id"),
        shop_channel=channels[0] if channel is None else channel,
        variant_id="" if variant_id is None else ids.from_global("ProductVariant", variant_id, field="variant_id"),
    )


def _refuse_unknown(ref: ProductRef) -> None:
    """Refuse what a shopper cannot see; sold out is fine, it may come back."""
    offers = shop.current().offers([ref.product_id], shop_channel=ref.shop_channel)
    variants = {offer.variant_id for offer in offers if offer.is_purchasable}
    if not variants:
        raise InvalidInput("There is no such product in this channel.", field="product_id", code="NOT_FOUND")
    if ref.variant_id and ref.variant_id not in variants:
        raise InvalidInput("The product has no such variant.", field="variant_id", code="NOT_FOUND")


class _LikeArguments:
    product_id = graphene.ID(required=True, description="The shop's Product.")
    variant_id = graphene.ID(description="The shop's ProductVariant; left out: the product as a whole.")
    channel = graphene.String(description="Slug of the sales channel; left out: the shop's default one.")


class CrmProductLike(CrmMutation):
    """Put a product on the caller's list; twice is once. Requires an account."""

    is_liked = graphene.Boolean(description="True when it is on the list now; null when refused.")

    class Arguments(_LikeArguments):
        pass

    class Meta:
        caller = Caller.CUSTOMER

    @classmethod
    def perform(
        cls, actor: Actor, *, product_id: str, variant_id: str | None = None, channel: str | None = None
    ) -> Self:
        """Like it, when a shopper can see it."""
        ref = _named(product_id=product_id, variant_id=variant_id, channel=channel)
        _refuse_unknown(ref)
        shop.current().like(actor.customer_id, ref)
        return cls(is_liked=True)


class CrmProductUnlike(CrmMutation):
    """Take a product off the caller's list, also one that is no longer sold. Requires an account."""

    is_liked = graphene.Boolean(description="False when it is off the list now; null when refused.")

    class Arguments(_LikeArguments):
        pass

    class Meta:
        caller = Caller.CUSTOMER

    @classmethod
    def perform(
        cls, actor: Actor, *, product_id: str, variant_id: str | None = None, channel: str | None = None
    ) -> Self:
        """Take it off."""
        ref = _named(product_id=product_id, variant_id=variant_id, channel=channel)
        shop.current().unlike(actor.customer_id, ref)
        return cls(is_liked=False)


class LikeMutations(graphene.ObjectType):
    """Root fields that change what a customer likes."""

    crm_product_like = CrmProductLike.Field()
    crm_product_unlike = CrmProductUnlike.Field()
