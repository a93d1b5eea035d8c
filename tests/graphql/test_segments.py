"""Segments by the API: the life of one, who is in it, and what a page of them costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from crm_plugin import audience, automations, contacts, ids
from crm_plugin.contacts import Contact
from crm_plugin.models import Member, Segment
from tests.fake_shop import FakeShop
from tests.graphql.conftest import MANAGER, VIEWER, WAIT_ONLY, Ask

pytestmark = pytest.mark.django_db

MakeContact = Callable[..., Contact]

KOREANS = {"include": {"type": "attribute", "name": "country", "op": "is", "value": "KR"}}
FIELDS = "{ segment { id name kind state definition version membersCount error } errors { field code message } }"
CREATE = f"mutation($input: CrmSegmentCreateInput!) {{ crmSegmentCreate(input: $input) {FIELDS} }}"
UPDATE = f"mutation($id: ID!, $input: CrmSegmentUpdateInput!) {{ crmSegmentUpdate(id: $id, input: $input) {FIELDS} }}"
ADD = """mutation($id: ID!, $contacts: [ID!], $emails: [String!]) {
  crmSegmentMembersAdd(segment: $id, contacts: $contacts, emails: $emails) {
    changedCount segment { membersCount } errors { field code } } }"""
REMOVE = ADD.replace("MembersAdd", "MembersRemove")
MEMBERS = """query($id: ID!, $first: Int, $last: Int, $after: String, $before: String) { crmSegment(id: $id) {
  members(first: $first, last: $last, after: $after, before: $before) {
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor joinedAt node { email } } } } }"""


def _id(segment: Segment) -> str:
    return ids.to_global("CrmSegment", segment.pk)


def _act(name: str) -> str:
    return f"mutation($id: ID!) {{ {name}(id: $id) {FIELDS} }}"


@pytest.fixture
def make_list(make_contact: MakeContact) -> Callable[..., Segment]:
    """Make a static list of so many people."""

    def make(name: str = "VIPs", *, people: int = 0) -> Segment:
        segment = audience.create_segment(name)
        rows = [make_contact(f"p{number}@example.com") for number in range(people)]
        audience.add_members(segment.pk, [row.pk for row in rows])
        return segment

    return make


def test_a_segment_is_created_changed_archived_and_restored(ask: Ask, shop: FakeShop) -> None:
    made = ask(CREATE, caller=MANAGER, input={"name": "Koreans", "definition": KOREANS}).data["crmSegmentCreate"]
    wanted = made["segment"]["id"]
    given = {"name": "Everybody", "definition": {"include": {"type": "everybody"}}}
    changed = ask(UPDATE, caller=MANAGER, id=wanted, input=given).data["crmSegmentUpdate"]
    renamed = ask(UPDATE, caller=MANAGER, id=wanted, input={"name": "All"}).data["crmSegmentUpdate"]
    archived = ask(_act("crmSegmentArchive"), caller=MANAGER, id=wanted).data["crmSegmentArchive"]
    restored = ask(_act("crmSegmentRestore"), caller=MANAGER, id=wanted).data["crmSegmentRestore"]

    assert [answer["errors"] for answer in (made, changed, renamed, archived, restored)] == [[]] * 5
    first = made["segment"]
    assert (first["kind"], first["state"], first["version"], first["definition"]) == ("LIVE", "BUILDING", 1, KOREANS)
    assert (changed["segment"]["name"], changed["segment"]["version"]) == ("Everybody", 2)
    assert (renamed["segment"]["name"], renamed["segment"]["version"]) == ("All", 2)
    assert (archived["segment"]["state"], restored["segment"]["state"]) == ("ARCHIVED", "BUILDING")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": " "}, "name"),
        ({"definition": {"include": {"type": "sneezed"}}}, "definition.include"),
        ({"definition": {"include": {"type": "everybody", "also": 1}}}, "definition.include.also"),
        (
            {"definition": {"include": {"type": "all", "of": [{"type": "attribute", "name": "x", "op": "is_set"}]}}},
            "definition.include.of.0.name",
        ),
        ({"definition": {}}, "definition.include"),
        ({"definition": []}, "definition"),
    ],
)
def test_wrong_input_is_told_by_place_and_saves_nothing(
    ask: Ask, shop: FakeShop, given: dict[str, Any], field: str
) -> None:
    answer = ask(CREATE, caller=MANAGER, input={"name": "Koreans", "definition": KOREANS, **given})

    assert answer.data["crmSegmentCreate"]["segment"] is None
    assert [error["field"] for error in answer.data["crmSegmentCreate"]["errors"]] == [field]
    assert not Segment.objects.exists()


def test_a_wrong_rule_leaves_the_one_in_force(ask: Ask, shop: FakeShop) -> None:
    segment = audience.create_segment("Koreans", KOREANS)
    wrong = {"name": "Other", "definition": {"include": {"type": "segment", "segment": segment.pk}}}

    answer = ask(UPDATE, caller=MANAGER, id=_id(segment), input=wrong).data["crmSegmentUpdate"]

    assert answer["errors"][0]["field"].startswith("definition")
    segment = audience.segments().get()
    assert segment.version is not None
    assert (segment.name, segment.version.number, segment.version.definition) == ("Koreans", 1, KOREANS)


@pytest.mark.parametrize("wrong", ["", "1", "Q3JtQ29udGFjdDox", "Q3JtU2VnbWVudDotMQ=="])
def test_what_is_no_id_of_a_segment_is_refused(ask: Ask, wrong: str) -> None:
    read = ask("query($id: ID!) { crmSegment(id: $id) { name } }", caller=VIEWER, id=wrong)
    written = ask(_act("crmSegmentArchive"), caller=MANAGER, id=wrong).data["crmSegmentArchive"]

    assert read.codes == ["GraphQLError"]
    assert [(error["field"], error["code"]) for error in written["errors"]] == [("id", "GRAPHQL_ERROR")]


def test_an_unknown_segment_is_null_to_read_and_not_found_to_write(ask: Ask) -> None:
    unknown = ids.to_global("CrmSegment", 404_404_404)

    read = ask("query($id: ID!) { crmSegment(id: $id) { name } }", caller=VIEWER, id=unknown)
    written = ask(_act("crmSegmentArchive"), caller=MANAGER, id=unknown).data["crmSegmentArchive"]
    added = ask(ADD, caller=MANAGER, id=unknown, emails=["a@example.com"]).data["crmSegmentMembersAdd"]

    assert (read.data, read.errors) == ({"crmSegment": None}, [])
    assert [error["code"] for error in (*written["errors"], *added["errors"])] == ["NOT_FOUND", "NOT_FOUND"]


def test_a_segment_that_a_campaign_uses_is_not_archived(ask: Ask, shop: FakeShop) -> None:
    segment, free = (audience.create_segment(name, KOREANS) for name in ("Koreans", "Others"))
    named = {"include": {"type": "not", "of": {"type": "segment", "segment": segment.pk}}}
    automations.create_campaign(name="Hello", definition={**WAIT_ONLY, "exit_audience": named})

    refused, done = (
        ask(_act("crmSegmentArchive"), caller=MANAGER, id=_id(row)).data["crmSegmentArchive"] for row in (segment, free)
    )

    assert [(error["field"], error["code"]) for error in refused["errors"]] == [("id", "IN_USE")]
    assert "'Hello'" in refused["errors"][0]["message"]
    assert done["errors"] == []
    assert list(Segment.objects.filter(state="archived")) == [free]


def test_lists_leave_archived_segments_out_unless_asked(ask: Ask, make_list: Callable[..., Segment]) -> None:
    audience.create_segment("Koreans", KOREANS)
    make_list("VIPs")
    audience.archive_segment(make_list("Old").pk)
    query = """query($kind: CrmSegmentKind, $state: CrmSegmentState) {
      crmSegments(first: 9, kind: $kind, state: $state) { edges { node { name } } } }"""

    def names(**narrow: str) -> set[str]:
        edges = ask(query, caller=VIEWER, **narrow).data["crmSegments"]["edges"]
        return {edge["node"]["name"] for edge in edges}

    assert names() == {"Koreans", "VIPs"}
    assert names(kind="LIVE") == {"Koreans"}
    assert names(state="ARCHIVED") == {"Old"}
    assert names(kind="STATIC", state="READY") == {"VIPs"}


def test_people_are_put_in_and_taken_out_by_hand(
    ask: Ask, make_contact: MakeContact, make_list: Callable[..., Segment]
) -> None:
    vips = _id(make_list())
    ann, _bob = make_contact("ann@example.com"), make_contact("bob@example.com")
    both = {"contacts": [ids.to_global("CrmContact", ann.pk)], "emails": [" Ann@Example.com", "bob@example.com"]}

    added = ask(ADD, caller=MANAGER, id=vips, **both).data["crmSegmentMembersAdd"]
    again = ask(ADD, caller=MANAGER, id=vips, **both).data["crmSegmentMembersAdd"]
    removed = ask(REMOVE, caller=MANAGER, id=vips, emails=["bob@example.com"]).data["crmSegmentMembersRemove"]

    assert added == {"changedCount": 2, "segment": {"membersCount": 2}, "errors": []}
    assert again == {"changedCount": 0, "segment": {"membersCount": 2}, "errors": []}
    assert removed == {"changedCount": 1, "segment": {"membersCount": 1}, "errors": []}
    assert Member.objects.get().contact_id == ann.pk


@pytest.mark.parametrize(
    ("people", "field", "code"),
    [
        ({}, "contacts", "REQUIRED"),
        ({"emails": ["ann@example.com", "nobody@example.com"]}, "emails.1", "NOT_FOUND"),
        ({"contacts": [ids.to_global("CrmContact", 404_404_404)]}, "contacts.0", "NOT_FOUND"),
        ({"contacts": ["x"]}, "contacts.0", "GRAPHQL_ERROR"),
        ({"emails": ["x"] * 1001}, "contacts", "LIMIT"),
    ],
)
def test_whoever_is_named_wrongly_is_told_and_nobody_is_put_in(
    ask: Ask,
    make_contact: MakeContact,
    make_list: Callable[..., Segment],
    people: dict[str, Any],
    field: str,
    code: str,
) -> None:
    make_contact("ann@example.com")

    answer = ask(ADD, caller=MANAGER, id=_id(make_list()), **people).data["crmSegmentMembersAdd"]

    assert [(error["field"], error["code"]) for error in answer["errors"]] == [(field, code)]
    assert not Member.objects.exists()


def test_nobody_is_put_into_a_live_segment_by_hand(ask: Ask, make_contact: MakeContact) -> None:
    make_contact("ann@example.com")
    segment = audience.create_segment("Koreans", KOREANS)

    answer = ask(ADD, caller=MANAGER, id=_id(segment), emails=["ann@example.com"]).data["crmSegmentMembersAdd"]

    assert len(answer["errors"]) == 1
    assert not Member.objects.exists()


def test_the_pages_of_members_show_everybody_once(ask: Ask, make_list: Callable[..., Segment]) -> None:
    vips = _id(make_list(people=5))
    everybody = [f"p{number}@example.com" for number in reversed(range(5))]

    def page(**window: Any) -> Any:
        return ask(MEMBERS, caller=VIEWER, id=vips, **window).data["crmSegment"]["members"]

    def emails(found: Any) -> list[str]:
        return [edge["node"]["email"] for edge in found["edges"]]

    first = page(first=2)
    second = page(first=2, after=first["pageInfo"]["endCursor"])
    third = page(first=2, after=second["pageInfo"]["endCursor"])
    last = page(last=2)
    before = page(last=2, before=last["pageInfo"]["startCursor"])

    assert emails(first) + emails(second) + emails(third) == everybody
    assert (first["pageInfo"]["hasNextPage"], third["pageInfo"]["hasNextPage"]) == (True, False)
    assert emails(before) + emails(last) == everybody[1:]
    assert first["edges"][0]["joinedAt"].startswith("2026-03-02T12:00:00")


@pytest.mark.parametrize("window", [{}, {"first": 101}, {"first": 1, "after": "x"}, {"first": 1, "last": 1}])
def test_a_wrong_page_of_members_is_refused(ask: Ask, make_list: Callable[..., Segment], window: Any) -> None:
    assert ask(MEMBERS, caller=VIEWER, id=_id(make_list()), **window).codes == ["GraphQLError"]


@pytest.mark.parametrize("count", [1, 6])
def test_a_page_of_segments_costs_the_same_however_long(
    ask: Ask,
    make_list: Callable[..., Segment],
    django_assert_num_queries: DjangoAssertNumQueries,
    count: int,
) -> None:
    contacts.declare_attribute("points", "number", "Points")
    for number in range(count):
        make_list(f"list {number}", people=count)
        audience.create_segment(
            f"live {number}", {"include": {"type": "attribute", "name": "points", "op": "gte", "value": number}}
        )
    query = """{ crmSegments(first: 50) { edges { node { name summary(language: "en")
      members(first: 3) { edges { node { email score { label } inflow { browser } segments { name } } } } } } } }"""

    with django_assert_num_queries(7):  # segments, names, members, contacts, scores, inflow, segments of contacts
        answer = ask(query, caller=VIEWER)

    nodes = {edge["node"]["name"]: edge["node"] for edge in answer.data["crmSegments"]["edges"]}
    assert answer.errors == []
    assert len(nodes) == 2 * count
    assert len(nodes["list 0"]["members"]["edges"]) == min(count, 3)
    assert [row["name"] for row in nodes["list 0"]["members"]["edges"][0]["node"]["segments"]] == [
        f"list {number}" for number in range(count)
    ]
    assert nodes["list 0"]["summary"] is None
    assert "Points" in nodes["live 0"]["summary"]
