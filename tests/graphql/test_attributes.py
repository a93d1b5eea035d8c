"""Attributes by the API: what is declared, and what a contact has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from crm_plugin import contacts, ids
from crm_plugin.contacts import Contact
from crm_plugin.contacts.models import Attribute
from tests.graphql.conftest import MANAGER, VIEWER, Ask

pytestmark = pytest.mark.django_db

MakeContact = Callable[..., Contact]

DECLARE = """mutation($name: String!, $kind: CrmAttributeKind!, $label: String) {
  crmAttributeDeclare(name: $name, kind: $kind, label: $label) {
    attribute { name kind label } errors { field code } } }"""
SET = """mutation($contact: ID!, $attributes: JSON!) {
  crmContactAttributesUpdate(contact: $contact, attributes: $attributes) {
    contact { attributes } errors { field code } } }"""


def _id(contact: Contact) -> str:
    return ids.to_global("CrmContact", contact.pk)


def test_a_declared_attribute_is_listed_and_set(ask: Ask, make_contact: MakeContact) -> None:
    ann = make_contact("ann@example.com")
    declared = ask(DECLARE, caller=MANAGER, name="points", kind="NUMBER", label="Points").data["crmAttributeDeclare"]

    answer = ask(SET, caller=MANAGER, contact=_id(ann), attributes={"points": 3000}).data["crmContactAttributesUpdate"]

    listed = ask("{ crmAttributes(first: 5) { edges { node { name kind label } } } }", caller=VIEWER).data
    assert declared == {"attribute": {"name": "points", "kind": "NUMBER", "label": "Points"}, "errors": []}
    assert answer == {"contact": {"attributes": {"points": 3000}}, "errors": []}
    assert [edge["node"] for edge in listed["crmAttributes"]["edges"]] == [declared["attribute"]]


def test_declaring_again_changes_the_label_only_when_one_is_given(ask: Ask) -> None:
    ask(DECLARE, caller=MANAGER, name="points", kind="NUMBER", label="Points")

    kept = ask(DECLARE, caller=MANAGER, name="points", kind="NUMBER").data["crmAttributeDeclare"]
    changed = ask(DECLARE, caller=MANAGER, name="points", kind="NUMBER", label="Stars").data["crmAttributeDeclare"]
    refused = ask(DECLARE, caller=MANAGER, name="points", kind="TEXT").data["crmAttributeDeclare"]

    assert (kept["attribute"]["label"], changed["attribute"]["label"]) == ("Points", "Stars")
    assert [(error["field"], error["code"]) for error in refused["errors"]] == [("kind", "UNIQUE")]
    assert Attribute.objects.get().kind == "number"


@pytest.mark.parametrize("name", ["", "Points", "e mail", "email", "x" * 41])
def test_a_wrong_name_declares_nothing(ask: Ask, name: str) -> None:
    answer = ask(DECLARE, caller=MANAGER, name=name, kind="NUMBER").data["crmAttributeDeclare"]

    assert [error["field"] for error in answer["errors"]] == ["name"]
    assert not Attribute.objects.exists()


def test_what_is_left_out_stays_and_null_takes_away(ask: Ask, make_contact: MakeContact) -> None:
    ann = make_contact("ann@example.com")
    contacts.declare_attribute("points", "number", "")
    contacts.declare_attribute("hobbies", "tags", "")
    contacts.set_attributes(ann.pk, {"points": 5, "hobbies": ["tea"]})

    answer = ask(SET, caller=MANAGER, contact=_id(ann), attributes={"points": None}).data["crmContactAttributesUpdate"]

    assert answer == {"contact": {"attributes": {"hobbies": ["tea"]}}, "errors": []}


@pytest.mark.parametrize(
    ("attributes", "field"),
    [({"points": "many"}, "attributes.points"), ({"unknown": 1}, "attributes.unknown"), ([1], "attributes")],
)
def test_a_wrong_value_is_told_by_name_and_sets_nothing(
    ask: Ask, make_contact: MakeContact, attributes: Any, field: str
) -> None:
    ann = make_contact("ann@example.com")
    contacts.declare_attribute("points", "number", "")

    answer = ask(SET, caller=MANAGER, contact=_id(ann), attributes=attributes).data["crmContactAttributesUpdate"]

    assert [error["field"] for error in answer["errors"]] == [field]
    assert Contact.objects.get(pk=ann.pk).attributes == {}


def test_an_unknown_or_erased_contact_is_not_found(ask: Ask, make_contact: MakeContact) -> None:
    gone = make_contact("ann@example.com")
    contacts.erase([gone.pk])

    for wanted in (_id(gone), ids.to_global("CrmContact", 404_404_404)):
        answer = ask(SET, caller=MANAGER, contact=wanted, attributes={}).data["crmContactAttributesUpdate"]
        assert [(error["field"], error["code"]) for error in answer["errors"]] == [("contact", "NOT_FOUND")]


@pytest.mark.parametrize("count", [1, 9])
def test_the_attributes_of_a_page_cost_nothing(
    ask: Ask, make_contact: MakeContact, django_assert_num_queries: DjangoAssertNumQueries, count: int
) -> None:
    for number in range(count):
        make_contact(f"p{number}@example.com")

    with django_assert_num_queries(1):
        answer = ask("{ crmContacts(first: 50) { edges { node { attributes } } } }", caller=VIEWER)

    assert [edge["node"] for edge in answer.data["crmContacts"]["edges"]] == [{"attributes": {}}] * count
