"""The words in which a shop tells the engine what happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from crm_plugin.money import Money


class FactKind(StrEnum):
    """What happened. The same words name the activities of a contact."""

    SIGNED_UP = "signed_up"
    ACCOUNT_CONFIRMED = "account_confirmed"
    CUSTOMER_CHANGED = "customer_changed"
    CUSTOMER_DELETED = "customer_deleted"
    LOGGED_IN = "logged_in"
    IDENTIFIED = "identified"  #: a visitor of the storefront turned out to be a customer, or left an address
    VISITED = "visited"
    VIEWED = "viewed"
    GROUP_VIEWED = "group_viewed"  #: a category's or a collection's page
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
    DELIVERED = "delivered"  #: told by the shop, or derived some days after the order was sent
    CANCELLED = "cancelled"
    REFUNDED = "refunded"
    RECEIPT_CONFIRMED = "receipt_confirmed"  #: the person says that an order arrived and is fine
    REVIEWED = "reviewed"  #: wrote a review, published or not; ``data``: ``score``
    REVIEW_PUBLISHED = "review_published"  #: a review of theirs can be read by everybody
    REVIEW_CHANGED = "review_changed"  #: a review that the shop keeps; ``subject`` is the shop's id of it
    STOCK_AWAITED = "stock_awaited"  #: asked to be told when a product can be bought again
    COUPON_ISSUED = (
        "coupon_issued"  #: ``subject`` is the code; ``data``: ``expires_on``, ``expires_at``, ``name``, ``by``
    )
    COUPON_USED = "coupon_used"  #: ``subject`` is the code, ``order_ref`` the order
    #: an order that never counted came to nothing; ``subject`` is the code that it held, ``order_ref`` the order
    COUPON_LET_GO = "coupon_let_go"
    BALANCE_CHANGED = "balance_changed"  #: ``subject`` is the attribute; ``data``: ``before``, ``after``
    FORM_SUBMITTED = "form_submitted"  #: ``subject`` is the form's name, ``data`` its fields
    CUSTOM = "custom"  #: a custom event of the storefront; ``subject`` is its name
    SEGMENT_JOINED = "segment_joined"
    SEGMENT_LEFT = "segment_left"
    CATALOGUE_CHANGED = "catalogue_changed"
    VOUCHER_CREATED = "voucher_created"  #: ``subject`` is the shop's id of the voucher
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
        subject: what it is about when that is no product: a group's key, the words searched for (in lower case), the
            name of a custom event, a coupon's code, ``segment:5``. At most 200 characters.
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
    subject: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
