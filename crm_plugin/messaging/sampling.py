"""Made-up values for every variable, to try a template on before anybody gets it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from crm_plugin import clock, merchant, shop
from crm_plugin.contacts import PHONE_CHANNELS, ChannelKind
from crm_plugin.messaging import liquid, variables
from crm_plugin.messaging.compliance import ELSEWHERE, KOREA, Stamp
from crm_plugin.messaging.languages import is_korean
from crm_plugin.messaging.models import MessageClass
from crm_plugin.messaging.tracking import CODE_LENGTH
from crm_plugin.money import Money

#: A free number in Korea, until the merchant has filled theirs in.
_NUMBER = "080-000-0000"


def sample_extras() -> dict[str, Any]:
    """Return a cart, an order, an event and coupons that nobody has."""
    amount = Money(Decimal("80.00"), "EUR")
    coupon = {"code": "SAMPLE-10", "name": "", "expires_on": clock.now().date() + timedelta(days=7)}
    return {
        "cart": {"url": "https://shop.example/cart/", "count": 2, "quantity": 3, "total": amount},
        "order": {"number": "100042", "total": amount, "confirm_url": "https://shop.example/receipt/"},
        "coupon": coupon,
        "coupons": [coupon, coupon],
    }


def sample_values(*, language: str, channel: str = ChannelKind.EMAIL) -> dict[str, Any]:
    """Return a value for every variable.

    Args:
        language: of the message.
        channel: where there is little room, addresses are as short as they will be.
    """
    item: dict[str, Any] = dict.fromkeys(variables.ITEM, "10") | {
        "available": 3,
        "drop_percent": 20,
        "review_url": "https://shop.example/review/",
    }
    return {
        "contact": {
            "first_name": "지우" if is_korean(language) else "Ada",
            "last_name": "",
            "attributes": variables.Lenient(),
        },
        **variables.filled(sample_extras(), language=language),
        "shop": {"name": "Shop", "url": "https://shop.example/"},
        "sender": {"name": "Shop", "postal_address": "1 Street"},
        "consent_text": "You asked for it.",
        "unsubscribe_url": "https://shop.example/unsubscribe/",
        "preferences_url": "https://shop.example/preferences/",
        "brand": {
            "logo_url": "https://shop.example/logo.png",
            "color": "#1a1a1a",
            "ink": "#ffffff",
            "footer": "The Shop",
        },
        "open_url": "https://shop.example/open.gif",
        "items": [item, item],
        liquid.LINKS: SimpleNamespace(track=_short if channel in PHONE_CHANNELS else str),
        liquid.LANGUAGE: language,
        liquid.ZONES: liquid.Zones(),
    }


def _short(_value: object) -> str:
    return f"{shop.current().operator().public_url}l/{'0' * CODE_LENGTH}/"


def sample_stamp(*, language: str, channel: str, message_class: MessageClass) -> Stamp:
    """Return what the law will add at least: by the language, for who reads Korean lives by Korea's law here."""
    is_marketing = message_class == MessageClass.MARKETING
    us = merchant.load() if is_marketing and channel in PHONE_CHANNELS else None
    return Stamp(
        pack=KOREA if is_korean(language) else ELSEWHERE,
        language=language,
        is_marketing=is_marketing,
        sender_name=us.sender_name if us else "",
        refusal_number=(us.sms_refusal_number if us else "") or _NUMBER,
        unsubscribe_url="",
        short_url=_short(None) if us else "",
    )
