"""A customer's own inbox by the API."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from crm_plugin import clock, ids
from crm_plugin.contacts import Contact
from crm_plugin.models import InboxNote
from tests.fake_shop import FakeShop
from tests.graphql.conftest import APP, CUSTOMER, MANAGER, NOBODY, NOON, Ask

pytestmark = pytest.mark.django_db

INBOX = """query($first: Int, $last: Int, $after: String, $before: String, $isRead: Boolean) { crmMe {
  inboxUnreadCount
  inbox(first: $first, last: $last, after: $after, before: $before, isRead: $isRead) {
    pageInfo { hasNextPage endCursor startCursor } edges { node { id title text url imageUrl createdAt readAt } }
  } } }"""
MARK = """mutation($ids: [ID!], $all: Boolean) { crmInboxMarkRead(ids: $ids, all: $all) {
  markedCount unreadCount errors { field code } } }"""


@pytest.fixture
def make_note(make_campaign: Callable[..., Any], make_message: Callable[..., Any]) -> Callable[..., InboxNote]:
    def make(contact: Contact, title: str, *, hour: int = 0, **columns: Any) -> InboxNote:
        at = NOON - timedelta(hours=10) + timedelta(hours=hour)
        message = make_message(make_campaign(), contact, at=at, channel="inbox")
        given = {"title": title, "text": "text", "url": "https://shop.example/x", "created_at": at}
        return InboxNote.objects.create(message=message, contact=contact, **(given | columns))

    return make


@pytest.fixture
def ann(make_contact: Callable[..., Contact]) -> Contact:
    return make_contact("ann@example.com", customer_id="7")


@pytest.fixture
def bob(make_contact: Callable[..., Contact]) -> Contact:
    return make_contact("bob@example.com", customer_id="8")


def _titles(answer: Any) -> list[str]:
    return [edge["node"]["title"] for edge in answer.data["crmMe"]["inbox"]["edges"]]


def _id(note: InboxNote) -> str:
    return ids.to_global("CrmInboxNote", note.pk)


def test_the_newest_note_comes_first_and_pages_follow(ask: Ask, ann: Contact, make_note: Any) -> None:
    for hour, title in enumerate(("first", "second", "third")):
        make_note(ann, title, hour=hour)

    page = ask(INBOX, caller=CUSTOMER, first=2)
    end = page.data["crmMe"]["inbox"]["pageInfo"]["endCursor"]
    rest = ask(INBOX, caller=CUSTOMER, first=2, after=end)
    back = ask(INBOX, caller=CUSTOMER, last=1)

    assert (_titles(page), _titles(rest), _titles(back)) == (["third", "second"], ["first"], ["first"])
    assert page.data["crmMe"]["inbox"]["pageInfo"]["hasNextPage"] is True
    assert page.data["crmMe"]["inboxUnreadCount"] == 3


def test_a_note_is_told_whole(ask: Ask, ann: Contact, make_note: Any) -> None:
    note = make_note(ann, "Hello", hour=1, image_url="https://shop.example/a.jpg")

    answer = ask(INBOX, caller=CUSTOMER, first=1)

    (edge,) = answer.data["crmMe"]["inbox"]["edges"]
    assert edge["node"] == {
        "id": _id(note),
        "title": "Hello",
        "text": "text",
        "url": "https://shop.example/x",
        "imageUrl": "https://shop.example/a.jpg",
        "createdAt": "2026-03-02T03:00:00+00:00",
        "readAt": None,
    }


def test_nobody_sees_or_marks_the_notes_of_another(ask: Ask, ann: Contact, bob: Contact, make_note: Any) -> None:
    note = make_note(bob, "for Bob")

    seen = ask(INBOX, caller=CUSTOMER, first=9)
    by_name = ask(MARK, caller=CUSTOMER, ids=[_id(note)])
    by_all = ask(MARK, caller=CUSTOMER, all=True)
    by_staff = ask(MARK, caller=MANAGER, ids=[_id(note)])

    assert (_titles(seen), seen.data["crmMe"]["inboxUnreadCount"]) == ([], 0)
    for answer in (by_name, by_all, by_staff):
        assert answer.data["crmInboxMarkRead"] == {"markedCount": 0, "unreadCount": 0, "errors": []}
    note.refresh_from_db()
    assert note.read_at is None


@pytest.mark.parametrize("caller", [NOBODY, APP])
def test_who_is_no_customer_has_no_inbox(ask: Ask, caller: Any, ann: Contact, make_note: Any) -> None:
    note = make_note(ann, "for Ann")

    answers = [ask(INBOX, caller=caller, first=9), ask(MARK, caller=caller, all=True)]

    assert [answer.codes for answer in answers] == [["PermissionDenied"]] * 2
    note.refresh_from_db()
    assert note.read_at is None


def test_a_customer_of_whom_nothing_is_known_has_an_empty_inbox(ask: Ask, shop: FakeShop) -> None:
    seen, marked = ask(INBOX, caller=CUSTOMER, first=9), ask(MARK, caller=CUSTOMER, all=True)

    assert (_titles(seen), seen.data["crmMe"]["inboxUnreadCount"]) == ([], 0)
    assert marked.data["crmInboxMarkRead"]["markedCount"] == 0


def test_notes_are_marked_by_id_and_all_at_once(ask: Ask, ann: Contact, make_note: Any) -> None:
    first, second, third = (make_note(ann, title, hour=hour) for hour, title in enumerate("abc"))

    some = ask(MARK, caller=CUSTOMER, ids=[_id(first), _id(first)])
    unread = ask(INBOX, caller=CUSTOMER, first=9, isRead=False)
    read = ask(INBOX, caller=CUSTOMER, first=9, isRead=True)
    rest = ask(MARK, caller=CUSTOMER, all=True)

    assert some.data["crmInboxMarkRead"] == {"markedCount": 1, "unreadCount": 2, "errors": []}
    assert (_titles(unread), _titles(read)) == (["c", "b"], ["a"])
    assert rest.data["crmInboxMarkRead"] == {"markedCount": 2, "unreadCount": 0, "errors": []}
    for note in (first, second, third):
        note.refresh_from_db()
        assert note.read_at == clock.now()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({}, "REQUIRED"),
        ({"ids": ["x"], "all": True}, "REQUIRED"),
        ({"all": False}, "REQUIRED"),
        ({"ids": ["nonsense"]}, "GRAPHQL_ERROR"),
        ({"ids": [ids.to_global("CrmMessage", 1)]}, "GRAPHQL_ERROR"),
        ({"ids": [ids.to_global("CrmInboxNote", 1)] * 101}, "INVALID"),
    ],
)
def test_what_is_wrong_marks_nothing(
    ask: Ask, ann: Contact, make_note: Any, arguments: dict[str, Any], code: str
) -> None:
    note = make_note(ann, "for Ann")

    answer = ask(MARK, caller=CUSTOMER, **arguments)

    assert answer.data["crmInboxMarkRead"] == {
        "markedCount": None,
        "unreadCount": None,
        "errors": [{"field": "ids", "code": code}],
    }
    note.refresh_from_db()
    assert note.read_at is None
