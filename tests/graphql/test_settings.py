"""The merchant's settings by the API."""

from __future__ import annotations

import pytest

from crm_plugin.merchant import DEFAULT_CAPS, Merchant
from tests.graphql.conftest import APP, MANAGER, VIEWER, Ask

pytestmark = pytest.mark.django_db

UPDATE = """mutation($input: CrmSettingsInput!) { crmSettingsUpdate(input: $input) {
  settings { senderName languages caps { channel count hours days } quietFrom } errors { field code message } } }"""


def test_settings_that_were_never_saved_are_the_defaults(ask: Ask) -> None:
    answer = ask(
        "{ crmSettings { senderEmail languages quietFrom caps { channel count hours days } updatedAt } }", caller=VIEWER
    )

    assert answer.data["crmSettings"] == {
        "senderEmail": "",
        "languages": [],
        "quietFrom": None,
        "caps": [
            {"channel": cap["channel"].upper(), "count": 1, "hours": cap.get("hours"), "days": cap.get("days")}
            for cap in DEFAULT_CAPS
        ],
        "updatedAt": None,
    }
    assert not Merchant.objects.exists()


def test_what_is_changed_is_saved_and_answered(ask: Ask) -> None:
    changed = ask(
        UPDATE,
        caller=MANAGER,
        input={
            "senderName": "Shop",
            "languages": ["en", "ko"],
            "quietFrom": "21:00",
            "quietTo": "08:00",
            "caps": [{"channel": "SMS", "count": 2, "days": 1}],
        },
    )

    assert changed.data["crmSettingsUpdate"] == {
        "settings": {
            "senderName": "Shop",
            "languages": ["en", "ko"],
            "quietFrom": "21:00",
            "caps": [{"channel": "SMS", "count": 2, "hours": None, "days": 1}],
        },
        "errors": [],
    }
    read = ask("{ crmSettings { senderName updatedAt } }", caller=VIEWER).data["crmSettings"]
    assert read["senderName"] == "Shop"
    assert read["updatedAt"] is not None


def test_a_wrong_setting_is_told_by_field_and_saves_nothing(ask: Ask) -> None:
    answer = ask(UPDATE, caller=MANAGER, input={"senderName": "Shop", "senderEmail": "not an address"})

    payload = answer.data["crmSettingsUpdate"]
    assert payload["settings"] is None
    assert [(error["field"], error["code"]) for error in payload["errors"]] == [("senderEmail", "INVALID")]
    assert not Merchant.objects.exists()


def test_after_how_many_days_an_order_counts_as_delivered_is_the_merchants_to_say(ask: Ask) -> None:
    update = """mutation($input: CrmSettingsInput!) { crmSettingsUpdate(input: $input) {
      settings { deliveredAfterDays } errors { field code } } }"""

    usual = ask("{ crmSettings { deliveredAfterDays } }", caller=VIEWER).data["crmSettings"]["deliveredAfterDays"]
    changed = ask(update, caller=MANAGER, input={"deliveredAfterDays": 0}).data["crmSettingsUpdate"]
    refused = ask(update, caller=MANAGER, input={"deliveredAfterDays": 61}).data["crmSettingsUpdate"]

    assert usual == 3
    assert changed == {"settings": {"deliveredAfterDays": 0}, "errors": []}
    assert refused["errors"] == [{"field": "deliveredAfterDays", "code": "INVALID"}]


def test_the_webhook_secret_is_for_managers_and_changes_when_it_is_rotated(ask: Ask) -> None:
    rotate = "mutation { crmWebhookSecretRotate { secret errors { code } } }"

    hidden = [ask(query, caller=VIEWER).codes for query in ("{ crmWebhookSecret }", rotate)]
    first, again = (ask("{ crmWebhookSecret }", caller=APP).data["crmWebhookSecret"] for _ in range(2))
    new = ask(rotate, caller=MANAGER).data["crmWebhookSecretRotate"]
    after = ask("{ crmWebhookSecret }", caller=MANAGER).data["crmWebhookSecret"]

    assert hidden == [["PermissionDenied"]] * 2
    assert first == again
    assert first.startswith("whsec_")
    assert new == {"secret": after, "errors": []}
    assert after != first
