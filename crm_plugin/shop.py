"""The port: everything the engine may ask of a shop, and the words in which a shop tells it something.

An adapter (``shops/saleor``, ``shops/oscar``, the tests' ``FakeShop``) implements ``Shop``; each passes the
contract suite in ``tests/shop_contract/``. All calls are batch in, batch out; ids are the shop's own
primary keys as strings; unknown ids are left out of the answer, never an error. Nothing here knows
Django's models, GraphQL, or which shop it is in.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from django.core.exceptions import ImproperlyConfigured

from crm_plugin.money import Money


class FactKind(StrEnum):
    """What happened. The same words name the activities of a contact."""

    SIGNED_UP = "signed_up"
    ACCOUNT_CONFIRMED = "account_confirmed"
    CUSTOMER_CHANGED = "customer_changed"
    CUSTOMER_DELETED = "customer_deleted"
    LOGGED_IN = "logged_in"
    VIEWED = "viewed"
    SEARCHED = "searched"
    LIKED = "liked"
    UNLIKED = "unliked"
    CART_CHANGED = "cart_changed"
    CARTED = "carted"
    CHECKOUT_STARTED = "checkout_started"
    ORDERED = "ordered"
    BOUGHT = "bought"
    PAID = "paid"
    FULFILLED = "fulfilled"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"
    REVIEWED = "reviewed"
    COUPON_USED = "coupon_used"
    CATALOGUE_CHANGED = "catalogue_changed"
    MESSAGE_OPENED = "message_opened"
    MESSAGE_CLICKED = "message_clicked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One thing that happened in the shop, as the shop knows it.

    A hook fills only what it has at hand: the drain asks the port for the lines of an order or a cart and for
    the price of a product.

    Attributes:
        kind: what happened.
        source_key: derived from the shop's own facts, so that the same event told twice is one activity
            (``order:81:placed``). At most 200 characters.
        occurred_at: when, aware; the present when left out.
        customer_id, email, visitor_id, contact_id: who, as far as known.
        product_id, variant_id, shop_channel: what; ``variant_id`` is empty for the whole product.
        order_ref, cart_ref: the shop's ids of the order and the cart.
        quantity: units, for a cart or order line.
        amount: the total of an order; for a product, the price the person saw, when the shop has it at hand.
        data: further values that are plain JSON.
    """

    kind: FactKind
    source_key: str
    occurred_at: datetime | None = None
    customer_id: str = ""
    email: str = ""
    visitor_id: str = ""
    contact_id: int | None = None
    product_id: str = ""
    variant_id: str = ""
    shop_channel: str = ""
    order_ref: str = ""
    cart_ref: str = ""
    quantity: int | None = None
    amount: Money | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Customer:
    """A person with an account."""

    customer_id: str
    email: str
    first_name: str = ""
    last_name: str = ""
    language: str = ""
    country: str = ""
    joined_at: datetime | None = None
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class ProductRef:
    """A product, or one variant of it, as sold in one channel. An empty ``variant_id`` means the product."""

    product_id: str
    shop_channel: str
    variant_id: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    """What one variant costs and whether it can be bought in one channel, read from the shop at this moment.

    Attributes:
        price: what a shopper pays without a coupon.
        regular_price: the price before promotions; equal to ``price`` when there is none.
        is_purchasable: published and listed in the channel; says nothing of stock.
        available: units that can be sold now; None when the shop does not count them.
        is_settled: False while the shop is still computing the price (Saleor's ``discounted_price_dirty``).
    """

    product_id: str
    variant_id: str
    shop_channel: str
    price: Money
    regular_price: Money
    is_purchasable: bool = True
    available: int | None = None
    is_settled: bool = True

    @property
    def is_in_stock(self) -> bool:
        """Whether at least one unit can be sold."""
        return self.available is None or self.available > 0


@dataclass(frozen=True, slots=True)
class ProductCard:
    """What a message shows of a product. ``url`` and ``image_url`` are absolute; the image may be empty."""

    ref: ProductRef
    name: str
    url: str
    image_url: str
    price: Money
    regular_price: Money
    is_purchasable: bool
    available: int | None
    categories: tuple[str, ...] = ()

    @property
    def is_in_stock(self) -> bool:
        """Whether at least one unit can be sold."""
        return self.available is None or self.available > 0


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a cart or an order. ``unit_price`` is what one unit costs the person, without coupons."""

    line_id: str
    product_id: str
    variant_id: str
    quantity: int
    unit_price: Money


@dataclass(frozen=True, slots=True)
class Cart:
    """An open cart. ``recovery_url`` brings the shopper back to it; empty when the shop has none."""

    cart_ref: str
    shop_channel: str
    lines: tuple[Line, ...]
    changed_at: datetime
    customer_id: str = ""
    email: str = ""
    recovery_url: str = ""


class OrderState(StrEnum):
    """The states of an order that matter to marketing."""

    OPEN = "open"
    PAID = "paid"
    FULFILLED = "fulfilled"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"


@dataclass(frozen=True, slots=True)
class Order:
    """A placed order. ``customer_id`` is empty for a guest."""

    order_ref: str
    number: str
    shop_channel: str
    state: OrderState
    placed_at: datetime
    total: Money
    lines: tuple[Line, ...]
    customer_id: str = ""
    email: str = ""
    language: str = ""
    cart_ref: str = ""


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
        dashboard_origins: origins that may embed the merchant's pages.
    """

    is_enabled: bool
    public_url: str
    dashboard_origins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Like:
    """A product (or variant) that a customer keeps on a list."""

    ref: ProductRef
    liked_at: datetime


class Permission(StrEnum):
    """What staff and apps may be allowed to do."""

    VIEW = "view_crm"
    MANAGE = "manage_crm"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who is calling. All empty for an anonymous caller."""

    customer_id: str = ""
    email: str = ""
    is_staff: bool = False
    app_id: str = ""
    permissions: frozenset[Permission] = frozenset()

    @property
    def is_known(self) -> bool:
        """Whether somebody has signed in (a customer, staff or an app)."""
        return bool(self.customer_id or self.app_id)


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

    def carts(self, cart_refs: Collection[str]) -> Mapping[str, Cart]:
        """Return the open carts; one that became an order or expired is left out."""

    def orders(self, order_refs: Collection[str]) -> Mapping[str, Order]:
        """Return the placed orders; drafts and unconfirmed ones are left out."""

    def likes(self, customer_id: str) -> Sequence[Like]:
        """Return what the customer likes, newest first."""

    def like(self, customer_id: str, ref: ProductRef) -> None:
        """Put the product on the customer's list and tell the engine; twice is once."""

    def unlike(self, customer_id: str, ref: ProductRef) -> None:
        """Take the product off the customer's list and tell the engine."""

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
