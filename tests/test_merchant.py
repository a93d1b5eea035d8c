"""The merchant's settings: every rule about them, and that a refused change writes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from crm_plugin import merchant
from crm_plugin.errors import InvalidInput
from crm_plugin.merchant import Merchant

pytestmark = pytest.mark.django_db


def test_an_update_changes_what_is_given_and_keeps_the_rest() -> None:
    merchant.update(sender_name="Shop", sender_email="hello@shop.example", postal_address="1 Street, Town")

    row = merchant.update(languages=["en", "ko"], email_cap_count=3)

    assert row == merchant.load()
    assert (row.sender_name, row.postal_address) == ("Shop", "1 Street, Town")
    assert (row.languages, row.email_cap_count, row.email_cap_hours) == (["en", "ko"], 3, 16)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"sender_name": "  Shop "}, {"sender_name": "Shop"}),
        ({"reply_to": ""}, {"reply_to": ""}),
        (
            {"languages": ["pt_BR", "en", "pt-br"], "default_language": "PT-br"},
            {"languages": ["pt-br", "en"], "default_language": "pt-br"},
        ),
        ({"email_cap_hours": 0}, {"email_cap_hours": 0}),
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
        ({"email_cap_count": 0}, "email_cap_count"),
        ({"email_cap_count": 101}, "email_cap_count"),
        ({"email_cap_count": "3"}, "email_cap_count"),
        ({"email_cap_hours": -1}, "email_cap_hours"),
        ({"email_cap_hours": 10_000}, "email_cap_hours"),
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
