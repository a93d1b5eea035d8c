"""Celery workers killed in the middle of handing mail out: the next one goes on, and nobody is mailed twice."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from decimal import Decimal

import pytest
from oscar.core.loading import get_model

from crm_plugin import activity, clock, pipeline
from crm_plugin.messaging import MessageState
from crm_plugin.models import Consent, Contact, Message
from crm_plugin.money import Money
from crm_plugin.shop import Fact, FactKind, ProductRef
from demo.services.mailsink import MailSink
from tests.e2e.running import START_SECONDS, RunningShop

StockRecord = get_model("partner", "StockRecord")
PEOPLE = 400
KILLS = 3
CONCURRENCY = 2
HANDOUT_BATCH = 10
LEASE_SECONDS = 2


@pytest.fixture
def fans(ref: ProductRef) -> list[str]:
    """Many people who agreed to mail and like the same product, whose price has just fallen."""
    now = clock.now()
    people = Contact.objects.bulk_create(Contact(email=f"p{n}@example.com", created_at=now) for n in range(PEOPLE))
    Consent.objects.bulk_create(Consent(contact=p, channel="email", is_granted=True, changed_at=now) for p in people)
    for person in people:
        activity.record(
            Fact(
                kind=FactKind.LIKED,
                source_key=f"like:{person.email}",
                email=person.email,
                product_id=ref.product_id,
                shop_channel=ref.shop_channel,
                amount=Money(Decimal("48.00"), "EUR"),
            )
        )
    pipeline.pump()
    StockRecord.objects.filter(product_id=ref.variant_id).update(price=Decimal("36.00"))
    activity.look_now([ref.product_id])
    pipeline.watch_prices()
    pipeline.pump()
    return [str(person.email) for person in people]


def test_killed_celery_workers_mail_nobody_twice_and_leave_nothing_hanging(
    fans: list[str], run_shop: Callable[..., RunningShop], mail_sink: MailSink
) -> None:
    chance = random.Random(20_261_122)  # noqa: S311 - moments, not secrets
    shop = run_shop(
        CRM_DELIVER_BATCH="50",
        CRM_HANDOUT_BATCH=str(HANDOUT_BATCH),
        CRM_HOUSEKEEP_SECONDS="1",
        CRM_LEASE_SECONDS=str(LEASE_SECONDS),
    )
    shop.start_beat()

    in_the_middle = 0
    for _ in range(KILLS):
        worker = shop.start_worker(concurrency=CONCURRENCY)
        wanted = len(mail_sink.letters) + chance.randrange(1, PEOPLE // 8)
        shop.processes.wait_until(
            lambda at_least=wanted: len(mail_sink.letters) >= at_least,  # type: ignore[misc]
            what="some letters",
            timeout_seconds=START_SECONDS,
            poll_seconds=0.005,
        )
        shop.kill(worker)
        in_the_middle += open_messages().exists()
    time.sleep(LEASE_SECONDS)
    shop.start_worker(concurrency=CONCURRENCY)
    shop.processes.wait_until(
        lambda: not open_messages().exists(), what="an end of the queue", timeout_seconds=START_SECONDS
    )

    received = Counter(letter.recipients[0] for letter in mail_sink.letters)
    states = dict(Message.objects.values_list("contact__email", "state"))
    assert in_the_middle == KILLS
    assert set(states) == set(fans)
    assert set(received.values()) == {1}
    assert set(states.values()) <= {MessageState.SENT, MessageState.UNKNOWN}
    assert {email for email, state in states.items() if state == MessageState.SENT} <= set(received)
    blurred = [email for email, state in states.items() if state == MessageState.UNKNOWN]
    assert len(blurred) <= KILLS * CONCURRENCY * HANDOUT_BATCH


def open_messages():
    """Messages that are not final."""
    return Message.objects.filter(state__in=[MessageState.QUEUED, MessageState.SENDING])
