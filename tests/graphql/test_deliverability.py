"""How messages arrive, and which addresses are blocked, by the API."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from crm_plugin import contacts, ids
from crm_plugin.contacts import Contact
from crm_plugin.messaging.models import Message
from crm_plugin.models import Campaign, Suppression
from crm_plugin.shop import Actor
from tests.graphql.conftest import APP, CUSTOMER, MANAGER, NOBODY, NOON, STAFF, VIEWER, Ask

pytestmark = pytest.mark.django_db

SUMMARY = """query($campaign: ID, $since: DateTime, $until: DateTime) {
  crmDeliverySummary(campaign: $campaign, since: $since, until: $until) {
    channels { channel total waiting sent failed skipped unknown delivered opened machineOpened clicked complained
      costs { amount currency } }
    reasons { channel state reason count } } }"""
HEALTH = """query($days: Int) { crmDeliverability(days: $days) {
  total { domain sent delivered bounced complained opened machineOpened clicked }
  domains { domain sent delivered bounced complained opened machineOpened clicked }
  suppressions { channel reason count } } }"""
LOOK = """query($address: String!, $channel: CrmChannel!) { crmSuppression(address: $address, channel: $channel) {
  channel reason detail createdAt } }"""
BLOCK = """mutation($address: String!, $channel: CrmChannel!) { crmSuppress(address: $address, channel: $channel) {
  suppression { reason detail } errors { field code } } }"""
LIFT = """mutation($address: String!, $channel: CrmChannel!) { crmSuppressionLift(address: $address, channel: $channel)
  { wasBlocked errors { field code } } }"""
ANN = {"address": " Ann@Example.com", "channel": "EMAIL"}


@pytest.fixture
def campaign(make_campaign: Callable[..., Campaign]) -> Campaign:
    return make_campaign()


@pytest.fixture
def put(campaign: Campaign, make_contact: Any, make_message: Any) -> Callable[..., Message]:
    """Make a message that is over, to somebody new."""

    def make(state: str = "sent", *, domain: str = "gmail.com", **values: Any) -> Message:
        number = Contact.objects.count()
        contact = make_contact(f"p{number}@{domain}")
        columns = {"recipient": f"p{number}@{domain}", "finished_at": NOON}
        return make_message(values.pop("campaign", campaign), contact, state=state, **(columns | values))

    return make


def test_what_became_of_messages_by_channel_and_reason_and_what_they_cost(
    ask: Ask, campaign: Campaign, put: Any, make_campaign: Any, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    put(delivered_at=NOON, opened_at=NOON, clicked_at=NOON, cost=Decimal("0.001"), cost_currency="EUR")
    put(machine_opened_at=NOON, cost=Decimal("0.002"), cost_currency="EUR")
    put(clicked_at=NOON, machine_opened_at=NOON, complained_at=NOON, cost=Decimal(9), cost_currency="KRW")
    put("failed", reason="bounced")
    put("failed", reason="bounced")
    put("skipped", reason="no_consent")
    put("unknown", reason="lease_expired")
    put("queued", finished_at=None)
    put(channel="sms")
    put(campaign=make_campaign("Other"))

    with django_assert_num_queries(1):
        answer = ask(SUMMARY, caller=VIEWER, campaign=ids.to_global("CrmCampaign", campaign.pk))

    assert answer.errors == []
    mail, text = answer.data["crmDeliverySummary"]["channels"]
    assert mail == {
        "channel": "EMAIL", "total": 8, "waiting": 1, "sent": 3, "failed": 2, "skipped": 1, "unknown": 1,
        "delivered": 1, "opened": 2, "machineOpened": 1, "clicked": 2, "complained": 1,
        "costs": [{"amount": 0.003, "currency": "EUR"}, {"amount": 9.0, "currency": "KRW"}],
    }  # fmt: skip
    assert (text["channel"], text["sent"], text["costs"]) == ("SMS", 1, [])
    reasons = answer.data["crmDeliverySummary"]["reasons"]
    assert {"channel": "EMAIL", "state": "FAILED", "reason": "bounced", "count": 2} in reasons
    assert sum(one["count"] for one in reasons) == 9


def test_a_summary_without_a_campaign_is_of_thirty_days_unless_told(ask: Ask, put: Any) -> None:
    put(at=NOON - timedelta(days=31))
    put(at=NOON - timedelta(days=29))

    def total(**narrow: Any) -> int:
        channels = ask(SUMMARY, caller=VIEWER, **narrow).data["crmDeliverySummary"]["channels"]
        return sum(one["total"] for one in channels)

    assert total() == 1
    assert total(since=(NOON - timedelta(days=60)).isoformat()) == 2
    assert total(until=(NOON - timedelta(days=30)).isoformat()) == 1


def test_how_mail_arrives_by_receiving_domain(
    ask: Ask, put: Any, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(3):
        put(delivered_at=NOON, opened_at=NOON)
    put(domain="naver.com", machine_opened_at=NOON)
    put("failed", domain="naver.com", reason="bounced", complained_at=NOON)
    put("skipped", domain="naver.com", reason="no_consent", recipient="")
    put(domain="old.example", at=NOON - timedelta(days=8))
    put(channel="sms", recipient="+821012345678")
    contacts.suppress("a@example.com", channel="email", reason="hard_bounce")
    contacts.suppress("+821012345678", channel="sms", reason="stop")

    with django_assert_num_queries(2):
        found = ask(HEALTH, caller=VIEWER, days=7).data["crmDeliverability"]

    gmail, naver = found["domains"]
    assert gmail == {
        "domain": "gmail.com", "sent": 3, "delivered": 3, "bounced": 0, "complained": 0, "opened": 3,
        "machineOpened": 0, "clicked": 0,
    }  # fmt: skip
    assert naver == {
        "domain": "naver.com", "sent": 2, "delivered": 0, "bounced": 1, "complained": 1, "opened": 0,
        "machineOpened": 1, "clicked": 0,
    }  # fmt: skip
    assert (found["total"]["domain"], found["total"]["sent"], found["total"]["bounced"]) == ("", 5, 1)
    assert found["suppressions"] == [
        {"channel": "EMAIL", "reason": "hard_bounce", "count": 1},
        {"channel": "SMS", "reason": "stop", "count": 1},
    ]


def test_twenty_domains_are_told_and_all_are_counted(ask: Ask, put: Any) -> None:
    for number in range(22):
        put(domain=f"d{number}.example")

    found = ask(HEALTH, caller=VIEWER).data["crmDeliverability"]

    assert (len(found["domains"]), found["total"]["sent"]) == (20, 22)


@pytest.mark.parametrize("days", [0, 367, -1])
def test_a_stretch_that_is_none_is_refused(ask: Ask, days: int) -> None:
    assert ask(HEALTH, caller=VIEWER, days=days).codes == ["GraphQLError"]


@pytest.mark.parametrize("caller", [NOBODY, CUSTOMER, STAFF])
@pytest.mark.parametrize("query", [SUMMARY, HEALTH])
def test_who_may_not_see_the_crm_sees_nothing_of_it(ask: Ask, caller: Actor, query: str) -> None:
    assert ask(query, caller=caller).codes == ["PermissionDenied"]


@pytest.mark.parametrize("caller", [NOBODY, CUSTOMER, STAFF, VIEWER])
@pytest.mark.parametrize("query", [LOOK, BLOCK, LIFT])
def test_who_may_not_manage_neither_looks_up_nor_changes_a_block(ask: Ask, caller: Actor, query: str) -> None:
    contacts.suppress("bob@example.com", channel="email", reason="complaint")

    assert ask(query, caller=caller, **ANN).codes == ["PermissionDenied"]
    assert ask(query, caller=caller, address="bob@example.com", channel="EMAIL").codes == ["PermissionDenied"]
    assert Suppression.objects.values_list("reason", flat=True).get() == "complaint"


@pytest.mark.parametrize(("caller", "name"), [(MANAGER, "user:92"), (APP, "app:5")])
def test_a_manager_blocks_and_lifts_and_the_log_says_who(
    ask: Ask, caller: Actor, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        blocked = ask(BLOCK, caller=caller, **ANN).data["crmSuppress"]
        found = ask(LOOK, caller=caller, address="ann@example.com", channel="EMAIL").data["crmSuppression"]
        other = ask(LOOK, caller=caller, address="bob@example.com", channel="EMAIL").data["crmSuppression"]
        lifted = [ask(LIFT, caller=caller, **ANN).data["crmSuppressionLift"]["wasBlocked"] for _ in range(2)]

    assert blocked == {"suppression": {"reason": "manual", "detail": name}, "errors": []}
    assert (found["reason"], found["channel"], other) == ("manual", "EMAIL", None)
    assert lifted == [True, False]
    assert not Suppression.objects.exists()
    assert [name in line for line in caplog.messages if line.startswith("crm:")] == [True, True]
    assert "ann" not in caplog.text.lower()


def test_a_block_by_hand_changes_none_that_is_there(ask: Ask) -> None:
    contacts.suppress("ann@example.com", channel="email", reason="complaint")

    assert ask(BLOCK, caller=MANAGER, **ANN).data["crmSuppress"]["suppression"]["reason"] == "complaint"


def test_a_number_is_found_however_it_is_written(ask: Ask) -> None:
    ask(BLOCK, caller=MANAGER, address="+82 10 1234 5678", channel="SMS")

    assert ask(LOOK, caller=MANAGER, address="+821012345678", channel="SMS").data["crmSuppression"] is not None
    assert ask(LOOK, caller=MANAGER, address="+821012345678", channel="KAKAO").data["crmSuppression"] is None


@pytest.mark.parametrize("given", [{"address": "nobody", "channel": "EMAIL"}, {"address": "x", "channel": "WEB_PUSH"}])
def test_what_is_no_address_is_refused(ask: Ask, given: dict[str, str]) -> None:
    errors = ask(BLOCK, caller=MANAGER, **given).data["crmSuppress"]["errors"]

    assert [error["code"] for error in errors] == ["INVALID"]
    assert not Suppression.objects.exists()
