"""Topics: what merchants keep, what people refuse, and what the log remembers of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from crm_plugin import clock, contacts
from crm_plugin.contacts import Contact
from crm_plugin.contacts.models import ConsentEvent, RefusedTopic, Topic, Touched
from crm_plugin.contacts.topics import MAX_TOPICS
from crm_plugin.errors import InvalidInput, NotFound
from tests.contacts.conftest import NOON
from tests.fake_shop import FakeShop

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann(make_contact: Callable[..., Contact]) -> Contact:
    """A contact, nobody else, whose segments are up to date; there are the topics news and sales."""
    contact = make_contact(email="ann@example.com")
    contacts.save_topic("news", names={"en": "News", "ko": "소식"})
    contacts.save_topic("sales", names={"en": "Sales"})
    Touched.objects.all().delete()
    return contact


def refused(contact: Contact) -> frozenset[str]:
    return contacts.reach([contact.pk], channel="email")[contact.pk].refused_topics


def test_topics_are_in_the_order_in_which_they_were_made_unless_told_otherwise(shop: FakeShop) -> None:
    for slug in ("news", "sales", "events"):
        contacts.save_topic(slug, names={"en": slug})

    contacts.save_topic("events", names={"en": "Events"}, position=0)
    contacts.save_topic("sales", names={"en": "Sales", "pt_BR": "Ofertas"})

    assert list(contacts.topics().values_list("slug", "position")) == [("news", 0), ("events", 0), ("sales", 1)]
    assert Topic.objects.get(slug="sales").names == {"en": "Sales", "pt-br": "Ofertas"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"slug": "News"}, "slug"),
        ({"slug": ""}, "slug"),
        ({"slug": "-news"}, "slug"),
        ({"slug": "n" * 41}, "slug"),
        ({"slug": "new\0s"}, "slug"),
        ({"names": {}}, "names"),
        ({"names": {"en": "  "}}, "names"),
        ({"names": {"en": "n" * 61}}, "names"),
        ({"names": {"en": "two\nlines"}}, "names"),
        ({"names": {"klingon!": "QoQ"}}, "names"),
        ({"position": -1}, "position"),
        ({"position": 40_000}, "position"),
    ],
)
def test_a_wrong_topic_is_refused_by_field_and_not_kept(shop: FakeShop, change: dict, field: str) -> None:
    wanted = {"slug": "news", "names": {"en": "News"}, "position": None} | change

    with pytest.raises(InvalidInput) as refusal:
        contacts.save_topic(wanted["slug"], names=wanted["names"], position=wanted["position"])

    assert refusal.value.field == field
    assert not Topic.objects.exists()


def test_there_are_not_more_topics_than_people_read(shop: FakeShop) -> None:
    now = clock.now()
    Topic.objects.bulk_create(Topic(slug=f"t{number}", created_at=now) for number in range(MAX_TOPICS))

    contacts.save_topic("t1", names={"en": "One"})
    with pytest.raises(InvalidInput) as refusal:
        contacts.save_topic("one-more", names={"en": "One more"})

    assert refusal.value.code == "LIMIT"
    assert Topic.objects.count() == MAX_TOPICS


@pytest.mark.parametrize(
    ("languages", "expected"), [(("ko-KR",), "소식"), (("fr", "en_US"), "News"), (("fr",), "News"), ((), "News")]
)
def test_a_topic_is_called_by_the_first_language_that_it_has(
    ann: Contact, languages: tuple[str, ...], expected: str
) -> None:
    assert contacts.topic_name(Topic.objects.get(slug="news"), *languages) == expected


def test_a_topic_without_names_is_called_by_its_slug(shop: FakeShop) -> None:
    assert contacts.topic_name(Topic(slug="news"), "en") == "news"


def test_who_refuses_a_topic_keeps_the_others_and_the_log_proves_it(ann: Contact) -> None:
    with clock.travel(to=NOON):
        changed = contacts.refuse_topics(ann.pk, ["news"], source="preference_centre", evidence={"message": "m"})

    assert (changed, refused(ann)) == (("news",), {"news"})
    line = ConsentEvent.objects.get()
    assert (line.purpose, line.channel, line.is_granted, line.occurred_at) == ("topic:news", "", False, NOON)
    assert (line.source, line.evidence) == ("preference_centre", {"message": "m"})
    assert list(Touched.objects.values_list("contact_id", flat=True)) == [ann.pk]


def test_accepting_takes_the_refusal_back_and_is_logged_too(ann: Contact) -> None:
    contacts.refuse_topics(ann.pk, ["news", "sales"], source="test")

    changed = contacts.accept_topics(ann.pk, ["news"], source="test")

    assert (changed, refused(ann)) == (("news",), {"sales"})
    assert ConsentEvent.objects.filter(purpose="topic:news").latest("pk").is_granted


def test_what_changes_nothing_is_not_logged(ann: Contact) -> None:
    contacts.refuse_topics(ann.pk, ["news"], source="test")
    Touched.objects.all().delete()

    answers = [
        contacts.refuse_topics(ann.pk, ["news", "news"], source="test"),
        contacts.accept_topics(ann.pk, ["sales"], source="test"),
        contacts.refuse_topics(ann.pk, [], source="test"),
    ]

    assert answers == [(), (), ()]
    assert ConsentEvent.objects.count() == 1
    assert not Touched.objects.exists()


def test_an_unknown_topic_is_refused_and_nothing_is_kept(ann: Contact) -> None:
    with pytest.raises(InvalidInput) as refusal:
        contacts.refuse_topics(ann.pk, ["news", "nothing"], source="test")

    assert (refusal.value.field, refusal.value.code) == ("topics", "NOT_FOUND")
    assert not RefusedTopic.objects.exists()
    assert not ConsentEvent.objects.exists()


def test_nobody_and_erased_people_refuse_nothing(ann: Contact) -> None:
    contacts.erase([ann.pk])

    assert contacts.refuse_topics(ann.pk, ["news"], source="test") == ()
    with pytest.raises(NotFound):
        contacts.refuse_topics(404_404, ["news"], source="test")
    assert not RefusedTopic.objects.exists()
    assert not ConsentEvent.objects.exists()


def test_a_topic_that_is_made_again_is_refused_by_whom_it_was_refused(
    ann: Contact, make_contact: Callable[..., Contact]
) -> None:
    bob = make_contact(email="bob@example.com")
    with clock.travel(to=NOON):
        contacts.refuse_topics(ann.pk, ["news"], source="test")
        contacts.refuse_topics(bob.pk, ["news"], source="test")
    with clock.travel(to=NOON + timedelta(days=1)):
        contacts.accept_topics(bob.pk, ["news"], source="test")

    was_there = [contacts.delete_topic("news"), contacts.delete_topic("news")]
    refused_meanwhile = refused(ann)
    Touched.objects.all().delete()
    contacts.save_topic("news", names={"en": "News"})

    assert was_there == [True, False]
    assert refused_meanwhile == frozenset()
    assert (refused(ann), refused(bob)) == ({"news"}, frozenset())
    assert RefusedTopic.objects.get().refused_at == NOON
    assert list(Touched.objects.values_list("contact_id", flat=True)) == [ann.pk]
