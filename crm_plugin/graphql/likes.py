"""Likes: what a customer keeps on lists, in the shop's own wishlists where it has them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import graphene

from crm_plugin import ids, shop
from crm_plugin.errors import InvalidInput, NotFound
from crm_plugin.graphql.access import Caller, admits, reads
from crm_plugin.graphql.arguments import channel_named, product_named
from crm_plugin.graphql.loaders import loaders
from crm_plugin.graphql.mutation import CrmMutation
from crm_plugin.graphql.pagination import Page, list_field, page_of_list
from crm_plugin.graphql.prices import CrmPrice
from crm_plugin.graphql.scalars import DateTime
from crm_plugin.shop import Actor, Like, ProductRef

#: Products of one grid.
MOST_PRODUCTS = 100
#: The default list has no id of the shop's.
_DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Liked:
    """A like, and whose it is; None where that is nobody's business."""

    like: Like
    customer_id: str | None = None

    @property
    def name(self) -> str:
        """By which a cursor finds it on its list."""
        ref = self.like.ref
        return f"{ref.shop_channel}/{ref.product_id}/{ref.variant_id}"


def _product_id(liked: Liked, _info: Any) -> str:
    return ids.to_global("Product", liked.like.ref.product_id)


def _variant_id(liked: Liked, _info: Any) -> str | None:
    ref = liked.like.ref
    return ids.to_global("ProductVariant", ref.variant_id) if ref.variant_id else None


def _channel(liked: Liked, _info: Any) -> str:
    return liked.like.ref.shop_channel


def _liked_at(liked: Liked, _info: Any) -> Any:
    return liked.like.liked_at


def _price_then(liked: Liked, info: Any) -> Any:
    return loaders(info).price_then.load((liked.customer_id, liked.like))


def _price_now(liked: Liked, info: Any) -> Any:
    return loaders(info).standing.load(liked.like.ref).then(lambda found: found.price)


def _is_in_stock(liked: Liked, info: Any) -> Any:
    return loaders(info).standing.load(liked.like.ref).then(lambda found: found.is_in_stock)


class WishedFields:
    """What everybody may see of a product that somebody keeps on a list."""

    product_id = graphene.ID(required=True, resolver=_product_id, description="The shop's Product.")
    variant_id = graphene.ID(
        resolver=_variant_id, description="The shop's ProductVariant; null: the product as a whole."
    )
    channel = graphene.String(required=True, resolver=_channel, description="Slug of the sales channel.")
    price_now = graphene.Field(
        CrmPrice,
        resolver=_price_now,
        description="Of a product, the lowest of what can be bought; null: shoppers cannot see it any more.",
    )
    is_in_stock = graphene.Boolean(required=True, resolver=_is_in_stock, description="Whether it can be bought now.")


class CrmLike(WishedFields, graphene.ObjectType):
    """A product, or one variant of it, that a customer likes."""

    liked_at = DateTime(required=True, resolver=_liked_at, description="When it was put on the list.")
    price_then = graphene.Field(
        CrmPrice,
        resolver=_price_then,
        description="What it cost when it was liked; null: not known, or not yet (seconds).",
    )


class CrmLikeConnection(Page, node=CrmLike):
    """A page of likes, newest first."""


def page_of_likes(customer_id: str, likes: Sequence[Like], **page: Any) -> Any:
    """Return a page of a customer's likes."""
    rows = [Liked(like, customer_id) for like in likes]
    return page_of_list(CrmLikeConnection, rows, name=lambda row: row.name, **page)


def _likes(actor: Actor, info: Any, **page: Any) -> Any:
    @reads
    def shown(likes: Sequence[Like]) -> Any:
        newest_first = {like.ref: like for like in reversed(likes)}  # on several lists: as it was liked last
        return page_of_likes(actor.customer_id, [like for like in likes if newest_first[like.ref] is like], **page)

    return loaders(info).likes.load(actor.customer_id).then(shown)


class LikeFields:
    """The part of ``crmMe`` that is on the customer's lists."""

    likes = list_field(
        CrmLikeConnection,
        description="What the customer likes, newest first: on all lists, each product once.",
        resolver=_likes,
    )


