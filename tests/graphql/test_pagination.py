"""Pages: every row once, in one order, whichever way one walks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from crm_plugin import clock
from crm_plugin.automations.models import Campaign
from tests.graphql.conftest import NOON, VIEWER, Ask

pytestmark = pytest.mark.django_db

PAGE = """
query($first: Int, $after: String, $last: Int, $before: String) {
  crmCampaigns(first: $first, after: $after, last: $last, before: $before) {
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    edges { cursor node { name } }
  }
}
"""


@pytest.fixture
def seven(make_campaign: Callable[..., Campaign]) -> list[str]:
    """Seven campaigns, newest first; three of them of the same moment."""
    for number in range(7):
        with clock.travel(to=NOON + timedelta(seconds=max(0, number - 2))):
            make_campaign(f"c{number}")
    return [f"c{number}" for number in reversed(range(7))]


@pytest.fixture
def page(ask: Ask) -> Callable[..., Any]:
    def call(**window: Any) -> Any:
        answer = ask(PAGE, caller=VIEWER, **window)
        assert answer.errors == []
        return answer.data["crmCampaigns"]

    return call


def _names(page: Any) -> list[str]:
    return [edge["node"]["name"] for edge in page["edges"]]


def test_walking_forward_shows_every_row_once(page: Callable[..., Any], seven: list[str]) -> None:
    seen, after = [], None
    for _ in range(len(seven)):
        found = page(first=2, after=after)
        seen += _names(found)
        after = found["pageInfo"]["endCursor"]
        if not found["pageInfo"]["hasNextPage"]:
            break

    assert seen == seven


def test_walking_backward_shows_every_row_once(page: Callable[..., Any], seven: list[str]) -> None:
    seen: list[str] = []
    before = None
    for _ in range(len(seven)):
        found = page(last=3, before=before)
        seen = _names(found) + seen
        before = found["pageInfo"]["startCursor"]
        if not found["pageInfo"]["hasPreviousPage"]:
            break

    assert seen == seven


def test_a_row_that_arrives_does_not_shift_the_next_page(
    page: Callable[..., Any], seven: list[str], make_campaign: Callable[..., Campaign]
) -> None:
    first = page(first=3)
    with clock.travel(to=NOON + timedelta(hours=1)):
        make_campaign("late")

    second = page(first=3, after=first["pageInfo"]["endCursor"])

    assert _names(second) == seven[3:6]
    assert second["pageInfo"]["hasPreviousPage"] is True


def test_a_page_between_two_cursors(page: Callable[..., Any], seven: list[str]) -> None:
    cursors = [edge["cursor"] for edge in page(first=7)["edges"]]

    found = page(first=10, after=cursors[1], before=cursors[5])

    assert _names(found) == seven[2:5]
    assert found["pageInfo"]["hasNextPage"] is True


def test_a_page_costs_one_query_however_far_in(
    page: Callable[..., Any], seven: list[str], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    after = page(first=4)["pageInfo"]["endCursor"]

    with django_assert_num_queries(1):
        assert len(page(first=3, after=after)["edges"]) == 3


def test_an_empty_list_is_an_empty_page(page: Callable[..., Any]) -> None:
    found = page(first=5)

    assert found == {
        "edges": [],
        "pageInfo": {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None},
    }


@pytest.mark.parametrize(
    ("window", "message"),
    [
        ({}, "Give either `first` or `last`."),
        ({"first": 1, "last": 1}, "Give either `first` or `last`."),
        ({"first": 0}, "`first` is between 1 and 100."),
        ({"first": 101}, "`first` is between 1 and 100."),
        ({"last": -1}, "`last` is between 1 and 100."),
    ],
)
def test_a_page_of_no_or_too_great_size_is_refused(ask: Ask, window: dict[str, int], message: str) -> None:
    answer = ask(PAGE, caller=VIEWER, **window)

    assert answer.messages == [message]
    assert answer.codes == ["GraphQLError"]


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "?",
        "é",
        "YXJyYXljb25uZWN0aW9uOjA=",  # arrayconnection:0
        "WzEsIDJd",  # [1, 2]
        "WyIyMDI2LTAxLTAxIiwgMV0=",  # ["2026-01-01", 1]: no zone
        "WyIyMDI2LTAxLTAxVDAwOjAwOjAwKzAwOjAwIiwgIngiXQ==",  # its key is a text
        "WyIyMDI2LTAxLTAxVDAwOjAwOjAwKzAwOjAwIiwgdHJ1ZV0=",  # its key is true
        "WyIyMDI2LTAxLTAxVDAwOjAwOjAwKzAwOjAwIiwgOTk5OTk5OTk5OTk5OTk5OTk5OTk5XQ==",  # its key is no key
        "W1tbW1tbW1tb" * 5_000,
    ],
)
def test_a_wrong_cursor_is_refused_by_name(ask: Ask, cursor: str) -> None:
    answer = ask(PAGE, caller=VIEWER, first=1, after=cursor)

    assert answer.codes == ["GraphQLError"]
    assert answer.messages[0].startswith("`after` is not a cursor of this list.")
