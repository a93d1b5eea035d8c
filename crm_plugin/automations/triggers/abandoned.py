"""A cart or a checkout was left alone."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from crm_plugin.audience import Price
from crm_plugin.automations.fields import Strict


class AbandonedTrigger(Strict):
    """Nothing changed in the cart for ``after_minutes``, and nothing was ordered.

    The clock starts anew with every change (features row 7). A cart whose checkout was begun belongs to the campaigns
    for ``checkout`` when one runs, else to those for ``cart`` (row 11). One run for one content of a cart (row 8):
    what changes afterwards is a new one.

    Attributes:
        after_minutes: at least 5; the market waits 15 minutes to 10 hours.
        value: what the cart has to be worth.
        audience: only who is in it at that moment enters.
    """

    type: Literal["abandoned"]
    what: Literal["cart", "checkout"] = "cart"
    after_minutes: int = Field(60, ge=5, le=72 * 60)
    value: Price | None = None
    shop_channels: tuple[str, ...] = Field((), max_length=50)
    audience: dict[str, Any] | None = None
