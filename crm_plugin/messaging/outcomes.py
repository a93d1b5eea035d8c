"""What can become of a message. Being skipped or held is a value, not an exception."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any


class Reason(StrEnum):
    """Why a message was not sent (yet). The words are stored and shown."""

    NO_ADDRESS = "no_address"
    NO_CONSENT = "no_consent"
    SUPPRESSED = "suppressed"
    FREQUENCY_CAP = "frequency_cap"
    CAMPAIGN_NOT_STARTED = "campaign_not_started"
    CAMPAIGN_ENDED = "campaign_ended"
    CAMPAIGN_PAUSED = "campaign_paused"
    CAMPAIGN_ARCHIVED = "campaign_archived"
    STALE = "stale"
    PRICE_RESTORED = "price_restored"
    SOLD_OUT = "sold_out"
    UNAVAILABLE = "unavailable"
    BOUGHT = "bought"
    EXITED = "exited"
    QUIET_HOURS = "quiet_hours"
    CAMPAIGN_CAP = "campaign_cap"
    RENDER_FAILED = "render_failed"
    ADDRESS_REFUSED = "address_refused"
    REJECTED = "rejected"
    RETRIES_EXHAUSTED = "retries_exhausted"
    RETRY = "retry"
    BOUNCED = "bounced"
    UNDELIVERED = "undelivered"
    TOPIC_REFUSED = "topic_refused"
    NIGHT_BAN = "night_ban"
    THROTTLED = "throttled"
    TOO_LONG = "too_long"
    COUPON_GONE = "coupon_gone"
    NOTHING_TO_REVIEW = "nothing_to_review"
    CONNECTION_LOST = "connection_lost"
    LEASE_EXPIRED = "lease_expired"
    KEY_CHANGED = "key_changed"


@dataclass(frozen=True, slots=True)
class Item:
    """One product that a message is about.

    Attributes:
        baseline: the price the person last saw, in ``currency``; None when the message is not about a price.
        limit: the highest price at which the message still holds true; None: any.
        price: what the message says that it costs; None before it is written.
        review_url: where the person writes a review of it; empty when they are not asked for one.
    """

    product_id: str
    shop_channel: str
    variant_id: str = ""
    currency: str = ""
    baseline: Decimal | None = None
    limit: Decimal | None = None
    price: Decimal | None = None
    review_url: str = ""

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Item:
        """Read an item as ``Enrollment.items`` stores it (decimals as strings or numbers)."""
        return cls(
            product_id=value["product_id"],
            shop_channel=value["shop_channel"],
            variant_id=value.get("variant_id", ""),
            currency=value.get("currency", ""),
            baseline=_decimal(value.get("baseline")),
            limit=_decimal(value.get("limit")),
        )


def _decimal(value: Any) -> Decimal | None:
    return None if value is None else Decimal(str(value))


@dataclass(frozen=True, slots=True)
class CampaignCap:
    """At most ``count`` messages of the campaign for one person within ``time``; what is above it is skipped."""

    count: int
    time: timedelta


@dataclass(frozen=True, slots=True)
class GateTerms:
    """What a campaign says about its messages, as far as the gates ask.

    Attributes:
        cap: how many messages it allows itself for one person.
        topic: what it is about, by slug; empty: nothing that could be refused by itself.
    """

    cap: CampaignCap | None = None
    topic: str = ""


#: Of a message that no campaign asks for.
NO_TERMS = GateTerms()


@dataclass(frozen=True, slots=True)
class Go:
    """The message may go out, about these items.

    Attributes:
        items: the products that it is about.
        is_offer: whether they are offered, so that what cannot be bought now is left out.
        extras: what else a template may name: ``cart``, ``order``, ``event``, ``coupon``, ``coupons``
            (``variables.EXTRAS``); what is missing is empty.
        withheld: extras that hold no more, with the reason: a message that names one of them is not sent.
        terms: what the campaign says to the gates.
    """

    items: tuple[Item, ...] = ()
    is_offer: bool = True
    extras: Mapping[str, Any] = field(default_factory=dict)
    withheld: Mapping[str, Reason] = field(default_factory=dict)
    terms: GateTerms = NO_TERMS


@dataclass(frozen=True, slots=True)
class Hold:
    """Not now: look again at ``until``."""

    until: datetime
    reason: Reason


@dataclass(frozen=True, slots=True)
class Skip:
    """Never. ``detail`` is for the delivery log."""

    reason: Reason
    detail: str = ""


Verdict = Go | Hold | Skip

#: Why a message never reached the person, as far as that is certain: only then may another channel be tried.
UNREACHED = frozenset({
    Reason.NO_ADDRESS, Reason.NO_CONSENT, Reason.SUPPRESSED, Reason.ADDRESS_REFUSED, Reason.REJECTED,
    Reason.RETRIES_EXHAUSTED, Reason.BOUNCED, Reason.UNDELIVERED, Reason.TOO_LONG,
})  # fmt: skip
