"""A merchant finds an audience, in Saleor: real orders make and unmake members, who are counted and exported."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from crm_plugin import contacts, tasks
from crm_plugin.models import Activity, Export, Failure, Member
from crm_plugin.shop import ProductRef
from tests.saleor import asking, checkout, engine
from tests.saleor.world import SaleorWorld

pytestmark = [pytest.mark.saleor, pytest.mark.django_db]

HERE = "https://api.shop.example"

DECLARE = """mutation { crmAttributeDeclare(name: "points", kind: NUMBER, label: "Points") {
  attribute { kind } errors { field code message } } }"""
SET = """mutation($contact: ID!, $attributes: JSON!) {
  crmContactAttributesUpdate(contact: $contact, attributes: $attributes) {
    contact { attributes } errors { field code message } } }"""
CREATE = """mutation($definition: JSON) { crmSegmentCreate(input: {name: "Mug, no cup", definition: $definition}) {
  segment { id state } errors { field code message } } }"""
SEGMENT = """query($id: ID!) { crmSegment(id: $id) { state membersCount error summary(language: "en")
  members(first: 9) { edges { joinedAt node { email attributes segments { name } } } } } }"""
PREVIEW = """query($definition: JSON, $segment: ID) {
  crmAudiencePreview(definition: $definition, segment: $segment, requestId: "r") {
    count reachable { channel count } sample { email } seconds errors { field code message } } }"""
EXPLAIN = """query($segment: ID!, $contact: ID!) {
  crmAudienceExplain(segment: $segment, contact: $contact, language: "en") {
  holds lines { depth sentence holds } errors { code } } }"""
EXPORT = """mutation($segment: ID!) { crmExportCreate(segment: $segment) {
  url expiresAt errors { field code message } } }"""


@pytest.fixture
def goods(world: SaleorWorld) -> tuple[ProductRef, ProductRef]:
    """A mug and a cup."""
    world.channel.allow_unpaid_orders = True
    world.channel.save()
    mug, cup = (world.make_product(prices=[Decimal(20)], stocks=[50], name=name)[0] for name in ("Mug", "Cup"))
    return mug, cup


def _bought(ref: ProductRef, *, count: int | None = None) -> dict[str, Any]:
    times = {} if count is None else {"times": {"op": "at_most", "count": count}}
    return {"type": "did", "activity": "bought", "what": {"products": [ref.product_id]}, **times}


def _follow() -> None:
    """Let orders become members, as Saleor's worker and its beat do."""
    engine.drain()
    tasks.upkeep_audience.delay()
    engine.drain()


def _members(merchant: Any, segment: str) -> set[str]:
    found = asking.ask(merchant, SEGMENT, id=segment)
    assert (found["state"], found["error"]) == ("READY", "")
    emails = {edge["node"]["email"] for edge in found["members"]["edges"]}
    assert found["membersCount"] == len(emails)
    return emails


def test_orders_make_and_unmake_members_who_are_counted_explained_and_exported(
    world: SaleorWorld, goods: tuple[ProductRef, ProductRef]
) -> None:
    mug, cup = goods
    merchant = asking.staff("manage_crm")
    rule = {"include": {"type": "all", "of": [_bought(mug), _bought(cup, count=0)]}}
    segment = asking.ask(merchant, CREATE, definition=rule)["segment"]["id"]
    ann, bob = (world.make_customer(email=f"{name}@example.com") for name in ("ann", "bob"))
    _follow()
    nobody = _members(merchant, segment)

    checkout.buy(asking.customer(ann), mug)
    checkout.buy(asking.customer(bob), mug)
    checkout.buy(asking.anybody(), cup, email="gus@example.com")
    _follow()
    first = _members(merchant, segment)
    checkout.buy(asking.customer(bob), cup)
    _follow()
    second = _members(merchant, segment)

    assert (nobody, first, second) == (set(), {"ann@example.com", "bob@example.com"}, {"ann@example.com"})
    moves = Activity.objects.filter(kind__in=["segment_joined", "segment_left"]).order_by("id")
    assert [(row.kind, row.contact.email) for row in moves][-1] == ("segment_left", "bob@example.com")
    contact = contacts.find(customer_id=ann)
    assert contact is not None
    contacts.set_consent(contact.pk, channel="email", is_granted=True, source="test")

    counted = asking.ask(merchant, PREVIEW, segment=segment)
    told = asking.ask(merchant, EXPLAIN, segment=segment, contact=asking.gid("CrmContact", contact.pk))
    file = asking.ask(merchant, EXPORT, segment=segment)

    assert (counted["count"], counted["reachable"][0]) == (1, {"channel": "EMAIL", "count": 1})
    assert [row["email"] for row in counted["sample"]] == ["ann@example.com"]
    assert asking.ask(merchant, PREVIEW, definition=rule)["count"] == 1
    assert told["holds"]
    assert any("Mug" in line["sentence"] for line in told["lines"])
    assert file["url"].startswith(f"{HERE}/plugins/global/crm/export/")
    answer = Client().get(file["url"].removeprefix(HERE))
    rows = list(csv.DictReader(io.StringIO(answer.getvalue().decode("utf-8-sig"))))
    assert [row["email"] for row in rows] == ["ann@example.com"]
    assert Client().get(file["url"].removeprefix(HERE)).status_code == 410
    assert Export.objects.get().rows_count == 1
    assert not Failure.objects.exists()


