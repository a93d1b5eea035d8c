"""Explain, through the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from crm_plugin import ids
from crm_plugin.contacts import Contact
from crm_plugin.models import Campaign, Message
from crm_plugin.shop import Actor
from tests.fake_shop import FakeShop
from tests.graphql.conftest import APP, CUSTOMER, MANAGER, NOBODY, NOON, STAFF, VIEWER, Ask

pytestmark = pytest.mark.django_db

LINES = "lines { code sentence at depth params { name value } } errors { field code }"
EXPLAIN = f"""query($campaign: ID!, $contact: ID!, $language: String) {{
  crmCampaignExplain(campaign: $campaign, contact: $contact, language: $language) {{ {LINES} }} }}"""
EXPLAIN_ONE = f"query($id: ID!, $language: String) {{ crmMessageExplain(id: $id, language: $language) {{ {LINES} }} }}"


@pytest.fixture
def skipped(
    make_campaign: Callable[..., Campaign], make_contact: Callable[..., Contact], make_message: Callable[..., Message]
) -> Message:
    """A message to Ann that was not sent."""
    campaign, ann = make_campaign(), make_contact("ann@example.com")
    return make_message(campaign, ann, state="skipped", reason="no_consent", finished_at=NOON)


def _given(message: Message) -> dict[str, str]:
    return {
        "campaign": ids.to_global("CrmCampaign", message.campaign_id),
        "contact": ids.to_global("CrmContact", message.contact_id),
    }


def test_why_ann_did_not_get_it(ask: Ask, skipped: Message) -> None:
    told = ask(EXPLAIN, caller=VIEWER, language="en", **_given(skipped)).data["crmCampaignExplain"]

    assert told["errors"] == []
    assert [line["code"] for line in told["lines"]] == ["not_running", "entered", "skipped", "stands_at"]
    line = told["lines"][2]
    assert (line["depth"], line["at"]) == (1, "2026-03-02T12:00:00+00:00")
    assert "did not agree to marketing" in line["sentence"]
    assert {"name": "reason", "value": "no_consent"} in line["params"]
    assert {"name": "message", "value": ids.to_global("CrmMessage", skipped.pk)} in line["params"]


def test_why_one_message_was_skipped_in_korean(ask: Ask, skipped: Message) -> None:
    message = ids.to_global("CrmMessage", skipped.pk)

    told = ask(EXPLAIN_ONE, caller=VIEWER, id=message, language="ko").data["crmMessageExplain"]

    assert [line["code"] for line in told["lines"]] == ["skipped", "entered", "stands_at"]
    assert "광고 수신에 동의하지 않음" in told["lines"][0]["sentence"]


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"campaign": ids.to_global("CrmCampaign", 404_404_404)}, "", "NOT_FOUND"),
        ({"contact": ids.to_global("CrmContact", 404_404_404)}, "", "NOT_FOUND"),
        ({"campaign": "x"}, "campaign", "GRAPHQL_ERROR"),
        ({"contact": ids.to_global("CrmCampaign", 1)}, "contact", "GRAPHQL_ERROR"),
    ],
)
def test_wrong_input_is_told_by_place(
    ask: Ask, shop: FakeShop, skipped: Message, change: dict[str, Any], field: str, code: str
) -> None:
    told = ask(EXPLAIN, caller=VIEWER, **{**_given(skipped), **change}).data["crmCampaignExplain"]

    assert told["lines"] is None
    assert [(error["field"] or "", error["code"]) for error in told["errors"]] == [(field, code)]


@pytest.mark.parametrize("caller", [VIEWER, MANAGER, APP])
def test_who_may_view_may_ask_why(ask: Ask, skipped: Message, caller: Actor) -> None:
    assert ask(EXPLAIN, caller=caller, **_given(skipped)).codes == []


@pytest.mark.parametrize("caller", [NOBODY, CUSTOMER, STAFF])
def test_nobody_else_learns_what_became_of_a_person(ask: Ask, skipped: Message, caller: Actor) -> None:
    one = ask(EXPLAIN, caller=caller, **_given(skipped))
    other = ask(EXPLAIN_ONE, caller=caller, id=ids.to_global("CrmMessage", skipped.pk))

    assert one.codes == other.codes == ["PermissionDenied"]
