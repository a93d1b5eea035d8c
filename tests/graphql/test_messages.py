"""Messages and contacts by the API: what they show, what narrows them, what they cost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from crm_plugin import automations, contacts, ids
from crm_plugin.automations.models import Campaign
from crm_plugin.contacts import Contact
from crm_plugin.contacts.models import ContactSpend
from crm_plugin.messaging.models import Message
from crm_plugin.shop import Actor
from tests.graphql.conftest import APP, CUSTOMER, MANAGER, NOBODY, NOON, STAFF, VIEWER, Ask

pytestmark = pytest.mark.django_db

MakeCampaign = Callable[..., Campaign]
MakeContact = Callable[..., Contact]
MakeMessage = Callable[..., Message]

WIDE = """
{ crmMessages(first: 50) { edges { node {
  id state reason subject
  contact { id email customerId consents { channel isGranted } spent { amount currency } }
  campaign { id name version inFlight }
} } } }
"""


@pytest.fixture
def fill(make_campaign: MakeCampaign, make_contact: MakeContact, make_message: MakeMessage) -> Callable[[int], None]:
    """Make so many messages, each to a contact of its own, of two campaigns."""

    def call(count: int) -> None:
        campaigns = [automations.publish(make_campaign(name).pk) for name in ("a", "b")]
        for number in range(count):
            contact = make_contact(f"p{number}@example.com")
            contacts.set_consent(contact.pk, channel="email", is_granted=True, source="test")
            ContactSpend.objects.create(contact=contact, currency="EUR", amount=Decimal("9.90"), orders_count=1)
            make_message(campaigns[number % 2], contact, at=NOON + timedelta(seconds=number))

    return call


@pytest.mark.parametrize("count", [1, 12])
def test_a_page_of_messages_costs_the_same_however_long(
    ask: Ask, fill: Callable[[int], None], django_assert_num_queries: DjangoAssertNumQueries, count: int
) -> None:
    fill(count)

    with django_assert_num_queries(7):  # messages, contacts, campaigns, in flight, consents, spends (two)
        answer = ask(WIDE, caller=VIEWER)

    nodes = [edge["node"] for edge in answer.data["crmMessages"]["edges"]]
    assert answer.errors == []
    assert len(nodes) == count
    assert nodes[-1]["contact"]["email"] == "p0@example.com"
    assert nodes[-1]["contact"]["consents"] == [{"channel": "EMAIL", "isGranted": True}]
    assert nodes[-1]["contact"]["spent"] == [{"amount": 9.9, "currency": "EUR"}]
    assert nodes[-1]["campaign"]["name"] == "a"


def test_messages_are_narrowed_by_campaign_contact_and_state(
    ask: Ask, make_campaign: MakeCampaign, make_contact: MakeContact, make_message: MakeMessage
) -> None:
    welcome, alert = make_campaign("welcome"), make_campaign("alert")
    ann, bob = make_contact("ann@example.com"), make_contact("bob@example.com")
    make_message(welcome, ann, subject="1")
    make_message(welcome, bob, subject="2", state="skipped", reason="no_consent")
    make_message(alert, ann, subject="3")
    query = """query($campaign: ID, $contact: ID, $state: CrmMessageState) {
      crmMessages(first: 9, campaign: $campaign, contact: $contact, state: $state) {
        edges { node { subject state reason } } } }"""

    def subjects(**narrow: Any) -> set[str]:
        edges = ask(query, caller=VIEWER, **narrow).data["crmMessages"]["edges"]
        return {edge["node"]["subject"] for edge in edges}

    assert subjects(campaign=ids.to_global("CrmCampaign", welcome.pk)) == {"1", "2"}
    assert subjects(contact=ids.to_global("CrmContact", ann.pk)) == {"1", "3"}
    assert subjects(state="SKIPPED") == {"2"}
    assert subjects(campaign=ids.to_global("CrmCampaign", alert.pk), state="SKIPPED") == set()
    assert subjects(campaign=ids.to_global("CrmCampaign", 404_404_404)) == set()


@pytest.mark.parametrize("argument", ["campaign", "contact"])
def test_an_id_of_another_type_is_refused(ask: Ask, argument: str) -> None:
    answer = ask(
        f'{{ crmMessages(first: 1, {argument}: "{ids.to_global("User", 1)}") {{ edges {{ cursor }} }} }}', caller=VIEWER
    )

    assert answer.codes == ["GraphQLError"]


CONTACTS = """query($email: String, $customerId: ID) {
  crmContacts(first: 9, email: $email, customerId: $customerId) {
    edges { node { email customerId ordersCount erasedAt } } } }"""


@pytest.mark.parametrize(
    ("narrow", "found"),
    [
        ({}, ["bob@example.com", "ann@example.com"]),
        ({"email": " Ann@Example.com "}, ["ann@example.com"]),
        ({"email": "ann@"}, []),
        ({"email": ""}, []),
        ({"customerId": ids.to_global("User", 8)}, ["bob@example.com"]),
        ({"customerId": ids.to_global("User", 9)}, []),
    ],
)
def test_contacts_are_found_by_exact_address_or_account(
    ask: Ask, make_contact: MakeContact, narrow: dict[str, str], found: list[str]
) -> None:
    make_contact("ann@example.com")
    make_contact("bob@example.com", customer_id="8")

    answer = ask(CONTACTS, caller=VIEWER, **narrow)

    assert [edge["node"]["email"] for edge in answer.data["crmContacts"]["edges"]] == found


def test_an_erased_contact_shows_nothing_that_names_the_person(ask: Ask, make_contact: MakeContact) -> None:
    contact = make_contact("ann@example.com", customer_id="8")
    contacts.erase([contact.pk])

    node = ask(CONTACTS, caller=VIEWER).data["crmContacts"]["edges"][0]["node"]

    assert (node["email"], node["customerId"]) == (None, None)
    assert node["erasedAt"] is not None


LOG = """query($campaign: ID, $channel: CrmChannel, $class: CrmMessageClass, $reason: String, $since: DateTime,
    $until: DateTime) {
  crmMessages(first: 9, campaign: $campaign, channel: $channel, messageClass: $class, reason: $reason, since: $since,
      until: $until) {
    edges { node { subject form deliveredAt machineOpenedAt complainedAt providerId isNotice occasion
      cost { amount currency } tries { channel state } } } } }"""


@pytest.mark.parametrize(
    ("narrow", "found"),
    [
        ({"channel": "SMS"}, {"text"}),
        ({"class": "TRANSACTIONAL"}, {"order"}),
        ({"reason": "bounced"}, {"mail"}),
        ({"since": (NOON + timedelta(hours=1)).isoformat()}, {"text", "order"}),
        ({"until": (NOON + timedelta(hours=1)).isoformat()}, {"mail"}),
        ({"since": NOON.isoformat(), "until": (NOON + timedelta(hours=2)).isoformat()}, {"mail", "text"}),
        ({"channel": "SMS", "reason": "bounced"}, set()),
    ],
)
def test_the_delivery_log_is_narrowed(
    ask: Ask,
    make_campaign: MakeCampaign,
    make_contact: MakeContact,
    make_message: MakeMessage,
    narrow: dict[str, str],
    found: set[str],
) -> None:
    one, two, three = (make_campaign(name) for name in ("a", "b", "c"))
    ann = make_contact("ann@example.com")
    make_message(one, ann, subject="mail", state="failed", reason="bounced")
    make_message(two, ann, subject="text", channel="sms", form="lms", at=NOON + timedelta(hours=1))
    make_message(three, ann, subject="order", message_class="transactional", at=NOON + timedelta(hours=2))

    answer = ask(LOG, caller=VIEWER, **narrow)

    assert {edge["node"]["subject"] for edge in answer.data["crmMessages"]["edges"]} == found


def test_a_line_of_the_log_tells_everything_and_how_other_channels_did(
    ask: Ask, make_campaign: MakeCampaign, make_contact: MakeContact, make_message: MakeMessage
) -> None:
    first = make_message(
        make_campaign(), make_contact("ann@example.com"), state="failed", reason="bounced", subject="m"
    )
    Message.objects.create(
        **{
            name: getattr(first, name)
            for name in ("contact", "enrollment", "campaign", "template", "step_id", "message_class", "created_at")
        },
        channel="sms", form="sms", state="sent", subject="t", due_at=NOON, stale_at=NOON, provider_id="p-1",
        delivered_at=NOON, cost=Decimal("0.02"), cost_currency="EUR",
    )  # fmt: skip

    answer = ask(LOG, caller=VIEWER)

    assert answer.errors == []
    text, mail = (edge["node"] for edge in answer.data["crmMessages"]["edges"])
    tries = [{"channel": "EMAIL", "state": "FAILED"}, {"channel": "SMS", "state": "SENT"}]
    assert (mail["tries"], text["tries"]) == (tries, tries)
    assert (text["form"], text["providerId"], text["deliveredAt"]) == ("SMS", "p-1", NOON.isoformat())
    assert text["cost"] == {"amount": 0.02, "currency": "EUR"}
    assert (mail["form"], mail["cost"], mail["isNotice"], mail["occasion"]) == (None, None, False, "")


@pytest.mark.parametrize("count", [1, 12])
def test_the_tries_of_a_page_are_one_question(
    ask: Ask, fill: Callable[[int], None], django_assert_num_queries: DjangoAssertNumQueries, count: int
) -> None:
    fill(count)

    with django_assert_num_queries(2):
        answer = ask("{ crmMessages(first: 50) { edges { node { tries { state } } } } }", caller=VIEWER)

    assert [len(edge["node"]["tries"]) for edge in answer.data["crmMessages"]["edges"]] == [1] * count


def test_a_moment_without_its_zone_is_refused(ask: Ask) -> None:
    answer = ask('{ crmMessages(first: 1, since: "2026-03-02T12:00:00") { edges { cursor } } }', caller=VIEWER)

    assert len(answer.errors) == 1


RESEND = """mutation($input: CrmMessagesResendInput!) { crmMessagesResend(input: $input) {
  resentCount leftCount errors { field code } } }"""


@pytest.fixture
def lost(make_campaign: MakeCampaign, make_contact: MakeContact, make_message: MakeMessage) -> Message:
    """A failed message of a campaign that runs."""
    campaign = automations.publish(make_campaign().pk)
    return make_message(campaign, make_contact("ann@example.com"), state="failed", reason="undelivered")


@pytest.mark.parametrize("caller", [NOBODY, CUSTOMER, STAFF, VIEWER])
def test_who_may_not_manage_sends_nothing_again(ask: Ask, lost: Message, caller: Actor) -> None:
    answer = ask(RESEND, caller=caller, input={"ids": [ids.to_global("CrmMessage", lost.pk)]})

    assert answer.codes == ["PermissionDenied"]
    assert Message.objects.get().state == "failed"


@pytest.mark.parametrize("caller", [MANAGER, APP])
@pytest.mark.parametrize("by", ["ids", "campaign"])
def test_a_manager_sends_what_failed_again(ask: Ask, lost: Message, caller: Actor, by: str) -> None:
    one, all_ = ids.to_global("CrmMessage", lost.pk), ids.to_global("CrmCampaign", lost.campaign_id or 0)

    answer = ask(RESEND, caller=caller, input={"ids": [one]} if by == "ids" else {"campaign": all_})

    assert answer.data["crmMessagesResend"] == {"resentCount": 1, "leftCount": 0, "errors": []}
    assert Message.objects.values_list("state", "reason", "attempts").get() == ("queued", "", 0)


def test_what_is_not_to_be_sent_again_is_refused(ask: Ask, lost: Message) -> None:
    over = automations.end_campaign(lost.campaign_id or 0)
    inputs = [
        ({}, "REQUIRED"),
        ({"ids": [], "campaign": "x"}, "REQUIRED"),
        ({"ids": [ids.to_global("CrmMessage", 1)] * 1_001}, "LIMIT"),
        ({"ids": [ids.to_global("User", 1)]}, "GRAPHQL_ERROR"),
        ({"campaign": ids.to_global("CrmCampaign", over.pk)}, "NOT_RUNNING"),
        ({"campaign": ids.to_global("CrmCampaign", 404_404)}, "NOT_FOUND"),
    ]

    for given, code in inputs:
        answer = ask(RESEND, caller=MANAGER, input=given)
        assert [error["code"] for error in answer.data["crmMessagesResend"]["errors"]] == [code]
    assert Message.objects.get().state == "failed"


def test_why_a_campaign_paused_itself_is_told(ask: Ask, make_campaign: MakeCampaign) -> None:
    campaign = automations.publish(make_campaign().pk)
    automations.pause(campaign.pk, reason=automations.PauseReason.BOUNCE_RATE)

    answer = ask("{ crmCampaigns(first: 1) { edges { node { state pauseReason } } } }", caller=VIEWER)

    assert answer.data["crmCampaigns"]["edges"][0]["node"] == {"state": "PAUSED", "pauseReason": "bounce_rate"}