class CrmProductLikes(graphene.ObjectType):
    """What a product grid shows of likes."""

    product_id = graphene.ID(required=True, description="The shop's Product, as it was asked for.")
    is_liked = graphene.Boolean(
        required=True, description="Whether the caller keeps it, or a variant of it; false for who has not signed in."
    )
    count = graphene.Int(required=True, description="How many customers keep it on a list.")


@admits(Caller.ANYONE)
def _of_products(
    actor: Actor, _info: Any, *, product_ids: Collection[str], channel: str | None = None
) -> list[CrmProductLikes]:
    if len(product_ids) > MOST_PRODUCTS:
        raise InvalidInput(f"At most {MOST_PRODUCTS} products.", field="product_ids", code="LIMIT")
    asked = {given: ids.from_global("Product", given, field="product_ids") for given in product_ids}
    slug, keys, port = channel_named(channel), set(asked.values()), shop.current()
    if not keys:
        return []
    liked = port.liked(actor.customer_id, keys, shop_channel=slug) if actor.customer_id else frozenset()
    counts = port.like_counts(keys, shop_channel=slug)
    return [
        CrmProductLikes(product_id=given, is_liked=key in liked, count=counts.get(key, 0))
        for given, key in asked.items()
    ]


class LikeQueries(graphene.ObjectType):
    """Root fields that read likes."""

    crm_likes = graphene.List(
        graphene.NonNull(CrmProductLikes),
        description="Which products of a grid the caller likes, and how many customers do. Open to anybody.",
        resolver=_of_products,
        product_ids=graphene.List(
            graphene.NonNull(graphene.ID), required=True, description=f"At most {MOST_PRODUCTS} products of the shop."
        ),
        channel=graphene.String(description="Slug of the sales channel; left out: the shop's default one."),
    )


def list_id(list_ref: str) -> str:
    """Return the Relay id of a list."""
    return ids.to_global("CrmWishlist", list_ref or _DEFAULT)


def list_ref_of(value: str, *, field: str) -> str:
    """Return which of the caller's lists an id names; empty for the default one.

    Raises:
        InvalidInput: when ``value`` is no such id.
    """
    found = ids.from_global("CrmWishlist", value, field=field)
    return "" if found == _DEFAULT else found


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


class CrmProductLike(CrmMutation, caller=Caller.CUSTOMER):
    """Put a product on one of the caller's lists; twice is once. Requires an account."""

    is_liked = graphene.Boolean(description="True when it is on the list now; null when refused.")

    class Arguments(_LikeArguments):
        wishlist = graphene.ID(description="One of the caller's lists; left out: the default one.")

    @classmethod
    def perform(cls, actor: Actor, *, wishlist: str | None = None, **product: Any) -> Self:
        """Like it, when a shopper can see it."""
        ref = product_named(**product)
        list_ref = "" if wishlist is None else list_ref_of(wishlist, field="wishlist")
        _refuse_unknown(ref)
        with refusing_unknown_list(field="wishlist"):
            shop.current().like(actor.customer_id, ref, list_ref=list_ref)
        return cls(is_liked=True)


class CrmProductUnlike(CrmMutation, caller=Caller.CUSTOMER):
    """Take a product off the caller's lists, also one that is no longer sold. Requires an account."""

    is_liked = graphene.Boolean(description="Whether it is still on another list; null when refused.")

    class Arguments(_LikeArguments):
        wishlist = graphene.ID(description="One of the caller's lists; left out: all of them.")

    @classmethod
    def perform(cls, actor: Actor, *, wishlist: str | None = None, **product: Any) -> Self:
        """Take it off."""
        ref, port = product_named(**product), shop.current()
        list_ref = None if wishlist is None else list_ref_of(wishlist, field="wishlist")
        with refusing_unknown_list(field="wishlist"):
            port.unlike(actor.customer_id, ref, list_ref=list_ref)
        return cls(is_liked=list_ref is not None and any(like.ref == ref for like in port.likes(actor.customer_id)))


@contextmanager
def refusing_unknown_list(*, field: str) -> Iterator[None]:
    """Tell that a list is not the caller's, with the argument that named it."""
    try:
        yield
    except NotFound as error:
        raise InvalidInput(str(error), field=field, code="NOT_FOUND") from error


class LikeMutations(graphene.ObjectType):
    """Root fields that change what a customer likes."""

    crm_product_like = CrmProductLike.Field()
    crm_product_unlike = CrmProductUnlike.Field()
