"""Gates: consent, suppression, erasure, frequency and age are looked at right before a message goes out."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from crm_plugin import clock, contacts, messaging
from crm_plugin.merchant import Merchant
from crm_plugin.messaging import GateTerms, Go
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
    us.caps = [{"channel": "email", "count": 1, "hours": 16}]
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


def quiet_now(us: Merchant, **fields: Any) -> datetime:
    """Let quiet hours have begun an hour ago; return when they end, in another hour."""
    hour = clock.now().replace(minute=0, second=0, microsecond=0)
    us.time_zone = "UTC"
    us.quiet_from, us.quiet_to = (hour - timedelta(hours=1)).time(), (hour + timedelta(hours=1)).time()
    for name, value in fields.items():
        setattr(us, name, value)
    us.save()
    return hour + timedelta(hours=1)


def test_what_quiet_hours_hold_waits_in_the_outbox_and_goes_out_when_they_end(smtp, queue, deliver, us):
    until = quiet_now(us)
    message, news = queue(), queue(message_class="transactional")

    assert [(one.message_id, one.state) for one in deliver()] == [(news.pk, "sent")]
    assert reason(message) == ("queued", "quiet_hours")
    assert message.due_at == until
    with clock.travel(to=until - timedelta(seconds=1)):
        assert deliver() == []
    with clock.travel(to=until):
        deliver()

    assert reason(message) == ("sent", "")
    assert len(smtp.letters) == 2


def test_what_is_held_is_judged_again_from_the_start(smtp, queue, deliver, make_contact, us):
    until = quiet_now(us)
    ann = make_contact()
    message = queue(ann)
    deliver()
    contacts.set_consent(ann.pk, channel="email", is_granted=False, source="test")

    with clock.travel(to=until):
        deliver()

    assert reason(message) == ("skipped", "no_consent")
    assert not smtp.letters


def test_quiet_hours_may_skip(smtp, queue, deliver, us):
    quiet_now(us, quiet_action="skip")
    message = queue()

    deliver()

    assert reason(message) == ("skipped", "quiet_hours")
    assert not smtp.letters


def test_what_would_be_held_until_it_is_stale_is_skipped_and_the_log_says_what_held_it(smtp, queue, deliver, us):
    until = quiet_now(us)
    message = queue(stale_after=timedelta(seconds=1))

    deliver()

    assert reason(message) == ("skipped", "stale")
    assert message.detail == f"quiet_hours until {until:%Y-%m-%d %H:%M} UTC"
    assert not smtp.letters


def test_a_refused_topic_is_respected(smtp, queue, deliver, make_contact):
    ann = make_contact()
    contacts.save_topic("sales", names={"en": "Sales"})
    contacts.refuse_topics(ann.pk, ["sales"], source="test")
    message = queue(ann)

    deliver(verdict=Go(terms=GateTerms(topic="sales")))

    assert reason(message) == ("skipped", "topic_refused")
    assert not smtp.letters


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_do_not_break_the_frequency_cap(smtp, queue, make_contact, us):
    us.caps = [{"channel": "email", "count": 1, "hours": 16}]
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
