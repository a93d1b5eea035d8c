"""What the engine asks of a shop, and which shop it asks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from django.core.exceptions import ImproperlyConfigured

from crm_plugin.shop.coupons import CouponTerms, ShopCoupon
from crm_plugin.shop.facts import Fact
from crm_plugin.shop.goods import Group, Offer, ProductCard, ProductRef
from crm_plugin.shop.people import Actor, Customer
from crm_plugin.shop.reviews import NewReview, ShopReview
from crm_plugin.shop.trade import Cart, Order
from crm_plugin.shop.vouchers import Voucher
from crm_plugin.shop.wishlists import Like, Wishlist


@dataclass(frozen=True, slots=True)
class ShopChannel:
    """A sales channel: the slug by which everything else names it, and its one currency."""

    slug: str
    name: str
    currency: str
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class ShopIdentity:
    """Who the shop is towards its customers."""

    name: str
    url: str
    time_zone: str
    language: str
    email: str = ""
    postal_address: str = ""


@dataclass(frozen=True, slots=True)
class Operator:
    """What the operator of the shop decides about the CRM.

    Attributes:
        is_enabled: off means: record nothing, send nothing, serve nothing.
        public_url: absolute prefix of the CRM's public endpoints, ending in a slash.
        dashboard_origins: origins that may show the hosted pages in a frame.
    """

    is_enabled: bool
    public_url: str
    dashboard_origins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Position:
    """How far a stream has been read: the last row's time and, among equals, its key."""

    at: datetime
    key: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """A stretch of a stream. ``position`` is where to go on; an empty page has reached the end."""

    facts: tuple[Fact, ...]
    position: Position
    is_last: bool


