"""The merchant's settings: every rule about them, and that a refused change writes nothing."""

from __future__ import annotations

from datetime import date, time
from typing import Any

import pytest

from crm_plugin import merchant
from crm_plugin.errors import InvalidInput
from crm_plugin.merchant import Cap, Merchant

pytestmark = pytest.mark.django_db


def test_an_update_changes_what_is_given_and_keeps_the_rest() -> None:
    merchant.update(sender_name="Shop", sender_email="hello@shop.example", postal_address="1 Street, Town")

    row = merchant.update(languages=["en", "ko"], caps=[{"count": 3, "days": 1}])

    assert row == merchant.load()
    assert (row.sender_name, row.postal_address) == ("Shop", "1 Street, Town")
    assert row.languages == ["en", "ko"]
    assert row.cap_rules == (Cap(channel="", count=3, days=1),)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"sender_name": "  Shop "}, {"sender_name": "Shop"}),
        ({"reply_to": ""}, {"reply_to": ""}),
        (
            {"languages": ["pt_BR", "en", "pt-br"], "default_language": "PT-br"},
            {"languages": ["pt-br", "en"], "default_language": "pt-br"},
        ),
        ({"caps": []}, {"caps": []}),
        ({"quiet_from": "21:00", "quiet_to": "08:00"}, {"quiet_from": time(21), "quiet_to": time(8)}),
        ({"prices": {"lms": "26.5"}, "price_currency": "krw"}, {"prices": {"lms": "26.5"}, "price_currency": "KRW"}),
        ({"country": "kr"}, {"country": "KR"}),
        ({"warm_up_from": "2026-03-01"}, {"warm_up_from": date(2026, 3, 1)}),
        ({"sender_name": "상점"}, {"sender_name": "상점"}),
    ],
)
def test_what_is_kept(given: dict[str, Any], kept: dict[str, Any]) -> None:
    row = merchant.update(**given)

    row.refresh_from_db()
    assert {name: getattr(row, name) for name in kept} == kept


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"sender_email": "nobody"}, "sender_email"),
        ({"reply_to": "a@b.example, c@d.example"}, "reply_to"),
        ({"sender_name": "Shop\r\nBcc: all@example.com"}, "sender_name"),
        ({"sender_name": "x" * 121}, "sender_name"),
        ({"sender_name": None}, "sender_name"),
        ({"postal_address": "x" * 301}, "postal_address"),
        ({"consent_text": "x" * 2_001}, "consent_text"),
        ({"default_language": "klingonish"}, "default_language"),
        ({"default_language": ""}, "default_language"),
        ({"languages": ["en", "x y"]}, "languages"),
        ({"languages": ["de"], "default_language": "en"}, "default_language"),
        ({"languages": "en"}, "languages"),
        ({"caps": [{"count": 0, "hours": 1}]}, "caps"),
        ({"caps": [{"count": 101, "hours": 1}]}, "caps"),
        ({"caps": [{"count": 1, "hours": 10_000}]}, "caps"),
        ({"caps": [{"count": 1}]}, "caps"),
        ({"caps": [{"count": 1, "hours": 1, "days": 1}]}, "caps"),
        ({"caps": [{"count": 1, "hours": 1, "channel": "pigeon"}]}, "caps"),
        ({"quiet_from": "21:00"}, "quiet_from"),
        ({"quiet_from": "21:00", "quiet_to": "21:00"}, "quiet_from"),
        ({"quiet_from": "25:00", "quiet_to": "08:00"}, "quiet_from"),
        ({"quiet_action": "shout"}, "quiet_action"),
        ({"prices": {"lms": "26.5"}}, "prices"),
        ({"prices": {"lms": "-1"}, "price_currency": "KRW"}, "prices"),
        ({"price_currency": "XYZW"}, "price_currency"),
        ({"country": "XX"}, "country"),
        ({"brand_color": "green"}, "brand_color"),
        ({"logo_url": "javascript:alert(1)"}, "logo_url"),
        ({"sms_refusal_number": "call us"}, "sms_refusal_number"),
        ({"domain_limits": {"not a domain": 5}}, "domain_limits"),
        ({"pause_bounce_percent": 101}, "pause_bounce_percent"),
        ({"warm_up_from": "soon"}, "warm_up_from"),
        ({"id": 2}, "id"),
    ],
)
def test_what_breaks_a_rule_is_named_and_nothing_is_written(given: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        merchant.update(**given)

    assert refused.value.field == field
    assert not Merchant.objects.exists()


@pytest.mark.parametrize("field", merchant.NEEDED)
def test_what_campaigns_need_can_be_changed_but_not_emptied(field: str) -> None:
    needed = {"sender_name": "Shop", "sender_email": "hello@shop.example", "postal_address": "1 Street, Town"}
    merchant.update(**needed)

    with pytest.raises(InvalidInput) as refused:
        merchant.update(**{field: " "})

    assert (refused.value.field, refused.value.code) == (field, "REQUIRED")
    assert getattr(merchant.load(), field) == needed[field]
