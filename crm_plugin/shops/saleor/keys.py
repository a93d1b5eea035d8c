"""Source keys: the same for a hook that tells a fact and for the stream that finds it later."""

from __future__ import annotations

from datetime import datetime
from typing import Any


def signed_up(customer_id: Any) -> str:
    """Return the key of a new account."""
    return f"customer:{customer_id}:signed_up"


def confirmed(customer_id: Any) -> str:
    """Return the key of an account's confirmation."""
    return f"customer:{customer_id}:confirmed"


def customer_changed(customer_id: Any, updated_at: datetime) -> str:
    """Return the key of one change of an account."""
    return f"customer:{customer_id}:changed:{updated_at.isoformat()}"


def customer_deleted(customer_id: Any) -> str:
    """Return the key of an account's deletion."""
    return f"customer:{customer_id}:deleted"


def cart_changed(cart_ref: Any, changed_at: datetime) -> str:
    """Return the key of one change of a checkout."""
    return f"checkout:{cart_ref}:changed:{changed_at.isoformat()}"


def checkout_started(cart_ref: Any) -> str:
    """Return the key of the moment a checkout knew whom or where to."""
    return f"checkout:{cart_ref}:started"


def order(order_ref: Any, what: str) -> str:
    """Return the key of what happens once in an order's life."""
    return f"order:{order_ref}:{what}"


def coupon_let_go(order_ref: Any) -> str:
    """Return the key of an order's code that it holds no longer."""
    return f"order:{order_ref}:coupon_let_go"


def fulfilled(fulfillment_id: Any) -> str:
    """Return the key of one fulfilment of an order."""
    return f"fulfillment:{fulfillment_id}:fulfilled"