class Shop(Protocol):
    """What the engine may ask of a shop."""

    name: str

    def operator(self) -> Operator:
        """Return what the operator decided; cheap enough for every loop."""

    def identity(self) -> ShopIdentity:
        """Return who the shop is."""

    def channels(self) -> Sequence[ShopChannel]:
        """Return the sales channels, the default one first."""

    def customers(self, customer_ids: Collection[str]) -> Mapping[str, Customer]:
        """Return the customers by id."""

    def offers(self, product_ids: Collection[str], *, shop_channel: str) -> Sequence[Offer]:
        """Return the offer of every variant of the products that is listed in the channel."""

    def product_cards(self, refs: Collection[ProductRef], *, language: str) -> Mapping[ProductRef, ProductCard]:
        """Return the cards. A card of a whole product carries its lowest price among what can be bought."""

    def search_products(self, text: str, *, shop_channel: str, language: str, limit: int) -> Sequence[ProductCard]:
        """Return products whose name matches, for pickers."""

    def product_groups(self, product_ids: Collection[str]) -> Mapping[str, frozenset[str]]:
        """Return the keys of the groups that each known product is in, if any; those above its categories too."""

    def groups(self, keys: Collection[str], *, language: str) -> Mapping[str, Group]:
        """Return the groups by key."""

    def search_groups(self, text: str, *, language: str, limit: int) -> Sequence[Group]:
        """Return categories and collections whose name matches, for pickers."""

    def carts(self, cart_refs: Collection[str]) -> Mapping[str, Cart]:
        """Return the open carts; one that became an order or expired is left out."""

    def orders(self, order_refs: Collection[str]) -> Mapping[str, Order]:
        """Return the placed orders; drafts and unconfirmed ones are left out."""

    def vouchers(self, voucher_refs: Collection[str], *, among: Collection[str]) -> Mapping[str, Voucher]:
        """Return the vouchers for shoppers; one for some goods only, with those products ``among`` that it covers."""

    def promoted(self, promotion_refs: Collection[str]) -> Collection[str]:
        """Return products that the promotions cover; of one for very many, some: the watch comes to the rest anyway."""

    def check_coupon_terms(self, terms: CouponTerms) -> None:
        """Refuse terms that this shop cannot offer.

        Raises:
            InvalidInput: with the wrong field of ``terms``: a channel, product or group that is not there, an amount
                in a channel of another currency, a minimum that the shop has no notion of.
        """

    def open_coupon_series(self, terms: CouponTerms, *, name: str, ends_at: datetime | None) -> str:
        """Make what codes of the same terms and the same end have in common; return the shop's id of it.

        Raises:
            InvalidInput: as ``check_coupon_terms``.
        """

    def add_coupons(self, series_ref: str, codes: Collection[str]) -> frozenset[str]:
        """Put codes that one order each can use into a series; return those made: one that is taken is left out.

        Raises:
            NotFound: when the series is gone, or was made useless by staff.
        """

    def coupons(self, codes: Collection[str]) -> Mapping[str, ShopCoupon]:
        """Return the codes that the shop knows, by the code asked for, in a fixed number of queries."""

    def release_coupons(self, codes: Collection[str], *, order_ref: str) -> None:
        """Let codes that an order used, which came to nothing, be used again."""

    def drop_coupons(self, codes: Collection[str]) -> None:
        """Delete codes that no order used, and the series of which none is left."""

    def gift_card_balances(self, customer_ids: Collection[str]) -> Mapping[str, Mapping[str, Decimal]]:
        """Return what is left on each customer's valid gift cards, by currency; who has none is left out."""

    def wishlists(self, customer_id: str) -> Sequence[Wishlist]:
        """Return the customer's lists, the default one first, which is there even when nobody made it."""

    def public_wishlist(self, key: str) -> Wishlist | None:
        """Return the list of that key if its owner made it public."""

    def make_wishlist(self, customer_id: str, *, name: str) -> Wishlist:
        """Make another list."""

    def change_wishlist(
        self, customer_id: str, list_ref: str, *, name: str | None = None, is_public: bool | None = None
    ) -> Wishlist:
        """Change what is given.

        Raises:
            NotFound: when it is none of the customer's lists.
        """

    def drop_wishlist(self, customer_id: str, list_ref: str) -> None:
        """Delete a list with what is on it, and tell the engine; the default one is emptied.

        Raises:
            NotFound: when it is none of the customer's lists.
        """

    def likes(self, customer_id: str, *, list_ref: str | None = None) -> Sequence[Like]:
        """Return what the customer likes, newest first: on one list, or (None) on all of them."""

    def liked(self, customer_id: str, product_ids: Collection[str], *, shop_channel: str) -> frozenset[str]:
        """Return which of the products, or variants of them, are on any list of the customer; one query."""

    def like_counts(self, product_ids: Collection[str], *, shop_channel: str) -> Mapping[str, int]:
        """Return how many customers keep each product on a list; one query, those of nobody left out."""

    def like(self, customer_id: str, ref: ProductRef, *, list_ref: str = "") -> None:
        """Put the product on a list of the customer's and tell the engine; twice is once.

        Raises:
            NotFound: the channel does not offer the product, or it is none of the customer's lists.
        """

    def unlike(self, customer_id: str, ref: ProductRef, *, list_ref: str | None = None) -> None:
        """Take the product off one list, or (None) off all; tell the engine when it is on none any more."""

    def reviews(self, review_refs: Collection[str]) -> Mapping[str, ShopReview]:
        """Return the reviews that the shop keeps itself; a shop without reviews knows none."""

    def keep_review(self, review: NewReview) -> str:
        """Write the review among the shop's own; return the shop's id of it, empty when the shop keeps none."""

    def judge_review(self, review_ref: str, *, is_published: bool) -> None:
        """Publish a review of the shop's own, or take it back."""

    def streams(self) -> Sequence[str]:
        """Return the names of the streams that ``changed_since`` reads."""

    def changed_since(self, stream: str, position: Position, *, limit: int) -> Page:
        """Return what the shop's indexed timestamps say happened after ``position``, oldest first."""

    def actor(self, context: Any) -> Actor:
        """Return who calls; ``context`` is what the shop's GraphQL hands to a resolver."""

    def graphql_scalars(self) -> Mapping[str, Any]:
        """Return the shop's own scalar classes by name (``DateTime``, ``Decimal`` …); empty: the CRM's own."""

    def writable(self) -> AbstractContextManager[None]:
        """Return the context in which this shop allows database writes."""


_current: Shop | None = None


def install(shop: Shop | None) -> Shop | None:
    """Make ``shop`` the one that the engine asks; return the one before it."""
    global _current
    before, _current = _current, shop
    return before


def current() -> Shop:
    """Return the shop of this process.

    Raises:
        ImproperlyConfigured: when no adapter was chosen.
    """
    if _current is None:
        raise ImproperlyConfigured(
            "crm_plugin found no shop. Set CRM_SHOP to the dotted path of an adapter, for example "
            "'crm_plugin.shops.oscar.OscarShop'."
        )
    return _current
