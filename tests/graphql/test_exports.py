"""Exports by the API: who may, what is logged, and that the file is what was counted (features row 54)."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from crm_plugin import audience, ids
from crm_plugin.contacts import Contact
from crm_plugin.models import Activity, Export
from crm_plugin.shop import Actor
from tests.fake_shop import FakeShop
from tests.graphql.conftest import APP, CUSTOMER, MANAGER, NOON, STAFF, VIEWER, Ask

pytestmark = pytest.mark.django_db

MakeContact = Callable[..., Contact]

EXPORT = """mutation($definition: JSON, $segment: ID, $products: CrmProductQuestion, $product: ID) {
  crmExportCreate(definition: $definition, segment: $segment, products: $products, product: $product) {
    url expiresAt export { actor what rowsCount fetchedAt } errors { field code } } }"""
LOG = "{ crmExports(first: 50) { edges { node { actor what rowsCount createdAt fetchedAt } } } }"
PREVIEW = "query($definition: JSON) { crmAudiencePreview(definition: $definition) { count } }"
KOREANS = {"include": {"type": "attribute", "name": "country", "op": "is", "value": "KR"}}


def _rows(client: Client, url: str) -> list[dict[str, str]]:
    content = client.get(url.removeprefix("https://shop.example")).getvalue()
    assert content.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


@pytest.fixture
def carted(shop: FakeShop, make_contact: MakeContact) -> list[str]:
    """Two products; three people put the first into their carts, one of them bought it, one put in the second."""
    products = [shop.add_product(name=name).product_id for name in ("Tea", "Honey")]
    deeds = [("a", 0, "carted"), ("b", 0, "carted"), ("c", 0, "carted"), ("c", 0, "bought"), ("a", 1, "carted")]
    for name, product, kind in deeds:
        Activity.objects.create(
            contact=make_contact(f"{name}@example.com"),
            kind=kind,
            source_key=f"{name}{product}{kind}",
            occurred_at=NOON,
            product_id=products[product],
        )
    return products


@pytest.mark.feature(54)
def test_both_lists_are_exported_with_as_many_rows_as_were_counted(
    ask: Ask, make_contact: MakeContact, carted: list[str], client: Client
) -> None:
    Contact.objects.filter(email__in=["a@example.com", "b@example.com"]).update(country="KR")
    counted = ask(PREVIEW, caller=VIEWER, definition=KOREANS).data["crmAudiencePreview"]["count"]
    listed = ask("{ crmProductsCartedNotBought { product { key name } count } }", caller=VIEWER).data

    people = ask(EXPORT, caller=MANAGER, definition=KOREANS).data["crmExportCreate"]
    products = ask(EXPORT, caller=MANAGER, products="CARTED_NOT_BOUGHT").data["crmExportCreate"]

    assert people["errors"] == products["errors"] == []
    rows = _rows(client, people["url"])
    assert len(rows) == counted == 2
    assert [row["email"] for row in rows] == ["a@example.com", "b@example.com"]
    assert [(row["product_id"], row["name"], int(row["people"])) for row in _rows(client, products["url"])] == [
        (row["product"]["key"], row["product"]["name"], row["count"]) for row in listed["crmProductsCartedNotBought"]
    ]
    log = [edge["node"] for edge in ask(LOG, caller=VIEWER).data["crmExports"]["edges"]]
    assert [(line["actor"], line["what"], line["rowsCount"]) for line in log] == [
        ("user:92", {"products": "carted_not_bought"}, 2),
        ("user:92", {"audience": KOREANS}, 2),
    ]
    assert all(line["fetchedAt"] for line in log)
    refused = [ask(EXPORT, caller=caller, definition=KOREANS).codes for caller in (CUSTOMER, STAFF, VIEWER)]
    assert refused == [["PermissionDenied"]] * 3
    assert Export.objects.count() == 2


def test_what_was_not_fetched_is_logged_too(ask: Ask, shop: FakeShop) -> None:
    answer = ask(EXPORT, caller=APP, definition=KOREANS).data["crmExportCreate"]

    assert answer["export"] == {
        "actor": "app:5",
        "what": {"audience": KOREANS},
        "rowsCount": None,
        "fetchedAt": None,
    }
    assert (datetime.fromisoformat(answer["expiresAt"]) - NOON).total_seconds() == 300
    assert answer["url"].startswith("https://shop.example/crm/export/")
    assert answer["url"].endswith(".csv")


def test_the_members_of_a_list_and_of_a_live_segment_are_exported(
    ask: Ask, make_contact: MakeContact, client: Client
) -> None:
    ann, bob = make_contact("ann@example.com"), make_contact("bob@example.com")
    Contact.objects.filter(pk=bob.pk).update(country="KR")
    vips, live = audience.create_segment("VIPs"), audience.create_segment("Koreans", KOREANS)
    audience.add_members(vips.pk, [ann.pk])

    files = [
        ask(EXPORT, caller=MANAGER, segment=ids.to_global("CrmSegment", row.pk)).data["crmExportCreate"]["url"]
        for row in (vips, live)
    ]

    assert [[row["email"] for row in _rows(client, url)] for url in files] == [["ann@example.com"], ["bob@example.com"]]


def test_what_buyers_of_a_product_bought_too_is_exported(
    ask: Ask, carted: list[str], client: Client, make_contact: MakeContact
) -> None:
    tea, honey = carted
    for name in ("c", "d"):
        Activity.objects.create(
            contact=make_contact(f"{name}@example.com"),
            kind="bought",
            source_key=f"{name}honey",
            occurred_at=NOON,
            product_id=honey,
        )

    url = ask(EXPORT, caller=MANAGER, products="ALSO_BOUGHT", product=ids.to_global("Product", honey)).data[
        "crmExportCreate"
    ]["url"]

    (row,) = _rows(client, url)
    assert (row["product_id"], row["name"], row["people"], row["share"]) == (tea, "Tea", "1", "0.5000")


@pytest.mark.parametrize(
    ("given", "field", "code"),
    [
        ({}, "definition", "REQUIRED"),
        ({"definition": {"include": {}}}, "definition.include", "INVALID"),
        ({"segment": ids.to_global("CrmSegment", 404_404_404)}, "segment", "NOT_FOUND"),
        ({"definition": KOREANS, "products": "CARTED_NOT_BOUGHT"}, "products", "INVALID"),
        ({"products": "ALSO_BOUGHT"}, "product", "REQUIRED"),
        ({"products": "ALSO_BOUGHT", "product": "x"}, "product", "GRAPHQL_ERROR"),
    ],
)
def test_wrong_input_is_told_and_nothing_is_logged(
    ask: Ask, shop: FakeShop, given: dict[str, Any], field: str, code: str
) -> None:
    answer = ask(EXPORT, caller=MANAGER, **given).data["crmExportCreate"]

    assert answer["url"] is None
    assert [(error["field"], error["code"]) for error in answer["errors"]] == [(field, code)]
    assert not Export.objects.exists()


@pytest.mark.parametrize("caller", [CUSTOMER, STAFF])
def test_the_log_is_not_for_everybody(ask: Ask, caller: Actor) -> None:
    assert ask(LOG, caller=caller).codes == ["PermissionDenied"]


@pytest.mark.parametrize("count", [1, 7])
def test_a_page_of_the_log_is_one_query(
    ask: Ask, shop: FakeShop, django_assert_num_queries: DjangoAssertNumQueries, count: int
) -> None:
    for _ in range(count):
        ask(EXPORT, caller=MANAGER, definition=KOREANS)

    with django_assert_num_queries(1):
        answer = ask(LOG, caller=VIEWER)

    assert len(answer.data["crmExports"]["edges"]) == count
