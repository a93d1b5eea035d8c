"""An audience before it is used: how many, who can be reached, why somebody is in it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from crm_plugin import audience, contacts, ids
from crm_plugin.contacts import ChannelKind, Contact
from crm_plugin.models import Segment
from crm_plugin.shop import Actor
from tests.audience.blocking import blocked_contacts
from tests.fake_shop import FakeShop
from tests.graphql.conftest import APP, MANAGER, VIEWER, Ask

MakeContact = Callable[..., Contact]

PREVIEW = """query($definition: JSON, $segment: ID, $requestId: String, $sample: Int) {
  crmAudiencePreview(
    definition: $definition, segment: $segment, requestId: $requestId, sample: $sample, language: "en"
  ) {
    count reachable { channel count } sample { email } summary warnings seconds errors { field code message } } }"""
EXPLAIN = """query($definition: JSON, $segment: ID, $contact: ID!, $language: String) {
  crmAudienceExplain(definition: $definition, segment: $segment, contact: $contact, language: $language) {
    holds lines { depth sentence holds } errors { field code } } }"""
CANCEL = "mutation($id: String!) { crmAudiencePreviewCancel(requestId: $id) { isCancelled errors { field code } } }"
EVERYBODY = {"include": {"type": "everybody"}}
NAMED_A = {
    "include": {
        "type": "any",
        "of": [
            {"type": "attribute", "name": "email", "op": "starts_with", "value": "a"},
            {"type": "attribute", "name": "country", "op": "is", "value": "KR"},
        ],
    }
}


@pytest.fixture
def people(make_contact: MakeContact) -> list[Contact]:
    """Ann, Abe and Bob; Ann and Bob may be written to."""
    rows = [make_contact(f"{name}@example.com") for name in ("ann", "abe", "bob")]
    for row in rows[::2]:
        contacts.set_consent(row.pk, channel="email", is_granted=True, source="test")
    return rows


def _contact(row: Contact) -> str:
    return ids.to_global("CrmContact", row.pk)


@pytest.mark.django_db
def test_a_definition_is_counted_without_being_saved(ask: Ask, people: list[Contact]) -> None:
    answer = ask(PREVIEW, caller=VIEWER, definition=NAMED_A, sample=1).data["crmAudiencePreview"]

    assert answer["errors"] == []
    reachable = [{"channel": kind.name, "count": int(kind.name == "EMAIL")} for kind in ChannelKind]
    assert (answer["count"], answer["reachable"]) == (2, reachable)
    assert answer["sample"] == [{"email": "abe@example.com"}]
    assert "KR" in answer["summary"]
    assert answer["warnings"] == []
    assert 0 < answer["seconds"] < 10
    assert not Segment.objects.exists()


@pytest.mark.django_db
def test_a_live_segment_and_a_list_are_counted_too(ask: Ask, people: list[Contact]) -> None:
    live = audience.create_segment("A", NAMED_A)
    vips = audience.create_segment("VIPs")
    audience.add_members(vips.pk, [people[2].pk])

    counts = [
        ask(PREVIEW, caller=VIEWER, segment=ids.to_global("CrmSegment", row.pk)).data["crmAudiencePreview"]["count"]
        for row in (live, vips)
    ]

    assert counts == [2, 1]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("given", "field", "code"),
    [
        ({}, "definition", "REQUIRED"),
        ({"definition": EVERYBODY, "segment": ids.to_global("CrmSegment", 1)}, "definition", "REQUIRED"),
        ({"segment": ids.to_global("CrmSegment", 404_404_404)}, "segment", "NOT_FOUND"),
        ({"segment": "x"}, "segment", "GRAPHQL_ERROR"),
        ({"definition": {"include": {"type": "sneezed"}}}, "definition.include", "INVALID"),
        (
            {"definition": {"include": {"type": "not", "of": {"type": "did", "activity": "viewed", "days": 3}}}},
            "definition.include.of.days",
            "INVALID",
        ),
        ({"definition": EVERYBODY, "sample": 51}, "sample", "INVALID"),
        ({"definition": EVERYBODY, "requestId": "x" * 101}, "requestId", "INVALID"),
    ],
)
def test_wrong_input_is_told_by_place(ask: Ask, shop: FakeShop, given: dict[str, Any], field: str, code: str) -> None:
    answer = ask(PREVIEW, caller=VIEWER, **{"sample": 10, **given})

    assert answer.errors == []
    told = answer.data["crmAudiencePreview"]
    assert told["count"] is None
    assert [(error["field"], error["code"]) for error in told["errors"]] == [(field, code)]


@pytest.mark.django_db
def test_an_archived_segment_is_nobodys_audience(ask: Ask, shop: FakeShop) -> None:
    segment = audience.create_segment("A", NAMED_A)
    audience.archive_segment(segment.pk)

    answer = ask(PREVIEW, caller=VIEWER, segment=ids.to_global("CrmSegment", segment.pk)).data["crmAudiencePreview"]

    assert [(error["field"], error["code"]) for error in answer["errors"]] == [("segment", "IS_ARCHIVED")]


@pytest.mark.django_db
@pytest.mark.parametrize("count", [1, 9])
def test_a_preview_costs_the_same_however_many_it_shows(
    ask: Ask, make_contact: MakeContact, django_assert_num_queries: DjangoAssertNumQueries, count: int
) -> None:
    for number in range(count):
        make_contact(f"p{number}@example.com")

    # The count in a savepoint that is undone, with a limit; the contacts after it.
    with django_assert_num_queries(6):
        answer = ask(PREVIEW, caller=VIEWER, definition=EVERYBODY, sample=50)

    assert len(answer.data["crmAudiencePreview"]["sample"]) == count


@pytest.mark.django_db
def test_every_condition_is_explained_for_one_person(ask: Ask, people: list[Contact]) -> None:
    ann, _abe, bob = people

    yes = ask(EXPLAIN, caller=VIEWER, definition=NAMED_A, contact=_contact(ann)).data["crmAudienceExplain"]
    no = ask(EXPLAIN, caller=VIEWER, definition=NAMED_A, contact=_contact(bob), language="ko").data[
        "crmAudienceExplain"
    ]

    assert (yes["holds"], no["holds"]) == (True, False)
    assert yes["errors"] == no["errors"] == []
    assert [line["depth"] for line in yes["lines"]] == [line["depth"] for line in no["lines"]]
    assert yes["lines"][0]["depth"] == 0
    assert [line["holds"] for line in yes["lines"][-2:]] == [True, False]
    assert "KR" in yes["lines"][-1]["sentence"]
    assert yes["lines"][-1]["sentence"] != no["lines"][-1]["sentence"]


@pytest.mark.django_db
def test_nobody_is_explained_who_is_not_there(ask: Ask, shop: FakeShop) -> None:
    unknown = ids.to_global("CrmContact", 404_404_404)

    answer = ask(EXPLAIN, caller=VIEWER, definition=EVERYBODY, contact=unknown).data["crmAudienceExplain"]

    assert answer["holds"] is None
    assert [(error["field"], error["code"]) for error in answer["errors"]] == [("contact", "NOT_FOUND")]


@pytest.mark.django_db(transaction=True)
def test_a_count_that_takes_too_long_says_what_to_do(ask: Ask, settings: Any) -> None:
    settings.CRM_PREVIEW_SECONDS = 0.2

    with blocked_contacts():
        answer = ask(PREVIEW, caller=VIEWER, definition=EVERYBODY).data["crmAudiencePreview"]

    assert [error["code"] for error in answer["errors"]] == ["TIMEOUT"]
    assert "save it as a segment" in answer["errors"][0]["message"]


@pytest.mark.django_db(transaction=True)
def test_only_who_asked_can_cancel(ask: Ask) -> None:
    def count() -> Any:
        try:
            return ask(PREVIEW, caller=VIEWER, definition=EVERYBODY, requestId="r1").data["crmAudiencePreview"]
        finally:
            connection.close()

    def cancel(caller: Actor, request_id: str = "r1") -> bool:
        answer: bool = ask(CANCEL, caller=caller, id=request_id).data["crmAudiencePreviewCancel"]["isCancelled"]
        return answer

    with blocked_contacts(), ThreadPoolExecutor() as pool:
        running = pool.submit(count)
        tries = [(MANAGER, "r1"), (APP, "r1"), (VIEWER, "r2")]
        is_cancelled = False
        while not is_cancelled and not running.done():
            assert [cancel(*one) for one in tries] == [False] * 3
            is_cancelled = cancel(VIEWER)
        answer = running.result(timeout=30)

    assert is_cancelled
    assert [error["code"] for error in answer["errors"]] == ["CANCELLED"]
    assert not cancel(VIEWER)
