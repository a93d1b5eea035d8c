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
from tests.graphql.conftest import NOON, VIEWER, Ask

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
