"""Choices at the same time, on real connections."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from crm_plugin import contacts
from crm_plugin.contacts import Choices, Contact, Said
from crm_plugin.contacts.models import Consent, ConsentEvent, RefusedTopic, Topic
from crm_plugin.errors import InvalidInput
from tests.together import together

pytestmark = pytest.mark.django_db(transaction=True)

SAID = Said(source="test", evidence={})


def test_the_same_page_sent_twice_at_once_is_logged_once(make_contact: Callable[..., Contact]) -> None:
    contact = make_contact(email="ann@example.com")
    contacts.save_topic("news", names={"en": "News"})
    wanted = Choices(granted=frozenset({"sms"}), refused=frozenset({"news"}))

    together(*[lambda: contacts.choose(contact.pk, wanted, said=SAID)] * 4)

    assert Consent.objects.get().is_granted
    assert sorted(ConsentEvent.objects.values_list("purpose", flat=True)) == ["marketing", "topic:news"]


def test_what_is_said_last_stands_in_the_log_and_in_the_row(make_contact: Callable[..., Contact]) -> None:
    contact = make_contact(email="ann@example.com")
    sms = frozenset({"sms"})

    together(
        *[lambda: contacts.choose(contact.pk, Choices(granted=sms), said=SAID)] * 3,
        *[lambda: contacts.choose(contact.pk, Choices(withdrawn=sms), said=SAID)] * 3,
    )

    assert ConsentEvent.objects.latest("pk").is_granted == Consent.objects.get().is_granted


def test_a_topic_that_goes_while_people_refuse_it_leaves_nothing_behind(make_contact: Callable[..., Contact]) -> None:
    people = [make_contact(email=f"person{number}@example.com") for number in range(5)]
    contacts.save_topic("news", names={"en": "News"})

    def refuse(contact: Contact) -> Callable[[], None]:
        def call() -> None:
            with suppress(InvalidInput):  # it may be gone already
                contacts.refuse_topics(contact.pk, ["news"], source="test")

        return call

    together(*map(refuse, people), lambda: contacts.delete_topic("news"))

    assert not Topic.objects.exists()
    assert not RefusedTopic.objects.exists()
    told = ConsentEvent.objects.count()
    contacts.save_topic("news", names={"en": "News"})
    assert RefusedTopic.objects.count() == told


def test_two_merchants_make_the_same_topic_at_once(make_contact: Callable[..., Contact]) -> None:
    together(*[lambda: contacts.save_topic("news", names={"en": "News"})] * 4)

    assert Topic.objects.get().names == {"en": "News"}
