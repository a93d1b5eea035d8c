"""Why somebody is in, and what a rule says, in words that merchants read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm_plugin import contacts
from crm_plugin.audience import AudienceRule, Explanation, describe, explain
from crm_plugin.shop import Group
from tests.audience.conftest import Make
from tests.audience.reference import Act
from tests.audience.rows import make_list, make_segment
from tests.fake_shop import FakeShop

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 2, 14, 9, 30, tzinfo=UTC)
VIEWED = {
    "type": "did",
    "activity": "viewed",
    "what": {"groups": ["category:2"]},
    "times": {"op": "at_least", "count": 3},
    "window": {"type": "last_days", "days": 14},
}
BOUGHT = {"type": "did", "activity": "bought"}
ADULT = {"type": "attribute", "name": "points", "op": "gte", "value": 3000}


def rule(include: Any, *exclude: Any) -> AudienceRule:
    return AudienceRule.parse({"include": include, "exclude": list(exclude)})


def flat(explanation: Explanation) -> list[tuple[str, bool]]:
    below = [one for child in explanation.children for one in flat(child)]
    return [(explanation.sentence, explanation.holds), *below]


@pytest.fixture
def perfume(fake_shop: FakeShop) -> Group:
    return fake_shop.add_group("Perfume", parent=fake_shop.add_group("Scents"))


def test_a_rule_reads_as_a_sentence(perfume: Group):
    contacts.declare_attribute("points", "number", "Points balance")
    vip = make_list(name="VIP")
    whole = rule(
        {"type": "all", "of": [VIEWED, {"type": "any", "of": [ADULT, {"type": "segment", "segment": vip}]}]}, BOUGHT
    )

    assert describe(whole, "en") == (
        "(viewed Scents / Perfume, in the last 14 days before today, at least 3 times and (Points balance is at "
        "least 3000 or is in the segment VIP)); but not: bought, at least once"
    )
    assert describe(whole, "ko") == (
        "(Scents / Perfume 조회, 오늘 이전 최근 14일 동안, 3회 이상 그리고 "
        "(Points balance: 3000 이상 또는 세그먼트 VIP에 속함)); 제외: 구매, 1회 이상"
    )


def test_every_condition_tells_whether_it_holds(make: Make, perfume: Group):
    viewer = make(acts=[Act("group_viewed", NOW, subject="category:2"), Act("bought", NOW - timedelta(days=1))])
    whole = rule({"type": "any", "of": [VIEWED, {"type": "not", "of": BOUGHT}, {"type": "everybody"}]}, BOUGHT)

    told = explain(whole, viewer.pk, now=NOW)

    assert flat(told) == [
        ("is not in", False),
        ("has an account or an e-mail address", True),
        ("at least one of these holds", True),
        ("viewed Scents / Perfume, in the last 14 days before today, at least 3 times", False),
        ("this does not hold", False),
        ("bought, at least once", True),
        ("everybody", True),
        ("is not excluded by", False),
        ("bought, at least once", True),
    ]


def test_a_live_segment_is_explained_down_to_its_conditions(make: Make):
    buyer = make(acts=[Act("bought", NOW)])
    buyers = make_segment({"include": BOUGHT}, name="Buyers")

    told = explain(rule({"type": "segment", "segment": buyers, "is_member": False}), buyer.pk)

    assert flat(told)[2:] == [("is not in the segment Buyers", False), ("bought, at least once", True)]


def test_a_visitor_is_not_in_because_nobody_knows_who_it_is(make: Make):
    visitor = make(email=None)

    told = explain(rule({"type": "everybody"}), visitor.pk)

    assert flat(told) == [
        ("is not in", False),
        ("has an account or an e-mail address", False),
        ("everybody", True),
    ]


def test_a_contact_that_does_not_exist_is_in_nothing(fake_shop: FakeShop):
    assert explain(rule({"type": "not", "of": BOUGHT}), 404_404_404).holds is False


@pytest.mark.parametrize(
    ("condition", "english", "korean"),
    [
        (
            {"type": "attribute", "name": "country", "op": "in", "value": ["KR", "JP"]},
            "country is KR or JP",
            "국가: KR 또는 JP",
        ),
        (
            {
                "type": "attribute",
                "name": "last_order_at",
                "op": "in_window",
                "value": {"type": "before", "amount": 90, "unit": "days"},
            },
            "last order: longer than 90 days ago",
            "최근 주문일: 90일 이전",
        ),
        (
            {"type": "consent", "channel": "email", "is": "unasked"},
            "was never asked about marketing by email",
            "email 마케팅 수신 동의 여부 미확인",
        ),
        ({"type": "reachable", "channel": "email"}, "can be reached by email", "email 수신 가능"),
        (
            {"type": "spent", "currency": "EUR", "op": "gte", "value": "100.00"},
            "spent at least 100.00 EUR",
            "구매 금액 100.00 EUR 이상",
        ),
        (
            {
                "type": "sequence",
                "first": {"activity": "carted"},
                "then": {"activity": "ordered"},
                "happened": False,
                "within": {"amount": 1, "unit": "hours"},
            },
            "put in the cart, and then not within 1 hour ordered",
            "장바구니에 담음 후 1시간 이내에 주문 안 함",
        ),
        ({"type": "browser", "in": ["Chrome"]}, "uses the browser Chrome", "브라우저: Chrome"),
        (
            {"type": "inflow", "touch": "first", "field": "source", "op": "is", "value": "facebook"},
            "first came with the source facebook",
            "첫 방문 유입 채널: facebook",
        ),
        (
            {"type": "rfm", "recency": [4, 5], "labels": ["champions"]},
            "RFM: recency 4 or 5, Champions",
            "RFM: 최근성 4 또는 5, 최우수 고객",
        ),
        ({"type": "coupon_held"}, "holds a coupon that can be used", "사용 가능한 쿠폰 보유"),
        (
            {
                "type": "engagement",
                "did": "opened",
                "happened": False,
                "window": {"type": "within", "amount": 1, "unit": "days"},
            },
            "opened no message within the last 1 day",
            "최근 1일 이내 메시지 열람 안 함",
        ),
    ],
)
def test_conditions_in_words(fake_shop: FakeShop, condition: Any, english: str, korean: str):
    assert (describe(rule(condition), "en"), describe(rule(condition), "ko-KR")) == (english, korean)
