"""A merchant's story by GraphQL alone: settings, a campaign from a recipe, its mail, and its end."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from crm_plugin import automations
from crm_plugin.models import Campaign, Message
from crm_plugin.shop import ProductRef
from demo.services.mailsink import MailSink
from tests.saleor import asking, engine
from tests.saleor.world import SaleorWorld
from tests.stories import definition, open_shop, send

pytestmark = [pytest.mark.saleor, pytest.mark.django_db]

ERRORS = "errors { field code message }"
SETTINGS = f"""
mutation($input: CrmSettingsInput!) {{ crmSettingsUpdate(input: $input) {{ settings {{ senderName }} {ERRORS} }} }}
"""
CREATE = f"""
mutation($input: CrmCampaignCreateInput!) {{ crmCampaignCreate(input: $input) {{
  campaign {{ id state version definition }} {ERRORS} }} }}
"""
CAMPAIGNS = "{ crmCampaigns(first: 5) { edges { node { id name state version inFlight } } } }"
CAMPAIGN = "query($id: ID!) { crmCampaign(id: $id) { name state } }"
MESSAGES = """
query($campaign: ID) { crmMessages(first: 5, campaign: $campaign) { edges { node {
  state reason subject recipient stepId campaign { name } contact { email } } } } }
"""


def _do(what: str) -> str:
    return f"mutation($id: ID!) {{ crmCampaign{what}(id: $id) {{ campaign {{ id state version }} {ERRORS} }} }}"


def _nodes(page: Any) -> list[Any]:
    return [edge["node"] for edge in page["edges"]]


def _prompt_recipe() -> dict[str, Any]:
    """The recipe, without the time in which it gathers several drops into one mail."""
    found = automations.recipe("liked_price_drop")
    return found | {"trigger": found["trigger"] | {"settle_seconds": 0}}


@pytest.fixture
def mug(world: SaleorWorld) -> ProductRef:
    return world.make_product(prices=[Decimal(80)], stocks=[5], name="Blue Mug")[0]


@pytest.fixture
def fan(world: SaleorWorld, mug: ProductRef) -> Any:
    client = asking.customer(world.make_customer(email="ann@example.com", first_name="Ann"))
    asking.ask(client, asking.CONSENT)
    asking.ask(client, asking.LIKE, product=asking.gid("Product", mug.product_id))
    engine.run()
    return client


def _cut(world: SaleorWorld, mug: ProductRef, price: str) -> None:
    world.set_price(mug, Decimal(price))
    client = asking.staff("manage_products", email=f"{price}@example.com")
    asking.set_price(client, mug.variant_id, world.channel.pk, price)
    engine.saleor_computes_prices()
    engine.run()


@pytest.mark.feature(22)
def test_a_merchant_sets_up_runs_pauses_and_removes_a_campaign(
    world: SaleorWorld, mug: ProductRef, fan: Any, smtp: MailSink
) -> None:
    manager = asking.staff("manage_crm")

    given = {
        "senderName": "The Shop",
        "senderEmail": "news@shop.example",
        "postalAddress": "1 Street, Town",
        "consentText": "You agreed to this.",
    }
    asking.ask(manager, SETTINGS, input=given)
    made = asking.ask(manager, CREATE, input={"name": "Drops", "definition": _prompt_recipe()})["campaign"]
    published = asking.ask(manager, _do("Publish"), id=made["id"])["campaign"]
    _cut(world, mug, "60")
    messages = _nodes(asking.ask(manager, MESSAGES, campaign=made["id"]))
    paused = asking.ask(manager, _do("Pause"), id=made["id"])["campaign"]
    _cut(world, mug, "30")
    removed = asking.ask(manager, _do("Delete"), id=made["id"])["campaign"]

    assert (made["state"], made["version"]) == ("DRAFT", None)
    assert (published["state"], published["version"]) == ("RUNNING", 1)
    (letter,) = smtp.letters
    (message,) = messages
    assert message == {
        "state": "SENT",
        "reason": "",
        "subject": letter.subject,
        "recipient": "ann@example.com",
        "stepId": made["definition"]["steps"][0]["id"],
        "campaign": {"name": "Drops"},
        "contact": {"email": "ann@example.com"},
    }
    assert paused["state"] == "PAUSED"
    assert (removed["id"], removed["state"]) == (made["id"], "ARCHIVED")
    assert [node["state"] for node in _nodes(asking.ask(manager, CAMPAIGNS))] == ["ARCHIVED"]


def test_a_draft_that_never_ran_is_gone_for_good(crm: Any) -> None:
    manager = asking.staff("manage_crm")
    made = asking.ask(manager, CREATE, input={"name": "Drops", "recipe": "liked_price_drop"})["campaign"]

    removed = asking.ask(manager, _do("Delete"), id=made["id"])["campaign"]

    assert removed["id"] == made["id"]
    assert asking.ask(manager, CAMPAIGN, id=made["id"]) is None
    assert not Campaign.objects.exists()


@pytest.mark.parametrize(
    ("wrong", "field", "code"),
    [
        ({"trigger": {"type": "telepathy"}}, "definition.trigger", "INVALID"),
        ({"steps": [send() | {"type": "teleport"}]}, "definition.steps.0", "INVALID"),
        ({"steps": [send(), {"type": "wait", "id": "w", "seconds": -1}]}, "definition.steps.1.seconds", "INVALID"),
        ({"stepz": []}, "definition.stepz", "INVALID"),
        (
            {"steps": [send(template={"en": send()["template"]["en"] | {"subject": "{{ contact.shoe_size }}"}})]},
            "definition.steps.0.template.en.subject",
            "UNKNOWN_VARIABLE",
        ),
    ],
)
def test_a_wrong_definition_is_refused_with_its_place(crm: Any, wrong: dict[str, Any], field: str, code: str) -> None:
    given = {"name": "Wrong", "definition": definition() | wrong}

    answer = asking.post(asking.staff("manage_crm"), CREATE, input=given)

    assert "errors" not in answer
    (error,) = answer["data"]["crmCampaignCreate"]["errors"]
    assert (error["field"], error["code"]) == (field, code)
    assert error["message"]
    assert not Campaign.objects.exists()


def test_a_campaign_without_a_sender_is_not_published(crm: Any) -> None:
    manager = asking.staff("manage_crm")
    made = asking.ask(manager, CREATE, input={"name": "Drops", "recipe": "liked_price_drop"})["campaign"]

    answer = asking.post(manager, _do("Publish"), id=made["id"])["data"]["crmCampaignPublish"]

    assert [(error["field"], error["code"]) for error in answer["errors"]] == [("senderEmail", "REQUIRED")]
    assert Campaign.objects.get().state == "draft"


def test_who_may_only_look_sees_everything_and_changes_nothing(
    world: SaleorWorld, mug: ProductRef, fan: Any, smtp: MailSink
) -> None:
    open_shop()
    manager, viewer = asking.staff("manage_crm"), asking.staff("view_crm", email="viewer@example.com")
    made = asking.ask(manager, CREATE, input={"name": "Drops", "definition": _prompt_recipe()})["campaign"]
    asking.ask(manager, _do("Publish"), id=made["id"])
    _cut(world, mug, "60")

    (seen,) = _nodes(asking.ask(viewer, CAMPAIGNS))
    (message,) = _nodes(asking.ask(viewer, MESSAGES))
    refused = [asking.post(viewer, _do(what), id=made["id"]) for what in ("Publish", "Pause", "Delete")]

    assert (seen["name"], seen["state"], message["state"]) == ("Drops", "RUNNING", "SENT")
    for answer in refused:
        assert [error["extensions"]["exception"]["code"] for error in answer["errors"]] == ["PermissionDenied"]
    assert Campaign.objects.get().state == "running"
    assert Message.objects.count() == len(smtp.letters) == 1
