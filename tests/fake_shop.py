"""FakeShop: the whole port ``crm_plugin.shop.Shop`` in memory, for unit tests.

Builders (``add_product``, ``add_customer``, ``add_cart``, ``place_order`` ...) change the shop silently, as a bulk
import would: ``changed_since`` finds it, no hook tells it. Only likes and what takes them back tell the engine, because
the port promises so; ``tell`` says whom (``crm_plugin.activity.record`` when left out).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from crm_plugin.shop import (
    Actor,
    Cart,
    Customer,
    Fact,
    Group,
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
from tests.fake_reviews import FakeReviews, review_fact
from tests.fake_trade import cart_changed, order_facts, signed_up
from tests.fake_wishlists import FakeWishlists

CHANNELS = (ShopChannel("default", "Online", "EUR"), ShopChannel("kr", "Korea", "KRW"))


@dataclass(frozen=True, slots=True)
class FakeContext:
    """What a GraphQL view would hand to a resolver; a Django request with an ``actor`` attribute does as well."""

    actor: Actor = field(default_factory=Actor)


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of a stream: its place in the order of the stream and the facts it stands for."""

    at: datetime
    key: str
    facts: tuple[Fact, ...]


class FakeShop(FakeWishlists, FakeReviews):
    """A shop with two channels, ``default`` (EUR) and ``kr`` (KRW), and nothing in it."""

    name = "fake"

    def __init__(
        self, *, channels: Sequence[ShopChannel] = CHANNELS, tell: Callable[[Fact], None] | None = None
    ) -> None:
        super().__init__(channels)
        self.is_enabled = True
        self.public_url = "https://shop.example/crm/"
        self.dashboard_origins: tuple[str, ...] = ()
        self.shop_identity = ShopIdentity("Fake Shop", "https://shop.example/", "Europe/Berlin", "en")
        self._tell = tell

    def connect(self) -> None:
        """Hang no doors: tests record what happened themselves."""

    # The port: who and where

    def operator(self) -> Operator:
        """Return what ``is_enabled``, ``public_url`` and ``dashboard_origins`` are set to."""
        return Operator(self.is_enabled, self.public_url, self.dashboard_origins)

    def identity(self) -> ShopIdentity:
        """Return ``shop_identity``."""
        return self.shop_identity

    def channels(self) -> Sequence[ShopChannel]:
        """Return the channels given at the start."""
        return tuple(self._channels.values())

    def actor(self, context: Any) -> Actor:
        """Return ``context.actor``; nobody when it has none."""
        found = getattr(context, "actor", None)
        return found if isinstance(found, Actor) else Actor()

    def graphql_scalars(self) -> Mapping[str, Any]:
        """Return none: the CRM's own scalars are used."""
        return {}

    def writable(self) -> AbstractContextManager[None]:
        """Return a context that changes nothing."""
        return nullcontext()

    # The port: customers and goods

    def customers(self, customer_ids: Collection[str]) -> Mapping[str, Customer]:
        """Return the customers by id."""
        return {key: self.customer_rows[key] for key in customer_ids if key in self.customer_rows}

    def offers(self, product_ids: Collection[str], *, shop_channel: str) -> Sequence[Offer]:
        """Return the offers of the listed variants."""
        found = [self.products[key] for key in dict.fromkeys(product_ids) if key in self.products]
        return [offer for product in found for offer in product.offers(shop_channel)]

    def product_cards(self, refs: Collection[ProductRef], *, language: str) -> Mapping[ProductRef, ProductCard]:
        """Return the cards of what is listed."""
        known = [ref for ref in refs if ref.product_id in self.products]
        cards = ((ref, self.products[ref.product_id].card(ref, language=language)) for ref in known)
        return {ref: card for ref, card in cards if card is not None}

    def search_products(self, text: str, *, shop_channel: str, language: str, limit: int) -> Sequence[ProductCard]:
        """Return the products whose name contains ``text``."""
        refs = [ProductRef(key, shop_channel) for key in self.products]
        cards = self.product_cards(refs, language=language).values()
        return [card for card in cards if text.lower() in card.name.lower()][:limit]

    def product_groups(self, product_ids: Collection[str]) -> Mapping[str, frozenset[str]]:
        """Return the keys of the products' groups and of the categories above them."""
        known = [self.products[key] for key in product_ids if key in self.products]
        return {product.product_id: self.with_those_above(product.group_keys) for product in known}

    def groups(self, keys: Collection[str], *, language: str) -> Mapping[str, Group]:
        """Return the groups by key."""
        return {key: self.group_rows[key] for key in keys if key in self.group_rows}

    def search_groups(self, text: str, *, language: str, limit: int) -> Sequence[Group]:
        """Return the groups whose name contains ``text``."""
        return [group for group in self.group_rows.values() if text.lower() in group.name.lower()][:limit]

    # The port: carts, orders, vouchers

    def carts(self, cart_refs: Collection[str]) -> Mapping[str, Cart]:
        """Return the open carts."""
        return {key: self.cart_rows[key] for key in cart_refs if key in self.cart_rows}

    def orders(self, order_refs: Collection[str]) -> Mapping[str, Order]:
        """Return the orders."""
        return {key: self.order_rows[key] for key in order_refs if key in self.order_rows}

    def vouchers(self, voucher_refs: Collection[str], *, among: Collection[str]) -> Mapping[str, Voucher]:
        """Return the vouchers with what they cover."""
        rows = [self.voucher_rows[ref] for ref in voucher_refs if ref in self.voucher_rows]
        return {row.voucher_ref: row.covering(self.covered(row, among)) for row in rows}

    def promoted(self, promotion_refs: Collection[str]) -> Collection[str]:
        """Return ``promotions`` of these refs."""
        return [product_id for ref in promotion_refs for product_id in self.promotions.get(ref, ())]

    def _say(self, fact: Fact) -> None:
        if not self.is_enabled:
            return
        if self._tell is not None:
            self._tell(fact)
            return
        from crm_plugin import activity  # noqa: PLC0415 - tests without a database give their own ``tell``

        activity.record(fact)

    # The port: streams

    def streams(self) -> Sequence[str]:
        """Return the names of the streams."""
        names = ("customers", "orders", "carts", "likes", "vouchers")
        return (*names, "reviews") if self.keeps_reviews else names

    def changed_since(self, stream: str, position: Position, *, limit: int) -> Page:
        """Return the rows after ``position``, at most ``limit`` of them."""
        rows = sorted(self._rows(stream), key=lambda row: (row.at, row.key))
        after = [row for row in rows if (row.at, row.key) > (position.at, position.key)]
        read = after[:limit]
        end = Position(read[-1].at, read[-1].key) if read else position
        return Page(tuple(fact for row in read for fact in row.facts), end, is_last=len(after) <= limit)

    def _rows(self, stream: str) -> Iterator[_Row]:
        match stream:
            case "customers":
                joined = [signed_up(one) for one in self.customer_rows.values() if one.joined_at is not None]
                yield from map(_row, joined)
            case "orders":
                for order in self.order_rows.values():
                    changed_at = self.order_changed_at[order.order_ref]
                    yield _Row(changed_at, order.order_ref, order_facts(order, changed_at=changed_at))
            case "carts":
                for cart in self.cart_rows.values():
                    yield _Row(cart.changed_at, cart.cart_ref, (cart_changed(cart),))
            case "likes":
                yield from map(_row, self._like_facts())
            case "reviews":
                yield from map(_row, map(review_fact, self.review_rows.values()))
            case "vouchers":
                yield from (_Row(one.starts_at, one.voucher_ref, (one.fact,)) for one in self.vouchers_begun())
            case _:
                raise ValueError(f"no stream {stream!r}")


def _row(fact: Fact) -> _Row:
    assert fact.occurred_at is not None
    return _Row(fact.occurred_at, fact.source_key, (fact,))