def test_what_the_merchant_keeps_about_people_makes_an_audience(world: SaleorWorld) -> None:
    merchant = asking.staff("manage_crm")
    ids = [world.make_customer(email=f"{name}@example.com") for name in ("ann", "bob", "cem")]
    _follow()
    asking.ask(merchant, DECLARE)
    for customer_id, points in zip(ids, (2999, 3000, 8000), strict=True):
        contact = contacts.get_or_create(contacts.Person(customer_id, ""))
        asking.ask(merchant, SET, contact=asking.gid("CrmContact", contact.pk), attributes={"points": points})
    rule = {"include": {"type": "attribute", "name": "points", "op": "gte", "value": 3000}}

    counted = asking.ask(asking.app("view_crm"), PREVIEW, definition=rule)

    assert counted["count"] == 2
    assert {row["email"] for row in counted["sample"]} == {"bob@example.com", "cem@example.com"}


def test_a_refused_count_leaves_the_request_usable(world: SaleorWorld, settings: Any) -> None:
    settings.CRM_PREVIEW_SECONDS = 0.001
    world.make_customer(email="ann@example.com")
    merchant = asking.staff("manage_crm")
    rule = {"include": {"type": "everybody"}}

    answer = asking.post(
        merchant,
        """query($d: JSON) { a: crmAudiencePreview(definition: $d) { count errors { code } }
          b: crmSegments(first: 1) { edges { node { name } } } shop { name } }""",
        d=rule,
    )

    assert "errors" not in answer
    assert answer["data"]["a"]["errors"] in ([], [{"code": "TIMEOUT"}])
    assert answer["data"]["b"] == {"edges": []}


def test_a_visitor_who_signs_in_is_told_by_the_storefront(world: SaleorWorld) -> None:
    customer_id = world.make_customer(email="ann@example.com")

    answer = asking.ask(
        asking.customer(customer_id),
        'mutation { crmVisitorIdentify(visitorId: "0123456789abcdef") { isIdentified errors { code } } }',
    )
    _follow()

    contact = contacts.find(customer_id=customer_id)
    assert answer["isIdentified"] is True
    assert contact is not None
    assert list(contact.visitors.values_list("visitor_id", flat=True)) == ["0123456789abcdef"]


def test_the_questions_are_answered_with_saleors_names(
    world: SaleorWorld, goods: tuple[ProductRef, ProductRef]
) -> None:
    mug, cup = goods
    for name in ("ann", "bob"):
        checkout.buy(asking.anybody(), mug, email=f"{name}@example.com")
    checkout.buy(asking.anybody(), cup, email="ann@example.com")
    checkout.start(asking.anybody(), cup, email="bob@example.com")
    engine.drain()
    viewer = asking.staff("view_crm")

    also = asking.ask(
        viewer,
        "query($id: ID!) { crmAlsoBought(product: $id) { product { id name } count share } }",
        id=asking.gid("Product", mug.product_id),
    )
    carted = asking.ask(viewer, "{ crmProductsCartedNotBought { product { name } count definition } }")
    groups = asking.ask(viewer, '{ crmGroupSearch(text: "") { key name } }')

    product = {"id": asking.gid("Product", cup.product_id), "name": "Cup"}
    assert also == [{"product": product, "count": 1, "share": 0.5}]
    assert [(row["product"]["name"], row["count"]) for row in carted] == [("Cup", 1)]
    assert f"category:{world.category.pk}" in {group["key"] for group in groups}
    assert asking.ask(viewer, PREVIEW, definition=carted[0]["definition"])["count"] == 1
    assert not Member.objects.exists()
