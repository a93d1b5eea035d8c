"""Imports by the API: the file comes in, and how far it is can be asked."""

from __future__ import annotations

import gzip
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from crm_plugin import audience, ids, pipeline
from crm_plugin.models import Contact, ListImport, Member, Segment
from tests.fake_shop import FakeShop
from tests.graphql.conftest import MANAGER, VIEWER, Ask

pytestmark = pytest.mark.django_db

IMPORT = """mutation($segment: ID!, $content: String!, $dryRun: Boolean) {
  crmListImportCreate(segment: $segment, content: $content, dryRun: $dryRun) {
    listImport { id state linesCount isDryRun } errors { field code message } } }"""
LOOK = """query($id: ID!) { crmListImport(id: $id) {
  state isDryRun linesCount doneCount addedCount refusedCount finishedAt segment { name }
  errors { line message } } }"""
FILE = b"email\nann@example.com\nno address\nbob@example.com\n"


def _encoded(content: bytes) -> str:
    return b64encode(content).decode()


@pytest.fixture
def vips(shop: FakeShop) -> Segment:
    return audience.create_segment("VIPs")


@pytest.fixture
def start(ask: Ask, vips: Segment) -> Callable[..., Any]:
    """Import a file; return the answer."""

    def start(content: str, *, segment: str = "", **more: Any) -> Any:
        wanted = segment or ids.to_global("CrmSegment", vips.pk)
        return ask(IMPORT, caller=MANAGER, segment=wanted, content=content, **more).data["crmListImportCreate"]

    return start


@pytest.mark.parametrize("packed", [FILE, gzip.compress(FILE, mtime=0)], ids=["plain", "gzipped"])
def test_a_file_is_put_in_in_the_background_with_its_errors_by_line(
    ask: Ask, start: Callable[..., Any], packed: bytes
) -> None:
    made = start(_encoded(packed))
    pipeline.upkeep_audience()

    found = ask(LOOK, caller=VIEWER, id=made["listImport"]["id"]).data["crmListImport"]

    assert (made["errors"], made["listImport"]["state"], made["listImport"]["linesCount"]) == ([], "WAITING", 3)
    assert (found["state"], found["doneCount"], found["addedCount"], found["refusedCount"]) == ("DONE", 3, 2, 1)
    assert [error["line"] for error in found["errors"]] == [3]
    assert found["finishedAt"] is not None
    assert found["segment"] == {"name": "VIPs"}
    assert set(Member.objects.values_list("contact__email", flat=True)) == {"ann@example.com", "bob@example.com"}


def test_a_dry_run_finds_the_same_and_writes_nothing(ask: Ask, start: Callable[..., Any]) -> None:
    made = start(_encoded(FILE), dryRun=True)
    pipeline.upkeep_audience()

    found = ask(LOOK, caller=VIEWER, id=made["listImport"]["id"]).data["crmListImport"]

    assert (found["isDryRun"], found["addedCount"], found["refusedCount"]) == (True, 2, 1)
    assert not Member.objects.exists()
    assert not Contact.objects.exists()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (lambda: "not base64!", "INVALID"),
        (lambda: _encoded(gzip.compress(FILE)[:-9]), "INVALID"),
        (lambda: _encoded(b"\x1f\x8b\x08 no gzip"), "INVALID"),
        (lambda: _encoded(b"x" * 10_000_001), "LIMIT"),
        (lambda: _encoded(gzip.compress(b"0" * 100_000_000)), "LIMIT"),
    ],
    ids=["no base64", "cut off", "no gzip", "too large", "a bomb"],
)
def test_what_is_no_file_is_refused_and_not_kept(
    start: Callable[..., Any], content: Callable[[], str], code: str
) -> None:
    answer = start(content())

    assert answer["listImport"] is None
    assert [(error["field"], error["code"]) for error in answer["errors"]] == [("content", code)]
    assert not ListImport.objects.exists()


@pytest.mark.parametrize(
    "content",
    ["", _encoded(b"name\nAnn\n"), _encoded(b"email,shoe_size\na@example.com,42\n")],
    ids=["empty", "no column", "unknown column"],
)
def test_a_file_without_the_right_columns_is_refused_and_not_kept(start: Callable[..., Any], content: str) -> None:
    answer = start(content)

    assert len(answer["errors"]) == 1
    assert not ListImport.objects.exists()


def test_a_rule_and_what_is_not_there_take_no_file(start: Callable[..., Any]) -> None:
    live = audience.create_segment("All", {"include": {"type": "everybody"}})

    answers = [start(_encoded(FILE), segment=ids.to_global("CrmSegment", pk)) for pk in (live.pk, 404_404_404)]

    assert [len(answer["errors"]) for answer in answers] == [1, 1]
    assert answers[1]["errors"][0]["code"] == "NOT_FOUND"
    assert not ListImport.objects.exists()


@pytest.mark.parametrize("count", [1, 6])
def test_a_page_of_imports_costs_the_same_and_leaves_the_files_alone(
    ask: Ask, start: Callable[..., Any], django_assert_num_queries: DjangoAssertNumQueries, count: int
) -> None:
    for _ in range(count):
        start(_encoded(FILE))

    with django_assert_num_queries(2) as queries:
        answer = ask(
            "{ crmListImports(first: 50) { edges { node { state errors { line } segment { name } } } } }",
            caller=VIEWER,
        )

    assert len(answer.data["crmListImports"]["edges"]) == count
    assert "content" not in queries.captured_queries[0]["sql"]


def test_imports_are_narrowed_to_a_list(ask: Ask, start: Callable[..., Any]) -> None:
    other = ids.to_global("CrmSegment", audience.create_segment("Other").pk)
    start(_encoded(FILE))
    start(_encoded(FILE), segment=other)
    query = "query($id: ID) { crmListImports(first: 9, segment: $id) { edges { node { segment { name } } } } }"

    found = ask(query, caller=VIEWER, id=other).data["crmListImports"]["edges"]

    assert [edge["node"]["segment"]["name"] for edge in found] == ["Other"]
