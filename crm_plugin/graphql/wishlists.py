"""Wishlists: the named lists of a customer, and those that anybody with the link may read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import graphene

from crm_plugin import shop
from crm_plugin.errors import InvalidInput
from crm_plugin.graphql.access import Caller, admits, reads
from crm_plugin.graphql.likes import (
    CrmLikeConnection,
    Liked,
    WishedFields,
    list_id,
    list_ref_of,
    page_of_likes,
    refusing_unknown_list,
)
from crm_plugin.graphql.loaders import loaders
from crm_plugin.graphql.mutation import CrmMutation, result
from crm_plugin.graphql.pagination import Page, list_field, page_of_list
from crm_plugin.graphql.scalars import DateTime
from crm_plugin.shop import Actor, Like, Wishlist

LONGEST_NAME = 80
_LONGEST_KEY = 100


def _id(wishlist: Wishlist, _info: Any) -> str:
    return list_id(wishlist.list_ref)


def _is_default(wishlist: Wishlist, _info: Any) -> bool:
    return not wishlist.list_ref


def _key(wishlist: Wishlist, _info: Any) -> str | None:
    return wishlist.key if wishlist.is_public else None


def _on(wishlist: Wishlist, likes: Sequence[Like]) -> list[Like]:
    return [like for like in likes if like.list_ref == wishlist.list_ref]


def _likes(wishlist: Wishlist, info: Any, **page: Any) -> Any:
    @reads
    def shown(likes: Sequence[Like]) -> Any:
        return page_of_likes(wishlist.customer_id, _on(wishlist, likes), **page)

    return loaders(info).likes.load(wishlist.customer_id).then(shown)


def _count(wishlist: Wishlist, info: Any) -> Any:
    return loaders(info).likes.load(wishlist.customer_id).then(lambda likes: len(_on(wishlist, likes)))


class CrmWishlist(graphene.ObjectType):
    """A named list of a customer's."""

    id = graphene.ID(required=True, resolver=_id, description="A CrmWishlist.")
    name = graphene.String(required=True, description="Empty: the default list, as long as nobody named it.")
    is_default = graphene.Boolean(
        required=True, resolver=_is_default, description="Everybody has this one, and it is never deleted."
    )
    is_public = graphene.Boolean(required=True, description="Whether anybody who has its key can read it.")
    key = graphene.String(
        resolver=_key, description="For a link of the storefront's: who has it reads the list. Null: it is not public."
    )
    created_at = DateTime(description="Null: the default list, as long as nobody changed it.")
    likes_count = graphene.Int(required=True, resolver=_count, description="Products and variants on it.")
    likes = list_field(CrmLikeConnection, description="What is on it, newest first.", resolver=_likes)


@reads
def _own_lists(actor: Actor, _info: Any) -> list[Wishlist]:
    return list(shop.current().wishlists(actor.customer_id))


class WishlistFields:
    """The part of ``crmMe`` that is the customer's lists."""

    wishlists = graphene.List(
        graphene.NonNull(CrmWishlist),
        required=True,
        resolver=_own_lists,
        description="The customer's lists, the default one first.",
    )


class CrmSharedLike(WishedFields, graphene.ObjectType):
    """A product, or one variant of it, on a public list."""


class CrmSharedLikeConnection(Page, node=CrmSharedLike):
    """A page of what is on a public list, newest first."""


def _shared_likes(wishlist: Wishlist, _info: Any, **page: Any) -> Any:
    @reads
    def read() -> Any:
        likes = shop.current().likes(wishlist.customer_id, list_ref=wishlist.list_ref)
        rows = [Liked(like) for like in likes]
        return page_of_list(CrmSharedLikeConnection, rows, name=lambda row: row.name, **page)

    return read()


class CrmSharedWishlist(graphene.ObjectType):
    """A list that its owner made public: its name and what is on it, never whose it is."""

    name = graphene.String(required=True, description="As its owner named it; empty: the default list, not named.")
    likes = list_field(CrmSharedLikeConnection, description="What is on it, newest first.", resolver=_shared_likes)


@admits(Caller.ANYONE)
def _public_list(_actor: Actor, _info: Any, *, key: str) -> Wishlist | None:
    if not 0 < len(key) <= _LONGEST_KEY or "\0" in key:
        return None
    return shop.current().public_wishlist(key)


class WishlistQueries(graphene.ObjectType):
    """Root fields that read lists."""

    crm_wishlist = graphene.Field(
        CrmSharedWishlist,
        description="A public list; null when no public list has this key. Open to anybody.",
        resolver=_public_list,
        key=graphene.String(required=True, description="As `CrmWishlist.key` gives it to the owner."),
    )


def _name(text: str) -> str:
    name = text.strip()
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise InvalidInput(f"A name has 1 to {LONGEST_NAME} characters on one line.", field="name")
    return name


class CrmWishlistCreate(CrmMutation, caller=Caller.CUSTOMER):
    """Make another list of the caller's. Requires an account."""

    wishlist = result(CrmWishlist)

    class Arguments:
        name = graphene.String(required=True, description=f"1 to {LONGEST_NAME} characters on one line.")
        is_public = graphene.Boolean(description="Left out: only the caller sees it.")

    @classmethod
    def perform(cls, actor: Actor, *, name: str, is_public: bool | None = None) -> Self:
        """Make it."""
        port = shop.current()
        made = port.make_wishlist(actor.customer_id, name=_name(name))
        if is_public:
            made = port.change_wishlist(actor.customer_id, made.list_ref, is_public=True)
        return cls(wishlist=made)


class CrmWishlistUpdate(CrmMutation, caller=Caller.CUSTOMER):
    """Rename a list of the caller's, make it public or private. Requires an account."""

    wishlist = result(CrmWishlist)

    class Arguments:
        id = graphene.ID(required=True, description="A CrmWishlist of the caller's.")
        name = graphene.String(description="Left out: as it was.")
        is_public = graphene.Boolean(description="Left out: as it was.")

    @classmethod
    def perform(cls, actor: Actor, *, id: str, name: str | None = None, is_public: bool | None = None) -> Self:
        """Change what is given."""
        list_ref, new_name = list_ref_of(id, field="id"), None if name is None else _name(name)
        with refusing_unknown_list(field="id"):
            changed = shop.current().change_wishlist(actor.customer_id, list_ref, name=new_name, is_public=is_public)
        return cls(wishlist=changed)


class CrmWishlistDelete(CrmMutation, caller=Caller.CUSTOMER):
    """Delete a list of the caller's with what is on it; the default one is emptied. Requires an account."""

    class Arguments:
        id = graphene.ID(required=True, description="A CrmWishlist of the caller's.")

    @classmethod
    def perform(cls, actor: Actor, *, id: str) -> Self:
        """Delete it."""
        with refusing_unknown_list(field="id"):
            shop.current().drop_wishlist(actor.customer_id, list_ref_of(id, field="id"))
        return cls()


class WishlistMutations(graphene.ObjectType):
    """Root fields that change the caller's lists."""

    crm_wishlist_create = CrmWishlistCreate.Field()
    crm_wishlist_update = CrmWishlistUpdate.Field()
    crm_wishlist_delete = CrmWishlistDelete.Field()
