"""The port, for Saleor: each call is answered by the module that its line names."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from crm_plugin.shop import (
    Actor,
    Cart,
    Customer,
    Group,
    Like,
    Offer,
    Operator,
    Order,
    Page,
    Position,
    ProductCard,
    ProductRef,
    ShopChannel,
    ShopIdentity,
    Voucher,
)
from crm_plugin.shops.saleor import (
    cards,
    carts,
    configuration,
    groups,
    likes,
    offers,
    orders,
    people,
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

    # Likes

    @on_writer
    def likes(self, customer_id: str) -> Sequence[Like]:
        """Return the likes that the CRM keeps."""
        return likes.likes(customer_id)

    @on_writer
    def like(self, customer_id: str, ref: ProductRef) -> None:
        """Keep a like."""
        likes.like(customer_id, ref)

    @on_writer
    def unlike(self, customer_id: str, ref: ProductRef) -> None:
        """Drop a like."""
        likes.unlike(customer_id, ref)

    # Reconcile and the first load

    def streams(self) -> Sequence[str]:
        """Return customers, checkouts, orders, fulfilments, likes, vouchers."""
        return streams.streams()

    @on_writer
    def changed_since(self, stream: str, position: Position, *, limit: int) -> Page:
        """Return the next stretch of a stream."""
        return streams.changed_since(stream, position, limit=limit)
