"""That somebody confirms the receipt of an order (in Korea: 구매확정), on the page of a link or in their account.

The link names the order and says nothing else: who has it can confirm this order, and do nothing more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from crm_plugin import ids, shop
from crm_plugin.activity.models import Activity
from crm_plugin.activity.recording import record
from crm_plugin.shop import Fact, FactKind, Order, OrderState

_PURPOSE: Final = "receipt"
#: Tokens of ours are about 110 characters; anything longer is not looked at.
MAX_TOKEN: Final = 200
#: What came to nothing was not received.
_UNDONE: Final = frozenset({OrderState.CANCELLED, OrderState.REFUNDED})


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a link is about; ``order`` is None when it is gone, or came to nothing."""

    order: Order | None
    is_confirmed: bool


def receipt_token(order_ref: str) -> str:
    """Return what the link to the page of an order's receipt ends in."""
    return ids.sign(_PURPOSE, order_ref)


def read_receipt(token: str) -> Receipt | None:
    """Return what a link is about; None when it was forged."""
    order_ref = ids.unsign(_PURPOSE, token) if len(token) <= MAX_TOKEN else None
    if order_ref is None:
        return None
    order = shop.current().orders([order_ref]).get(order_ref)
    if order is not None and order.state in _UNDONE:
        order = None
    return Receipt(order, is_confirmed(order_ref))


def is_confirmed(order_ref: str) -> bool:
    """Whether somebody has confirmed it."""
    return Activity.objects.filter(order_ref=order_ref, kind=FactKind.RECEIPT_CONFIRMED).exclude(order_ref="").exists()


def confirm_receipt(order: Order) -> None:
    """Record that the order arrived and is fine; twice is once."""
    record(
        Fact(
            kind=FactKind.RECEIPT_CONFIRMED,
            source_key=f"order:{order.order_ref}:receipt_confirmed",
            customer_id=order.customer_id,
            email=order.email,
            shop_channel=order.shop_channel,
            order_ref=order.order_ref,
        )
    )
