"""A copy of what is kept about one person, and erasure, by the API."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from crm_plugin import ids
from crm_plugin.contacts import Contact
from crm_plugin.models import Activity, Export
from tests.fake_shop import FakeShop
from tests.graphql.conftest import APP, CUSTOMER, MANAGER, NOON, STAFF, VIEWER, Ask

pytestmark = pytest.mark.django_db

MakeContact = Callable[..., Contact]

COPY = """mutation($person: CrmPersonInput, $definition: JSON) {
  crmExportCreate(person: $person, definition: $definition) {
    url export { what rowsCount } errors { field code } } }"""
ERASE = """mutation($person: CrmPersonInput!) {
  crmPersonErase(person: $person) { contactsCount errors { field code } } }"""
EVERYBODY = {"include": {"type": "everybody"}}
ANN = {"email": " Ann@Example.com"}


@pytest.fixture
def ann(make_contact: MakeContact) -> Contact:
    contact = make_contact("ann@example.com")
    Activity.objects.create(contact=contact, kind="viewed", source_key="v", occurred_at=NOON, product_id="81")
    return contact


def test_a_copy_is_a_json_file_behind_a_link_for_one_fetch(ask: Ask, ann: Contact, client: Client) -> None:
    answer = ask(COPY, caller=APP, person=ANN).data["crmExportCreate"]
    path = answer["url"].removeprefix("https://shop.example")

    file, again = client.get(path), client.get(path)

    made = json.loads(file.getvalue())
    assert answer["errors"] == []
    assert answer["export"] == {"what": {"person": [ann.pk]}, "rowsCount": None}
    assert path.endswith(".json")
    assert file["Content-Type"] == "application/json"
    assert file["Content-Disposition"].endswith('.json"')
    assert "no-store" in file["Cache-Control"]
    assert [row["email"] for row in made["contacts"]] == ["ann@example.com"]
    assert [row["product_id"] for row in made["activities"]] == ["81"]
    assert again.status_code == 410
    (log,) = Export.objects.all()
    assert (log.actor, log.rows_count) == ("app:5", sum(len(part) for part in made.values() if isinstance(part, list)))
    assert "ann" not in json.dumps(log.what)


def test_an_account_and_the_guest_under_its_address_are_one_person(
    ask: Ask, shop: FakeShop, make_contact: MakeContact
) -> None:
    guest = make_contact("new@example.com")
    shop.add_customer(customer_id="7", email="old@example.com")
    account = make_contact("old@example.com", customer_id="7")
    person = {"customerId": ids.to_global("User", "7"), "email": "new@example.com"}

    answer = ask(COPY, caller=MANAGER, person=person).data["crmExportCreate"]

    assert sorted(answer["export"]["what"]["person"]) == sorted([account.pk, guest.pk])


def test_erasure_forgets_a_person_and_says_how_many_contacts_that_were(ask: Ask, ann: Contact) -> None:
    first = ask(ERASE, caller=MANAGER, person=ANN).data["crmPersonErase"]
    again = ask(ERASE, caller=MANAGER, person=ANN).data["crmPersonErase"]

    assert (first, again) == ({"contactsCount": 1, "errors": []}, {"contactsCount": 0, "errors": []})
    assert Contact.objects.values_list("email", flat=True).get(pk=ann.pk) is None
    assert not Activity.objects.exists()


@pytest.mark.parametrize("mutation", [COPY, ERASE], ids=["copy", "erase"])
@pytest.mark.parametrize("caller", [CUSTOMER, STAFF, VIEWER])
def test_only_who_may_manage_may(ask: Ask, ann: Contact, mutation: str, caller: Any) -> None:
    assert ask(mutation, caller=caller, person=ANN).codes == ["PermissionDenied"]
    assert not Export.objects.exists()
    assert Contact.objects.filter(email="ann@example.com").exists()


@pytest.mark.parametrize(
    ("person", "field", "code"),
    [
        ({}, "person", "REQUIRED"),
        ({"email": ""}, "person", "REQUIRED"),
        ({"email": "nobody"}, "person.email", "INVALID"),
        ({"customerId": "7"}, "person.customerId", "GRAPHQL_ERROR"),
    ],
)
@pytest.mark.parametrize(("mutation", "name"), [(COPY, "crmExportCreate"), (ERASE, "crmPersonErase")])
def test_nobody_is_refused_by_name(
    ask: Ask, ann: Contact, mutation: str, name: str, person: dict[str, str], field: str, code: str
) -> None:
    answer = ask(mutation, caller=MANAGER, person=person).data[name]

    assert answer["errors"] == [{"field": field, "code": code}]
    assert not Export.objects.exists()


@pytest.mark.parametrize(
    ("more", "code"), [({"person": {"email": "bob@example.com"}}, "NOT_FOUND"), ({"definition": EVERYBODY}, "INVALID")]
)
def test_a_copy_of_nobody_or_of_several_things_is_refused(ask: Ask, ann: Contact, more: Any, code: str) -> None:
    answer = ask(COPY, caller=MANAGER, **({"person": ANN} | more)).data["crmExportCreate"]

    assert answer["errors"] == [{"field": "person", "code": code}]
    assert not Export.objects.exists()
