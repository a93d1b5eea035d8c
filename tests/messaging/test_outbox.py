"""The outbox as a queue: leases, workers that died, workers that come back too late."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crm_plugin import clock, contacts, messaging
from crm_plugin.contacts import Person
from crm_plugin.messaging import Draft, Go
from crm_plugin.messaging.outbox import Marking, mark_sending
from crm_plugin.models import Message
from tests.together import together

pytestmark = pytest.mark.django_db

LATER = timedelta(seconds=301)


def test_the_same_step_of_the_same_run_is_queued_once(queue):
    message = queue()
    fields = ("contact_id", "enrollment_id", "campaign_id", "template_id", "step_id", "channel", "message_class")
    draft = Draft(**{name: getattr(message, name) for name in fields}, due_at=message.due_at, stale_at=message.stale_at)

    messaging.enqueue([draft, draft])

    assert Message.objects.get().public_id == message.public_id


def test_what_one_worker_claimed_is_not_claimed_again_before_its_lease_ends(queue):
    queue()

    first = messaging.claim(10)
    second = messaging.claim(10)
    with clock.travel(by=LATER):
        third = messaging.claim(10)

    assert (len(first), second, len(third)) == (1, [], 1)
    assert third[0].lease_token != first[0].lease_token


def test_the_longest_due_come_first_and_the_future_waits(queue, make_contact):
    late, early, future = (queue(make_contact(f"{name}@example.com")) for name in "abc")
    Message.objects.filter(pk=early.pk).update(due_at=clock.now() - timedelta(hours=1))
    Message.objects.filter(pk=future.pk).update(due_at=clock.now() + timedelta(hours=1))

    assert [one.message_id for one in messaging.claim(10)] == [early.pk, late.pk]
    assert messaging.claim(10) == []


def test_a_worker_that_lost_its_lease_sends_nothing(smtp, queue):
    message = queue()
    stale = messaging.claim(1)
    with clock.travel(by=LATER):
        fresh = messaging.claim(1)
        verdicts = {message.pk: Go()}

        sent = messaging.deliver(stale, verdicts=verdicts, on_outcomes=_must_not_be_called)
        assert sent == 0
        assert not smtp.letters

        assert messaging.deliver(fresh, verdicts=verdicts, on_outcomes=lambda _some: None) == 1
    assert len(smtp.letters) == 1


def test_a_message_left_in_sending_becomes_unknown_and_is_never_sent_again(smtp, queue, deliver):
    message = queue()
    (claimed,) = messaging.claim(1)
    marking = Marking(claimed=claimed, recipient="ann@example.com", language="en", subject="News")
    mark_sending([marking], lease_until=clock.now() + timedelta(seconds=300))

    too_early = messaging.sweep(10)
    with clock.travel(by=LATER):
        (swept,) = messaging.sweep(10)
        again = (messaging.sweep(10), deliver())

    assert too_early == []
    assert (swept.message_id, swept.state, swept.reason) == (message.pk, "unknown", "lease_expired")
    assert again == ([], [])
    assert not smtp.letters


def test_a_worker_slower_than_its_lease_stops_sending(smtp, queue, make_contact, settings):
    settings.CRM_LEASE_SECONDS = 0.000001
    messages = [queue(make_contact(f"p{number}@example.com")) for number in range(2)]
    claimed = messaging.claim(10)

    messaging.deliver(claimed, verdicts={m.pk: Go() for m in messages}, on_outcomes=lambda _some: None)

    assert not smtp.letters
    assert set(Message.objects.values_list("state", flat=True)) == {"queued"}


@pytest.mark.django_db(transaction=True)
def test_two_workers_never_claim_the_same_message(queue, make_contact):
    for number in range(40):
        queue(make_contact(f"p{number}@example.com"))
    claims: list[int] = []

    def work() -> None:
        while (some := messaging.claim(5)) and len(claims) <= 40:
            claims.extend(one.message_id for one in some)

    together(work, work)

    assert sorted(claims) == sorted(Message.objects.values_list("pk", flat=True))


def test_erasure_blanks_what_was_sent_and_skips_what_was_not(smtp, queue, deliver, make_contact):
    ann = make_contact()
    sent = queue(ann)
    deliver()
    waiting = queue(ann)

    messaging.forget([ann.pk])

    sent.refresh_from_db()
    waiting.refresh_from_db()
    assert (sent.state, sent.recipient, sent.subject, sent.provider_id) == ("sent", "", "", "")
    assert (waiting.state, waiting.reason) == ("skipped", "exited")
    assert deliver() == []


def test_messages_follow_a_merged_contact(queue, make_contact):
    guest, account = make_contact("guest@example.com"), contacts.get_or_create(Person(email="account@example.com"))
    message = queue(guest)

    messaging.absorb(guest.pk, account.pk)

    message.refresh_from_db()
    assert message.contact_id == account.pk


def test_the_lag_tells_how_long_the_oldest_has_been_due(queue):
    queue()

    with clock.travel(by=timedelta(seconds=90)):
        lag = messaging.lag()

    assert lag["queued_rows"] == 1
    assert lag["due_oldest_seconds"] >= 90


def _must_not_be_called(_some: object) -> None:
    raise AssertionError("a worker without a lease reported an outcome")
