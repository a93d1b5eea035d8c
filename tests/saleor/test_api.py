"""The CRM's own API in Saleor's ``/graphql/``: who may, what is refused and how, and that reads keep Saleor's rules."""

from __future__ import annotations

from typing import Any

import pytest

from crm_plugin import contacts, ids
from crm_plugin.contacts import Person
from crm_plugin.models import Campaign, Consent
from tests.saleor import asking

pytestmark = [pytest.mark.saleor, pytest.mark.django_db]

CREATE = """
mutation($input: CrmCampaignCreateInput!) { crmCampaignCreate(input: $input) {
  campaign { id name state inFlight version definition startsAt } errors { field code message } } }
"""
CAMPAIGNS = "{ crmCampaigns(first: 5) { pageInfo { endCursor } edges { node { name inFlight version } } } }"
CONTACTS = """
query($customerId: ID) { crmContacts(first: 5, customerId: $customerId) { edges { node {
  email customerId createdAt consents { channel isGranted } spent { amount currency } } } } }
"""
WAIT_ONLY = {
    "trigger": {"type": "activity", "activity": "signed_up"},
    "steps": [{"type": "wait", "id": "pause", "seconds": 60}],
}


def _codes(answer: dict[str, Any]) -> list[str]:
    return [error["extensions"]["exception"]["code"] for error in answer.get("errors", [])]


def test_a_manager_runs_a_campaign_and_a_viewer_sees_it(world: Any) -> None:
    manager = asking.staff("manage_crm")
    given = {"name": "Welcome", "definition": WAIT_ONLY, "startsAt": "2027-01-31T09:00:00+09:00"}
    made = asking.ask(manager, CREATE, input=given)["campaign"]
    published = asking.ask(
        manager,
        "mutation($id: ID!) { crmCampaignPublish(id: $id) { campaign { state version } errors { code } } }",
        id=made["id"],
    )

    seen = asking.ask(asking.app("view_crm"), CAMPAIGNS)

    assert (made["state"], made["definition"]) == ("DRAFT", WAIT_ONLY)
    assert published["campaign"] == {"state": "RUNNING", "version": 1}
    assert [edge["node"] for edge in seen["edges"]] == [{"name": "Welcome", "inFlight": 0, "version": 1}]


@pytest.mark.parametrize("who", ["anybody", "customer", "staff", "app"])
def test_without_the_permission_nothing_is_read_or_written(world: Any, who: str) -> None:
    client = {
        "anybody": asking.anybody,
        "customer": lambda: asking.customer(world.make_customer(email="ann@example.com")),
        "staff": lambda: asking.staff("manage_products"),
        "app": lambda: asking.app("manage_products"),
    }[who]()

    read = asking.post(client, CAMPAIGNS)
    written = asking.post(client, CREATE, input={"name": "Welcome", "definition": WAIT_ONLY})

    assert (_codes(read), _codes(written)) == (["PermissionDenied"], ["PermissionDenied"])
    assert "Internal" not in read["errors"][0]["message"]
    assert not Campaign.objects.exists()


def test_a_viewer_may_not_write(world: Any) -> None:
    answer = asking.post(asking.staff("view_crm"), CREATE, input={"name": "Welcome", "definition": WAIT_ONLY})

    assert _codes(answer) == ["PermissionDenied"]
    assert not Campaign.objects.exists()


def test_while_the_plugin_is_off_every_field_says_so(world: Any, configure: Any) -> None:
    manager = asking.staff("manage_crm")
    configure(active=False)

    assert _codes(asking.post(manager, CAMPAIGNS)) == ["NotActive"]
    assert _codes(asking.post(asking.anybody(), "{ crmMe { email } }")) == ["NotActive"]


def test_contacts_are_shown_with_what_is_read_beside_them(world: Any) -> None:
    customer_id = world.make_customer(email="ann@example.com")
    contact = contacts.get_or_create(Person(customer_id, "ann@example.com"))
    asking.ask(asking.customer(customer_id), asking.CONSENT)

    found = asking.ask(asking.staff("view_crm"), CONTACTS, customerId=asking.gid("User", customer_id))

    (node,) = [edge["node"] for edge in found["edges"]]
    assert (node["email"], node["customerId"]) == ("ann@example.com", asking.gid("User", customer_id))
    assert node["consents"] == [{"channel": "EMAIL", "isGranted": True}]
    assert Consent.objects.get().contact_id == contact.pk


def test_a_customer_sees_their_own_side(world: Any) -> None:
    customer_id = world.make_customer(email="ann@example.com")

    me = asking.ask(
        asking.customer(customer_id),
        "{ crmMe { customerId consents { channel } likes(first: 5) { edges { cursor } } } }",
    )

    assert me == {"customerId": asking.gid("User", customer_id), "consents": [], "likes": {"edges": []}}


@pytest.mark.parametrize("wrong", ["crmCampaigns(first: 101)", 'crmCampaigns(first: 1, after: "x")', "crmCampaigns"])
def test_a_wrong_page_is_told_in_words(world: Any, wrong: str) -> None:
    answer = asking.post(asking.staff("view_crm"), f"{{ {wrong} {{ edges {{ cursor }} }} }}")

    assert _codes(answer) == ["GraphQLError"]
    assert "`" in answer["errors"][0]["message"]


def test_what_saleor_does_not_know_is_not_found(world: Any) -> None:
    client = asking.customer(world.make_customer(email="ann@example.com"))

    for key in ("404", "x", "99999999999999999999"):
        answer = asking.post(client, asking.LIKE, product=ids.to_global("Product", key))
        assert "errors" not in answer
        assert [error["code"] for error in answer["data"]["crmProductLike"]["errors"]] == ["NOT_FOUND"]
