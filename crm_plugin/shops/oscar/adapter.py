"""OscarShop: the port, each method one line into the module that answers it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
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
from crm_plugin.shops.oscar import carts_orders, catalogue, checks, groups, people, receivers, site, streams, vouchers


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

    def likes(self, customer_id: str) -> Sequence[Like]:
        """Return what is on the customer's wishlists."""
        return people.likes(customer_id)

    def like(self, customer_id: str, ref: ProductRef) -> None:
        """Put the product on the customer's wishlist."""
        people.like(customer_id, ref)

    def unlike(self, customer_id: str, ref: ProductRef) -> None:
        """Take the product off the customer's wishlists."""
        people.unlike(customer_id, ref)

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
