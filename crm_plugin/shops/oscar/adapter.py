"""OscarShop: the port, each method one line into the module that answers it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

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
from crm_plugin.shops.oscar import (
    carts_orders,
    catalogue,
    checks,
    coupon_series,
    coupons,
    groups,
    people,
    receivers,
    reviews,
    site,
    streams,
    vouchers,
    wishlists,
)


class OscarShop:
    """The port for django-oscar."""

    name = "oscar"

    def connect(self) -> None:
        """Hang the receivers on Oscar's signals, and the system checks among Django's."""
        receivers.connect()
        checks.connect()

    def operator(self) -> Operator:
        """Return what the ``CRM_`` settings say."""
        return site.operator()

    def identity(self) -> ShopIdentity:
        """Return who the shop is."""
        return site.identity()

    def channels(self) -> Sequence[ShopChannel]:
        """Return Oscar's one channel."""
        return site.channels()

    def customers(self, customer_ids: Collection[str]) -> Mapping[str, Customer]:
        """Return the customers by id."""
        return people.customers(customer_ids)

    def offers(self, product_ids: Collection[str], *, shop_channel: str) -> Sequence[Offer]:
        """Return the offer of every variant of the products that has a price."""
        return catalogue.offers(product_ids, shop_channel=shop_channel)

    def product_cards(self, refs: Collection[ProductRef], *, language: str) -> Mapping[ProductRef, ProductCard]:
        """Return the cards."""
        return catalogue.product_cards(refs, language=language)

    def search_products(self, text: str, *, shop_channel: str, language: str, limit: int) -> Sequence[ProductCard]:
        """Return products whose title matches."""
        return catalogue.search_products(text, shop_channel=shop_channel, language=language, limit=limit)

    def product_groups(self, product_ids: Collection[str]) -> Mapping[str, frozenset[str]]:
        """Return the keys of the groups of each product."""
        return groups.product_groups(product_ids)

    def groups(self, keys: Collection[str], *, language: str) -> Mapping[str, Group]:
        """Return the groups by key."""
        return groups.groups(keys, language=language)

    def search_groups(self, text: str, *, language: str, limit: int) -> Sequence[Group]:
        """Return groups whose name matches."""
        return groups.search_groups(text, language=language, limit=limit)

    def carts(self, cart_refs: Collection[str]) -> Mapping[str, Cart]:
        """Return the open baskets."""
        return carts_orders.carts(cart_refs)

    def orders(self, order_refs: Collection[str]) -> Mapping[str, Order]:
        """Return the orders."""
        return carts_orders.orders(order_refs)

    def vouchers(self, voucher_refs: Collection[str], *, among: Collection[str]) -> Mapping[str, Voucher]:
        """Return the vouchers."""
        return vouchers.vouchers(voucher_refs, among=among)

    def promoted(self, promotion_refs: Collection[str]) -> Collection[str]:
        """Return none: Oscar's offers are for baskets, not prices of the catalogue."""
        return ()

    def check_coupon_terms(self, terms: CouponTerms) -> None:
        """Refuse terms that Oscar cannot offer."""
        coupon_series.check_terms(terms)

    def open_coupon_series(self, terms: CouponTerms, *, name: str, ends_at: datetime | None) -> str:
        """Make the offer behind codes."""
        with transaction.atomic():
            return coupon_series.open_series(terms, name=name, ends_at=ends_at)

    def add_coupons(self, series_ref: str, codes: Collection[str]) -> frozenset[str]:
        """Make a voucher of each code."""
        return coupons.add_coupons(series_ref, codes)

    def coupons(self, codes: Collection[str]) -> Mapping[str, ShopCoupon]:
        """Return the codes that are vouchers."""
        return coupons.coupons(codes)

    def release_coupons(self, codes: Collection[str], *, order_ref: str) -> None:
        """Let the vouchers that an order used be used again."""
        coupons.release_coupons(codes, order_ref=order_ref)

    def drop_coupons(self, codes: Collection[str]) -> None:
        """Delete vouchers that no order used."""
        coupons.drop_coupons(codes)

    def gift_card_balances(self, customer_ids: Collection[str]) -> Mapping[str, Mapping[str, Decimal]]:
        """Return none: Oscar has no gift cards."""
        return {}

    def wishlists(self, customer_id: str) -> Sequence[Wishlist]:
        """Return the customer's wishlists."""
        return wishlists.wishlists(customer_id)

    def public_wishlist(self, key: str) -> Wishlist | None:
        """Return the public wishlist of that key."""
        return wishlists.public_wishlist(key)

    def make_wishlist(self, customer_id: str, *, name: str) -> Wishlist:
        """Make another wishlist."""
        return wishlists.make_wishlist(customer_id, name=name)

    def change_wishlist(
        self, customer_id: str, list_ref: str, *, name: str | None = None, is_public: bool | None = None
    ) -> Wishlist:
        """Change name or visibility of a wishlist."""
        return wishlists.change_wishlist(customer_id, list_ref, name=name, is_public=is_public)

    def drop_wishlist(self, customer_id: str, list_ref: str) -> None:
        """Delete a wishlist, or empty the default one."""
        wishlists.drop_wishlist(customer_id, list_ref)

    def likes(self, customer_id: str, *, list_ref: str | None = None) -> Sequence[Like]:
        """Return what is on the customer's wishlists."""
        return wishlists.likes(customer_id, list_ref=list_ref)

    def liked(self, customer_id: str, product_ids: Collection[str], *, shop_channel: str) -> frozenset[str]:
        """Return which of the products are on a wishlist of the customer's."""
        return wishlists.liked(customer_id, product_ids, shop_channel=shop_channel)

    def like_counts(self, product_ids: Collection[str], *, shop_channel: str) -> Mapping[str, int]:
        """Return how many customers keep each product."""
        return wishlists.like_counts(product_ids, shop_channel=shop_channel)

    def like(self, customer_id: str, ref: ProductRef, *, list_ref: str = "") -> None:
        """Put the product on a wishlist of the customer's."""
        wishlists.like(customer_id, ref, list_ref=list_ref)

    def unlike(self, customer_id: str, ref: ProductRef, *, list_ref: str | None = None) -> None:
        """Take the product off one wishlist, or off all."""
        wishlists.unlike(customer_id, ref, list_ref=list_ref)

    def reviews(self, review_refs: Collection[str]) -> Mapping[str, ShopReview]:
        """Return the product reviews."""
        return reviews.reviews(review_refs)

    def keep_review(self, review: NewReview) -> str:
        """Write a product review."""
        return reviews.keep_review(review)

    def judge_review(self, review_ref: str, *, is_published: bool) -> None:
        """Approve or reject a product review."""
        reviews.judge_review(review_ref, is_published=is_published)

    def streams(self) -> Sequence[str]:
        """Return the names of the streams."""
        return streams.streams()

    def changed_since(self, stream: str, position: Position, *, limit: int) -> Page:
        """Return what happened after ``position``."""
        return streams.changed_since(stream, position, limit=limit)

    def actor(self, context: Any) -> Actor:
        """Return who calls; ``context`` is the Django request."""
        return people.actor(context)

    def graphql_scalars(self) -> Mapping[str, Any]:
        """Return none: Oscar has no GraphQL of its own."""
        return {}

    def writable(self) -> AbstractContextManager[None]:
        """Return a context that changes nothing: Oscar's database may always be written."""
        return nullcontext()
