"""Ingredients of stories about the gates: a person, a plan, a gatekeeper at a moment; no table is touched."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

from crm_plugin.contacts import Reach
from crm_plugin.merchant import Merchant
from crm_plugin.messaging import GateTerms, Hold, Planned, Skip
from crm_plugin.messaging.gates import Clocks, Gatekeeper, History
from crm_plugin.messaging.outcomes import NO_TERMS
from crm_plugin.messaging.throttles import Throttles

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
ANN = 1
#: What a person is who may be written to.
WILLING: dict[str, Any] = {
    "contact_id": ANN,
    "address": "ann@example.com",
    "first_name": "Ann",
    "last_name": "",
    "language": "en",
    "time_zone": "",
    "customer_id": "c1",
    "has_consent": True,
    "suppressed_for": None,
    "attributes": {},
}


def person(**fields: Any) -> Reach:
    """A person who may be written to, unless told otherwise."""
    return Reach(**WILLING | fields)


def merchant_of(**fields: Any) -> Merchant:
    """A merchant without caps and quiet hours, by UTC."""
    return Merchant(**{"pk": 1, "time_zone": "UTC", "caps": []} | fields)


def plan(
    at: datetime = NOON, *, channel: str = "email", stale_after: timedelta = timedelta(days=9), **fields: Any
) -> Planned:
    """An advertisement for Ann."""
    values: dict[str, Any] = {"contact_id": ANN, "campaign_id": 7, "message_class": "marketing"} | fields
    return Planned(channel=channel, at=at, stale_at=at + stale_after, **values)


def judge(
    who: Reach | None,
    us: Merchant | None = None,
    *,
    at: datetime = NOON,
    channel: str = "email",
    message_class: str = "marketing",
    terms: GateTerms = NO_TERMS,
    history: History | None = None,
    throttles: Throttles | None = None,
    stale_after: timedelta = timedelta(days=9),
) -> Hold | Skip | None:
    """What the gates say of a message for a person at a moment."""
    us = us or merchant_of()
    keeper = Gatekeeper(us, channel, at, history or History(), Clocks(us), us.cap_rules, throttles or Throttles())
    return keeper.judge(plan(at, channel=channel, message_class=message_class, stale_after=stale_after), who, terms)


def quiet(begins: str, ends: str, **fields: Any) -> Merchant:
    """A merchant with quiet hours."""
    return merchant_of(quiet_from=time.fromisoformat(begins), quiet_to=time.fromisoformat(ends), **fields)
