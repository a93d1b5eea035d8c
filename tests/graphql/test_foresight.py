"""Dry runs through the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from crm_plugin import contacts, ids
from crm_plugin.contacts import Contact
from crm_plugin.models import Campaign, Enrollment, Message
from crm_plugin.shop import Actor
from tests.fake_shop import FakeShop
from tests.graphql.conftest import APP, CUSTOMER, MANAGER, NOBODY, STAFF, VIEWER, Ask
from tests.stories import definition, running

pytestmark = pytest.mark.django_db

DRY_RUN = """query($id: ID, $definition: JSON, $days: Int, $limit: Int, $language: String) {
  crmCampaignDryRun(id: $id, definition: $definition, days: $days, limit: $limit, language: $language) {
    startsAt endsAt people isComplete count
    foreseen { contact { email } isUnderWay about stepId channel at outcome reason until subject }
    totals { day stepId outcome reason count }
    remarks { code sentence } errors { field code message } } }"""
DAILY = {
    "type": "audience",
    "audience": {"include": {"type": "everybody"}},
    "schedule": {"type": "daily", "at": "18:00"},
}


@pytest.fixture
def people(make_contact: Callable[..., Contact]) -> list[Contact]:
    """Ann may be written to, Bob may not."""
    ann, bob = make_contact("ann@example.com"), make_contact("bob@example.com")
    contacts.set_consent(ann.pk, channel="email", is_granted=True, source="test")
    return [ann, bob]


def _id(campaign: Campaign) -> str:
    return ids.to_global("CrmCampaign", campaign.pk)


def test_a_campaign_is_looked_at_with_nothing_changed(ask: Ask, people: list[Contact]) -> None:
    campaign = running(DAILY)

    told = ask(DRY_RUN, caller=VIEWER, id=_id(campaign), days=1, language="en").data["crmCampaignDryRun"]

    assert told["errors"] == []
    assert (told["people"], told["isComplete"], told["count"]) == (2, True, 2)
    assert told["foreseen"][0] == {
        "contact": {"email": "ann@example.com"},
        "isUnderWay": False,
        "about": "",
        "stepId": "mail",
        "channel": "EMAIL",
        "at": "2026-03-02T17:00:00+00:00",
        "outcome": "WOULD_SEND",
        "reason": "",
        "until": None,
        "subject": "{{ items[0].name | default: 'News' }} for {{ contact.first_name | default: 'you' }}",
    }
    assert [(one["outcome"], one["reason"]) for one in told["foreseen"]] == [
        ("WOULD_SEND", ""),
        ("SKIPPED", "no_consent"),
    ]
    assert told["totals"] == [
        {"day": "2026-03-02", "stepId": "mail", "outcome": "SKIPPED", "reason": "no_consent", "count": 1},
        {"day": "2026-03-02", "stepId": "mail", "outcome": "WOULD_SEND", "reason": "", "count": 1},
    ]
    assert [remark["code"] for remark in told["remarks"]] == ["as_of_now"]
    assert not Enrollment.objects.exists()
    assert not Message.objects.exists()


def test_a_definition_needs_not_be_saved(ask: Ask, people: list[Contact]) -> None:
    answer = ask(DRY_RUN, caller=VIEWER, definition=definition(DAILY), limit=1, language="ko")

    told = answer.data["crmCampaignDryRun"]
    assert (told["count"], len(told["foreseen"])) == (2, 1)
    assert told["remarks"][0]["code"] == "draft"
    assert "초안" in told["remarks"][0]["sentence"]
    assert not Campaign.objects.exists()


@pytest.mark.parametrize(
    ("given", "field", "code"),
    [
        ({}, "definition", "REQUIRED"),
        ({"id": ids.to_global("CrmCampaign", 404_404_404)}, "", "NOT_FOUND"),
        ({"id": "x"}, "id", "GRAPHQL_ERROR"),
        ({"id": ids.to_global("CrmContact", 1)}, "id", "GRAPHQL_ERROR"),
        ({"definition": definition(DAILY), "days": 32}, "days", "INVALID"),
        ({"definition": definition(DAILY), "limit": 1001}, "limit", "INVALID"),
        ({"definition": {"trigger": {"type": "sneeze"}, "steps": []}}, "definition.trigger", "INVALID"),
    ],
)
def test_wrong_input_is_told_by_place(ask: Ask, shop: FakeShop, given: dict[str, Any], field: str, code: str) -> None:
    answer = ask(DRY_RUN, caller=VIEWER, **given)

    assert answer.errors == []
    told = answer.data["crmCampaignDryRun"]
    assert told["foreseen"] is None
    assert [(error["field"] or "", error["code"]) for error in told["errors"]] == [(field, code)]


@pytest.mark.parametrize("caller", [VIEWER, MANAGER, APP])
def test_who_may_view_may_look_ahead(ask: Ask, people: list[Contact], caller: Actor) -> None:
    campaign = running(DAILY)

    assert ask(DRY_RUN, caller=caller, id=_id(campaign)).codes == []


@pytest.mark.parametrize("caller", [NOBODY, CUSTOMER, STAFF])
def test_nobody_else_learns_who_would_be_written_to(ask: Ask, people: list[Contact], caller: Actor) -> None:
    campaign = running(DAILY)

    answer = ask(DRY_RUN, caller=caller, id=_id(campaign))

    assert answer.codes == ["PermissionDenied"]
    assert not (answer.data or {}).get("crmCampaignDryRun")
