"""Throttles in the loop: what may not go yet waits in the outbox, and two workers together keep the limit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from crm_plugin import clock, messaging
from crm_plugin.contacts import Contact
from crm_plugin.merchant import Merchant
from crm_plugin.messaging import Claimed, Go
from crm_plugin.models import Message, SendingCount
from tests.together import together

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def test_what_a_domain_may_not_get_yet_waits_for_the_next_hour(
    smtp: Any, queue: Callable[..., Message], deliver: Any, make_contact: Callable[..., Contact], us: Merchant
):
    us.domain_limits = {"example.com": 2}
    us.save()
    at = datetime(2027, 3, 1, 12, 30, tzinfo=UTC)
    with clock.travel(to=at):
        for number in range(3):
            queue(make_contact(f"p{number}@example.com"))
        other = queue(make_contact("p@example.org"))

        deliver()

    held = Message.objects.get(state="queued")
    other.refresh_from_db()
    assert (held.reason, held.due_at) == ("throttled", at.replace(minute=0) + HOUR)
    assert other.state == "sent"
    assert len(smtp.letters) == 3
    with clock.travel(to=held.due_at):
        deliver()
    held.refresh_from_db()
    assert held.state == "sent"


def test_a_new_sender_sends_its_first_days_mail_and_news_about_the_persons_own_business(
    smtp: Any, queue: Callable[..., Message], deliver: Any, make_contact: Callable[..., Contact], us: Merchant
):
    at = datetime(2027, 3, 1, 12, tzinfo=UTC)
    us.warm_up_from, us.warm_up_first, us.time_zone = at.date(), 2, "UTC"
    us.save()
    with clock.travel(to=at):
        rows = [queue(make_contact(f"p{number}@example.com")) for number in range(3)]
        news = queue(make_contact("ann@example.com"), message_class="transactional")

        deliver()

    states = dict(Message.objects.values_list("pk", "state"))
    assert [states[row.pk] for row in (*rows, news)] == ["sent", "sent", "queued", "sent"]
    assert Message.objects.get(state="queued").due_at == at.replace(hour=0) + 24 * HOUR
    assert SendingCount.objects.get().count == 4


@pytest.mark.django_db(transaction=True)
def test_two_workers_together_keep_the_limit(
    smtp: Any, queue: Callable[..., Message], make_contact: Callable[..., Contact], us: Merchant, settings: Any
):
    settings.CRM_HANDOUT_BATCH = 3
    us.time_zone, us.warm_up_from, us.warm_up_first = "UTC", clock.now().date(), 7
    us.domain_limits = {"example.com": 5}
    us.save()
    for number in range(10):
        queue(make_contact(f"p{number}@example.com"))
        queue(make_contact(f"p{number}@example.org"))
    claimed = messaging.claim(100)

    def work(mine: list[Claimed]) -> None:
        messaging.deliver(mine, verdicts={one.message_id: Go() for one in mine}, on_outcomes=lambda _some: None)

    together(*(partial(work, claimed[worker::2]) for worker in range(2)))

    sent = Message.objects.filter(state="sent").values_list("recipient", flat=True)
    assert len(sent) == len(smtp.letters) == 7
    assert sum(address.endswith("example.com") for address in sent) <= 5
    assert set(Message.objects.exclude(state="sent").values_list("state", "reason")) == {("queued", "throttled")}
