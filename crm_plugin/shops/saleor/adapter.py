"""The port, for Saleor: each call is answered by the module that its line names."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from decimal import Decimal
from typing import Any

from crm_plugin.shop import (
    Actor,
    Cart,
    CouponTerms,
    Customer,
    Group,
    Like,
    NewReview,
    Offer,
    Operator,
    Order,
    Page,
    Position,
    ProductCard,
    ProductRef,
    ShopChannel,
    ShopCoupon,
    ShopIdentity,
    ShopReview,
    Voucher,
    Wishlist,
)
from crm_plugin.shops.saleor import (
    cards,
    carts,
    configuration,
    coupons,
    gift_cards,
    groups,
    likes,
    offers,
    orders,
    people,
    promotions,
    schema,
    shopfront,
    streams,
    vouchers,
)
from crm_plugin.shops.saleor.access import on_writer, writer


class SaleorShop:
    """Saleor 3.21 and later behind the port ``crm_plugin.shop.Shop``."""

    name = "saleor"

    def connect(self) -> None:
        """Add the CRM to Saleor's GraphQL schema; its hooks come through ``crm_plugin.plugin``."""
        schema.extend()

    def writable(self) -> AbstractContextManager[None]:
        """Return Saleor's ``allow_writer``."""
        return writer()

    def graphql_scalars(self) -> Mapping[str, Any]:
        """Return Saleor's scalars by name."""
        return schema.scalars()

    # Who and where

    def operator(self) -> Operator:
        """Return the plugin's switch and configuration, at most two seconds old."""
        return configuration.operator()

    @on_writer
    def identity(self) -> ShopIdentity:
        """Return Saleor's site."""
        return shopfront.identity()

    @on_writer
    def channels(self) -> Sequence[ShopChannel]:
        """Return Saleor's channels."""
        return shopfront.channels()

    @on_writer
    def customers(self, customer_ids: Collection[str]) -> Mapping[str, Customer]:
        """Return the accounts."""
        return people.customers(customer_ids)

    @on_writer
    def actor(self, context: Any) -> Actor:
        """Return the app or the user of Saleor's GraphQL context."""
        return people.actor(context)

    # Goods

    @on_writer
    def offers(self, product_ids: Collection[str], *, shop_channel: str) -> Sequence[Offer]:
        """Return the variants' channel listings."""
        return offers.offers(product_ids, shop_channel=shop_channel)

    @on_writer
    def product_cards(self, refs: Collection[ProductRef], *, language: str) -> Mapping[ProductRef, ProductCard]:
        """Return the cards, in the reader's language."""
        return cards.product_cards(refs, language=language)

    @on_writer
    def search_products(self, text: str, *, shop_channel: str, language: str, limit: int) -> Sequence[ProductCard]:
        """Return products by name."""
        return cards.search_products(text, shop_channel=shop_channel, language=language, limit=limit)

    @on_writer
    def product_groups(self, product_ids: Collection[str]) -> Mapping[str, frozenset[str]]:
        """Return the keys of the groups of each product."""
        return groups.product_groups(product_ids)

    @on_writer
    def groups(self, keys: Collection[str], *, language: str) -> Mapping[str, Group]:
        """Return the groups by key."""
        return groups.groups(keys, language=language)

    @on_writer
    def search_groups(self, text: str, *, language: str, limit: int) -> Sequence[Group]:
        """Return groups whose name matches."""
        return groups.search_groups(text, language=language, limit=limit)

    # Trade

    @on_writer
    def carts(self, cart_refs: Collection[str]) -> Mapping[str, Cart]:
        """Return the open checkouts."""
        return carts.carts(cart_refs)

    @on_writer
    def orders(self, order_refs: Collection[str]) -> Mapping[str, Order]:
        """Return the placed orders."""
        return orders.orders(order_refs)

    @on_writer
    def vouchers(self, voucher_refs: Collection[str], *, among: Collection[str]) -> Mapping[str, Voucher]:
        """Return the vouchers."""
        return vouchers.vouchers(voucher_refs, among=among)

    @on_writer
    def promoted(self, promotion_refs: Collection[str]) -> Collection[str]:
        """Return the products of the promotions' rules."""
        return promotions.promoted(promotion_refs)

    # Coupons and gift cards

    @on_writer
    def check_coupon_terms(self, terms: CouponTerms) -> None:
        """Refuse what a voucher cannot be."""
        coupons.check_coupon_terms(terms)

    @on_writer
    def open_coupon_series(self, terms: CouponTerms, *, name: str, ends_at: datetime | None) -> str:
        """Make a voucher."""
        return coupons.open_coupon_series(terms, name=name, ends_at=ends_at)

    @on_writer
    def add_coupons(self, series_ref: str, codes: Collection[str]) -> frozenset[str]:
        """Add codes to a voucher."""
        return coupons.add_coupons(series_ref, codes)

    @on_writer
    def coupons(self, codes: Collection[str]) -> Mapping[str, ShopCoupon]:
        """Return the voucher codes."""
        return coupons.coupons(codes)

    @on_writer
    def release_coupons(self, codes: Collection[str], *, order_ref: str) -> None:
        """Make codes active again."""
        coupons.release_coupons(codes, order_ref=order_ref)

    @on_writer
    def drop_coupons(self, codes: Collection[str]) -> None:
        """Delete codes and empty vouchers of the CRM's."""
        coupons.drop_coupons(codes)

    @on_writer
    def gift_card_balances(self, customer_ids: Collection[str]) -> Mapping[str, Mapping[str, Decimal]]:
        """Return what is left on the gift cards."""
        return gift_cards.balances(customer_ids)

    # Wishlists, which the CRM keeps

    @on_writer
    def wishlists(self, customer_id: str) -> Sequence[Wishlist]:
        """Return the customer's lists."""
        return likes.wishlists(customer_id)

    @on_writer
    def public_wishlist(self, key: str) -> Wishlist | None:
        """Return a public list."""
        return likes.public_wishlist(key)

    @on_writer
    def make_wishlist(self, customer_id: str, *, name: str) -> Wishlist:
        """Make a list."""
        return likes.make_wishlist(customer_id, name=name)

    @on_writer
    def change_wishlist(
        self, customer_id: str, list_ref: str, *, name: str | None = None, is_public: bool | None = None
    ) -> Wishlist:
        """Change a list."""
        return likes.change_wishlist(customer_id, list_ref, name=name, is_public=is_public)

    @on_writer
    def drop_wishlist(self, customer_id: str, list_ref: str) -> None:
        """Delete a list."""
        likes.drop_wishlist(customer_id, list_ref)

    @on_writer
    def likes(self, customer_id: str, *, list_ref: str | None = None) -> Sequence[Like]:
        """Return what is on a list, or on all."""
        return likes.likes(customer_id, list_ref=list_ref)

    @on_writer
    def liked(self, customer_id: str, product_ids: Collection[str], *, shop_channel: str) -> frozenset[str]:
        """Return which products are on a list."""
        return likes.liked(customer_id, product_ids, shop_channel=shop_channel)

    @on_writer
    def like_counts(self, product_ids: Collection[str], *, shop_channel: str) -> Mapping[str, int]:
        """Return how many customers keep each product."""
        return likes.like_counts(product_ids, shop_channel=shop_channel)

    @on_writer
    def like(self, customer_id: str, ref: ProductRef, *, list_ref: str = "") -> None:
        """Keep a like."""
        likes.like(customer_id, ref, list_ref=list_ref)

    @on_writer
    def unlike(self, customer_id: str, ref: ProductRef, *, list_ref: str | None = None) -> None:
        """Drop a like."""
        likes.unlike(customer_id, ref, list_ref=list_ref)

    # Reviews: Saleor has none

    def reviews(self, review_refs: Collection[str]) -> Mapping[str, ShopReview]:
        """Return none."""
        return {}

    def keep_review(self, review: NewReview) -> str:
        """Keep nothing: the CRM's own table is the only one."""
        return ""

    def judge_review(self, review_ref: str, *, is_published: bool) -> None:
        """Do nothing."""

    # Reconcile and the first load

    def streams(self) -> Sequence[str]:
        """Return customers, checkouts, orders, fulfilments, likes, vouchers, gift cards."""
        return streams.streams()

    @on_writer
    def changed_since(self, stream: str, position: Position, *, limit: int) -> Page:
        """Return the next stretch of a stream."""
        return streams.changed_since(stream, position, limit=limit)
