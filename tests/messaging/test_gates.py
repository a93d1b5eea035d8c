"""Gates: consent, suppression, erasure, frequency and age are looked at right before a message goes out."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest

from crm_plugin import clock, contacts, messaging
from crm_plugin.messaging import Go
from crm_plugin.models import Message
from tests.together import together

pytestmark = pytest.mark.django_db


def reason(message: Message) -> tuple[str, str]:
    message.refresh_from_db()
    return message.state, message.reason


def test_consent_withdrawn_after_queueing_is_respected(smtp, queue, deliver, make_contact):
    ann = make_contact()
    message = queue(ann)
    contacts.set_consent(ann.pk, channel="email", is_granted=False, source="test")

    outcomes = deliver()

    assert [(one.state, one.reason) for one in outcomes] == [("skipped", "no_consent")]
    assert reason(message) == ("skipped", "no_consent")
    assert not smtp.letters


def test_without_consent_no_advertisement_goes_out(smtp, queue, deliver, make_contact):
    message = queue(make_contact(agrees=False))

    deliver()

    assert reason(message) == ("skipped", "no_consent")
    assert not smtp.letters


@pytest.mark.parametrize("message_class", ["marketing", "transactional"])
def test_a_suppressed_address_gets_nothing(smtp, queue, deliver, make_contact, message_class):
    message = queue(make_contact(), message_class=message_class)
    contacts.suppress("ann@example.com", channel="email", reason="complaint")

    deliver()

    assert reason(message) == ("skipped", "suppressed")
    assert not smtp.letters


def test_an_erased_person_gets_nothing(smtp, queue, deliver, make_contact):
    ann = make_contact()
    message = queue(ann)
    contacts.erase([ann.pk])

    deliver()

    assert reason(message) == ("skipped", "no_address")
    assert not smtp.letters


def test_a_message_that_waited_too_long_is_stale(smtp, queue, deliver):
    message = queue(stale_after=timedelta(hours=1))

    with clock.travel(by=timedelta(hours=2)):
        deliver()

    assert reason(message) == ("skipped", "stale")
    assert not smtp.letters


def test_the_frequency_cap_skips_the_second_mail_and_forgets_after_its_hours(smtp, queue, deliver, make_contact, us):
    us.email_cap_count, us.email_cap_hours = 1, 16
    us.save()
    ann = make_contact()
    first, second, order = queue(ann), queue(ann), queue(ann, message_class="transactional")

    deliver()

    assert [reason(one) for one in (first, second, order)] == [("sent", ""), ("skipped", "frequency_cap"), ("sent", "")]
    with clock.travel(by=timedelta(hours=17)):
        third = queue(ann)
        deliver()
        assert reason(third) == ("sent", "")
    assert len(smtp.letters) == 3


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_do_not_break_the_frequency_cap(smtp, queue, make_contact, us):
    us.email_cap_count, us.email_cap_hours = 1, 16
    us.save()
    people = [make_contact(f"p{number}@example.com") for number in range(10)]
    for person in people:
        queue(person)
        queue(person)
    claimed = messaging.claim(100)
    # One message of each person for each worker.
    halves = [claimed[::2], claimed[1::2]]

    def work(mine: list[messaging.Claimed]) -> None:
        messaging.deliver(mine, verdicts={one.message_id: Go() for one in mine}, on_outcomes=lambda _some: None)

    together(*(partial(work, half) for half in halves))

    assert sorted(Message.objects.values_list("state", flat=True)) == ["sent"] * 10 + ["skipped"] * 10
    assert sorted(letter.recipients[0] for letter in smtp.letters) == sorted(str(person.email) for person in people)
