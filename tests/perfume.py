"""The Valentine campaign: an interest in perfume, chocolate or necklaces in the last 14 days, without who bought L8.

The example with which a marketing automation is explained to merchants, with its numbers: of 500 interested people 80
bought the product, so 420 are written to. Every shop plays it with products of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from crm_plugin import activity, automations, contacts, pipeline
from crm_plugin.contacts import Person
from crm_plugin.shop import Fact, FactKind
from tests.stories import definition, open_shop

SEOUL = ZoneInfo("Asia/Seoul")
#: Ten in the morning of Valentine's day, when the campaign goes out.
VALENTINE = datetime(2027, 2, 14, 10, tzinfo=SEOUL)
#: The first and the last moment that "the last 14 days" takes in.
FIRST = datetime(2027, 1, 31, 0, 0, tzinfo=SEOUL)
LAST = datetime(2027, 2, 13, 23, 59, 59, tzinfo=SEOUL)

INTERESTED = 500
BOUGHT = 80
WRITTEN_TO = 420
AGREED = 300


@dataclass(frozen=True, slots=True)
class Goods:
    """The products of the example: one of each category, and the perfume that is promoted."""

    perfume: str
    chocolate: str
    necklace: str
    l8: str
    shop_channel: str


def email_of(number: int) -> str:
    """The address of one of the people."""
    return f"person{number}@example.com"


def look_around(goods: Goods) -> None:
    """Let 500 people be interested in time, a hundred of them in two things, and a hundred others not, or not then."""
    liked = (goods.perfume, goods.perfume, goods.perfume, goods.chocolate, goods.necklace)
    for number in range(INTERESTED):
        moment = FIRST + (LAST - FIRST) * number / (INTERESTED - 1)
        product = liked[number % 5]
        _cart(number, product, moment, goods)
        if number % 5 == 0:
            _cart(number, goods.chocolate, moment, goods)
    for number in range(INTERESTED, INTERESTED + 25):
        _cart(number, goods.perfume, FIRST - timedelta(seconds=1), goods)
    for number in range(INTERESTED + 25, INTERESTED + 50):
        _cart(number, goods.perfume, LAST + timedelta(seconds=1), goods)
    for number in range(INTERESTED + 50, INTERESTED + 100):  # a single look is no interest yet
        _tell(FactKind.VIEWED, number, goods.perfume, FIRST, goods)


def agree() -> None:
    """Let 300 of those who will be written to, and nobody else, say yes to mail."""
    for number in range(BOUGHT, BOUGHT + AGREED):
        contact = contacts.get_or_create(Person(email=email_of(number)))
        contacts.set_consent(contact.pk, channel="email", is_granted=True, source="test")


def buyers() -> Sequence[str]:
    """The addresses of who bought L8 already."""
    return [email_of(number) for number in range(BOUGHT)]


def audience(goods: Goods, groups: Sequence[str]) -> dict[str, Any]:
    """Interested in one of the groups in the last 14 days, without who bought L8."""
    return {
        "include": {
            "type": "interest",
            "search": {"groups": list(groups)},
            "window": {"type": "last_days", "days": 14},
        },
        "exclude": [{"type": "did", "activity": "bought", "what": {"products": [goods.l8]}}],
    }


def schedule(rule: dict[str, Any]) -> int:
    """Publish the campaign that goes out at ten on Valentine's day; return its id."""
    open_shop()
    trigger = {"type": "audience", "audience": rule, "schedule": {"type": "once", "at": "2027-02-14T10:00"}}
    return automations.publish(automations.create_campaign(name="Valentine", definition=definition(trigger)).pk).pk


def drain() -> None:
    """Work off what was told."""
    for _ in range(50):
        if not pipeline.pump():
            return
    raise AssertionError("the pump did not come to an end")


def _cart(number: int, product_id: str, at: datetime, goods: Goods) -> None:
    _tell(FactKind.CARTED, number, product_id, at, goods)


def _tell(kind: FactKind, number: int, product_id: str, at: datetime, goods: Goods) -> None:
    activity.record(
        Fact(
            kind=kind,
            source_key=f"{kind}:{number}:{product_id}:{at.timestamp()}",
            occurred_at=at,
            email=email_of(number),
            product_id=product_id,
            shop_channel=goods.shop_channel,
        )
    )
