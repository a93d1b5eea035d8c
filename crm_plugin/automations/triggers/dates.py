"""A day that means something to the person: a birthday, an anniversary, any date that the merchant keeps."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from crm_plugin.automations.fields import ClockTime, Strict, Zone


class DateTrigger(Strict):
    """Enters ``offset_days`` after the day (before it when negative), at ``at``.

    ``attribute`` is a declared attribute of the kind date, or one of the contact's own days (``joined_at``,
    ``first_order_at``, ``last_order_at``). Every year, 29 February on the 28th where there is none (features row 17);
    or, not ``is_yearly``, on that one day. A date that is changed in the same year starts nothing again.
    """

    type: Literal["date"]
    attribute: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")
    at: ClockTime
    zone: Zone = Zone.CONTACT
    offset_days: int = Field(0, ge=-60, le=60)
    is_yearly: bool = True
    audience: dict[str, Any] | None = None


class CouponExpiryTrigger(Strict):
    """A coupon that the person holds and has not used ends in so many days; one digest for one day (row 27)."""

    type: Literal["coupon_expiry"]
    days_before: int = Field(3, ge=0, le=60)
    at: ClockTime
    audience: dict[str, Any] | None = None
