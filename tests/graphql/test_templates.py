"""Templates over the API: who may look, try and keep; what is wrong is told with its path."""

from __future__ import annotations

import pytest

from crm_plugin import merchant
from crm_plugin.ids import to_global
from crm_plugin.models import Message, Partial
from tests.graphql.conftest import APP, CUSTOMER, MANAGER, NOBODY, STAFF, VIEWER
from tests.messaging.conftest import content

pytestmark = pytest.mark.django_db

CHECK = """query($template: JSON!, $channel: CrmChannel) {
  crmTemplateCheck(template: $template, channel: $channel) { errors { field code message } } }"""
PREVIEW = """query($template: JSON!, $contact: ID, $cart: String) {
  crmTemplatePreview(template: $template, contact: $contact, cartRef: $cart) {
    language title firstLine html text sizeBytes segments remarks errors { field code } } }"""
TEST = """mutation($template: JSON!, $address: String!) {
  crmTemplateTestSend(template: $template, address: $address) { providerId errors { field code } } }"""
SAVE = """mutation($name: String!, $source: JSON!) {
  crmPartialSave(name: $name, source: $source) { partial { id name source } errors { field code } } }"""
DELETE = "mutation($name: String!) { crmPartialDelete(name: $name) { errors { field code } } }"
SCHEMA = "query($channel: CrmChannel) { crmTemplateSchema(channel: $channel) }"
LIST = "{ crmPartials(first: 2) { edges { node { name } } pageInfo { hasNextPage } } }"
TEMPLATE = {"en": content()}


@pytest.mark.parametrize("caller", [NOBODY, CUSTOMER, STAFF])
@pytest.mark.parametrize(
    ("query", "variables"),
    [(CHECK, {"template": TEMPLATE}), (PREVIEW, {"template": TEMPLATE}), (LIST, {}), (SCHEMA, {})],
)
def test_only_who_may_view_looks(ask, caller, query, variables):
    answer = ask(query, caller=caller, **variables)

    assert answer.codes == ["PermissionDenied"]


@pytest.mark.parametrize("caller", [NOBODY, CUSTOMER, STAFF, VIEWER])
@pytest.mark.parametrize(
    ("query", "variables"),
    [
        (TEST, {"template": TEMPLATE, "address": "a@example.com"}),
        (SAVE, {"name": "hi", "source": {"": "Hi"}}),
        (DELETE, {"name": "kept"}),
    ],
)
def test_only_who_may_manage_tries_and_keeps(ask, mailoutbox, caller, query, variables):
    ask(SAVE, caller=MANAGER, name="kept", source={"": "x"})

    answer = ask(query, caller=caller, **variables)

    assert answer.codes == ["PermissionDenied"]
    assert list(Partial.objects.values_list("name", flat=True)) == ["kept"]
    assert mailoutbox == []


def test_everything_that_is_wrong_is_told_with_its_path(ask):
    wrong = {"en": {"subject": "", "blocks": [{"type": "button", "label": "x", "url": "x"}]}, "xx": {}}

    found = ask(CHECK, caller=VIEWER, template=wrong).data["crmTemplateCheck"]["errors"]
    fine = ask(CHECK, caller=VIEWER, template=TEMPLATE).data["crmTemplateCheck"]["errors"]
    sms = ask(CHECK, caller=VIEWER, template={"ko": {"text": "가" * 60}}, channel="SMS").data["crmTemplateCheck"]

    assert {"template.en.subject", "template.en.blocks.0.url"} <= {one["field"] for one in found}
    assert fine == []
    assert [(one["field"], one["code"]) for one in sms["errors"]] == [("template.ko.text", "TOO_LONG")]


def test_a_preview_shows_the_message(ask, shop, make_contact):
    shop.add_product(name="Vase", price="40.00")
    person = make_contact("ann@example.com")

    answer = ask(PREVIEW, caller=VIEWER, template=TEMPLATE, contact=to_global("CrmContact", str(person.pk)))

    found = answer.data["crmTemplatePreview"]
    assert (found["language"], found["errors"], found["segments"]) == ("en", [], None)
    assert "Vase" in found["html"]
    assert "Vase" in found["text"]
    assert found["sizeBytes"] == len(found["html"].encode())
    assert found["remarks"] == ["NO_PREHEADER"]
    assert not Message.objects.exists()


@pytest.mark.parametrize(
    ("variables", "field", "code"),
    [
        ({"template": {"en": content(subject="{{ nope }}")}}, "template.en.subject", "UNKNOWN_VARIABLE"),
        ({"template": {"pt_BR": content(subject="{{ nope }}")}}, "template.pt_BR.subject", "UNKNOWN_VARIABLE"),
        ({"template": []}, "template", "INVALID"),
        ({"template": TEMPLATE, "contact": "nonsense"}, "contact", "GRAPHQL_ERROR"),
        ({"template": TEMPLATE, "cart": "nothing"}, None, "NOT_FOUND"),
    ],
)
def test_what_a_preview_refuses_is_told(ask, variables, field, code):
    found = ask(PREVIEW, caller=APP, **variables).data["crmTemplatePreview"]

    assert found["errors"] == [{"field": field, "code": code}]
    assert found["html"] is None


def test_a_test_goes_to_the_address_given(ask, mailoutbox):
    row = merchant.load()
    row.sender_name, row.sender_email = "The Shop", "news@shop.example"
    row.save()

    done = ask(TEST, caller=MANAGER, template=TEMPLATE, address="boss@example.com").data["crmTemplateTestSend"]
    refused = ask(TEST, caller=MANAGER, template=TEMPLATE, address="nobody").data["crmTemplateTestSend"]

    assert done["errors"] == []
    assert refused["errors"] == [{"field": "address", "code": "INVALID"}]
    assert [mail.to for mail in mailoutbox] == [["boss@example.com"]]
    assert mailoutbox[0].subject.startswith("[Test] ")


def test_partials_are_kept_listed_and_deleted(ask):
    for name in ("c", "a", "b"):
        saved = ask(SAVE, caller=MANAGER, name=name, source={"": "Hi", "ko": "안녕"}).data["crmPartialSave"]
        assert saved["errors"] == []
    listed = ask(LIST, caller=VIEWER).data["crmPartials"]
    gone = ask(DELETE, caller=MANAGER, name="a").data["crmPartialDelete"]
    again = ask(DELETE, caller=MANAGER, name="a").data["crmPartialDelete"]
    cycle = ask(SAVE, caller=MANAGER, name="b", source={"": "{% render 'b' %}"}).data["crmPartialSave"]

    assert [edge["node"]["name"] for edge in listed["edges"]] == ["a", "b"]
    assert listed["pageInfo"]["hasNextPage"]
    assert gone["errors"] == []
    assert again["errors"] == [{"field": None, "code": "NOT_FOUND"}]
    assert cycle["errors"] == [{"field": "source", "code": "CYCLE"}]
    assert set(Partial.objects.values_list("name", flat=True)) == {"b", "c"}


def test_editors_get_the_schema_of_each_channel(ask):
    email = ask(SCHEMA, caller=VIEWER).data["crmTemplateSchema"]
    sms = ask(SCHEMA, caller=VIEWER, channel="SMS").data["crmTemplateSchema"]

    assert "ButtonBlock" in email["$defs"]
    assert "SmsContent" in sms["$defs"]
