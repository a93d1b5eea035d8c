"""The inbox in the shop: what a campaign leaves there, who reads it, and how long it stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction

from crm_plugin import clock, contacts, messaging, persons, pipeline
from crm_plugin.models import Contact, InboxNote, Message
from tests.http.collecting import CHROME
from tests.messaging.pushing import look_at_something, person, running_push

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def ann(fake_shop):
    """A customer who agreed to notes in the inbox."""
    fake_shop.add_customer(customer_id="7", email="c7@example.com", first_name="Ann")
    return person(agrees_to="inbox")


@pytest.fixture
def get_notes(fake_shop):
    """Let people get so many notes, an hour between two of them."""

    def get(contact: Contact, *, number: int = 1) -> list[InboxNote]:
        with clock.travel(to=NOON):
            running_push("inbox")
        for hour in range(number):
            with clock.travel(to=NOON + timedelta(hours=hour)):
                look_at_something(contact)
        return notes(contact)

    return get


def notes(contact: Contact) -> list[InboxNote]:
    return list(InboxNote.objects.filter(contact=contact).order_by("pk"))


@pytest.mark.feature(62)
def test_a_campaign_ends_in_a_note_whose_link_is_counted(ann, client):
    running_push("inbox")

    look_at_something(ann)

    message, note = Message.objects.get(), InboxNote.objects.get()
    assert (message.state, message.channel, message.recipient) == ("sent", "inbox", "7")
    assert message.delivered_at is not None
    assert (note.message_id, note.contact_id, note.read_at) == (message.pk, ann.pk, None)
    assert (note.title, note.text, note.image_url) == (
        "Hello Ann",
        "The spring is here.",
        "https://shop.example/spring.jpg",
    )
    with clock.travel(to=clock.now() + timedelta(minutes=1)):
        answer = client.get(note.url.removeprefix("https://shop.example"), HTTP_USER_AGENT=CHROME)
        pipeline.pump()
    assert (answer.status_code, answer["Location"]) == (302, "https://shop.example/spring")
    message.refresh_from_db()
    assert message.clicked_at is not None


def test_without_consent_there_is_no_note(fake_shop):
    bob = person("8")
    running_push("inbox")

    look_at_something(bob)

    assert Message.objects.get().reason == "no_consent"
    assert not InboxNote.objects.exists()


@pytest.mark.feature(62)
def test_a_note_to_koreans_is_labelled(fake_shop):
    fake_shop.add_customer(customer_id="7", email="c7@example.com", country="KR", language="ko")
    ann = person(agrees_to="inbox", country="KR", language="ko", time_zone="Asia/Seoul")
    with clock.travel(to=NOON - timedelta(hours=10)):  # eleven in the morning in Seoul
        running_push("inbox", language="ko", title="봄이 왔어요", text="새 상품을 만나 보세요.")

        look_at_something(ann)

    assert InboxNote.objects.get().title == "(광고) 봄이 왔어요"


def test_notes_are_read_one_by_one_and_all_at_once(ann, get_notes):
    first, second, third = get_notes(ann, number=3)

    with clock.travel(to=NOON + timedelta(hours=5)):
        before = messaging.unread_count(ann.pk)
        one = messaging.mark_read(ann.pk, note_ids=[second.pk])
        again = messaging.mark_read(ann.pk, note_ids=[second.pk])
        left = messaging.unread_count(ann.pk)
    with clock.travel(to=NOON + timedelta(hours=6)):
        rest = messaging.mark_read(ann.pk)
        none = messaging.unread_count(ann.pk)

    assert (before, one, again, left, rest, none) == (3, 1, 0, 2, 2, 0)
    hours = [(note.read_at - NOON) // timedelta(hours=1) for note in notes(ann)]
    assert (hours, [note.pk for note in notes(ann)]) == ([6, 5, 6], [first.pk, second.pk, third.pk])


def test_nobody_marks_the_notes_of_somebody_else(ann, get_notes):
    (note,) = get_notes(ann)
    bob = person("8")

    marked = messaging.mark_read(bob.pk, note_ids=[note.pk]) + messaging.mark_read(bob.pk)

    note.refresh_from_db()
    assert (marked, note.read_at) == (0, None)


def test_the_notes_of_two_who_are_one_person_come_together(ann, get_notes):
    get_notes(ann)
    other = person("8")

    with transaction.atomic():
        messaging.absorb(ann.pk, other.pk)

    assert [note.contact_id for note in InboxNote.objects.all()] == [other.pk]


def test_an_erased_person_leaves_no_note(ann, get_notes):
    get_notes(ann, number=2)
    bob = person("8", agrees_to="inbox")
    with clock.travel(to=NOON + timedelta(hours=2)):
        look_at_something(bob)

    persons.erase(customer_id="7")

    assert [note.contact_id for note in InboxNote.objects.all()] == [bob.pk]
    assert Message.objects.filter(channel="inbox").count() == 3


def test_old_notes_are_not_shown_and_then_deleted(ann, get_notes, settings):
    settings.CRM_INBOX_DAYS = 10
    _, fresh = get_notes(ann, number=2)

    with clock.travel(to=NOON + timedelta(days=10, minutes=30)):
        shown = list(messaging.notes_of(ann.pk))
        count = messaging.unread_count(ann.pk)
        pipeline.housekeep()

    assert (shown, count) == ([fresh], 1)
    assert notes(ann) == [fresh]


def test_a_guest_who_has_no_account_has_no_inbox(fake_shop):
    guest = contacts.get_or_create(contacts.Person(email="guest@example.com"))
    contacts.set_consent(guest.pk, channel="inbox", is_granted=True, source="test")
    running_push("inbox")

    look_at_something(guest)

    assert Message.objects.get().reason == "no_address"
    assert not InboxNote.objects.exists()
