"""The delivery loop and a provider: what a message costs, what is a try, and what becomes of a lost answer."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from crm_plugin import activity, clock, contacts, pipeline
from crm_plugin.models import Contact, Message
from crm_plugin.shop import Fact, FactKind
from tests.fake_shop import FakeShop
from tests.messaging.providers.gateway_server import GatewayServer
from tests.messaging.providers.serving import CUT
from tests.stories import on, open_shop, running, send

pytestmark = pytest.mark.django_db(transaction=True)

PHONE = "+4915123456789"
TEXT = {"en": {"form": "sms", "text": "Sale"}}


@pytest.fixture
def queued(fake_shop: FakeShop, gateway: GatewayServer) -> Message:
    """A text message that is due, to somebody in Germany."""
    customer = fake_shop.add_customer()
    open_shop(sms_sender="1588-1234", prices={"sms": "0.07", "kakao": "0.02"}, price_currency="EUR")
    running(on("signed_up"), [send(channel="sms", template=TEXT)])
    activity.record(Fact(kind=FactKind.SIGNED_UP, source_key="s", customer_id=customer.customer_id))
    pipeline.pump()
    contact = Contact.objects.get()
    Contact.objects.update(phone=PHONE)
    contacts.set_consent(contact.pk, channel="sms", is_granted=True, source="test")
    return Message.objects.get()


def _after(message: Message) -> Message:
    pipeline.deliver()
    message.refresh_from_db()
    return message


@pytest.mark.parametrize(
    ("answer", "prices", "cost"),
    [
        ({}, {"sms": "0.07"}, (Decimal("0.07"), "EUR")),
        ({"cost": 0.05, "currency": "USD"}, {"sms": "0.07"}, (Decimal("0.05"), "USD")),
        ({}, {"sms": "0"}, (Decimal(0), "EUR")),
        ({}, {"lms": "0.2"}, (None, "")),
    ],
)
@pytest.mark.feature(60)
def test_what_a_message_costs_is_what_the_provider_says_else_what_the_merchant_does(
    queued: Message, gateway: GatewayServer, answer: dict[str, Any], prices: dict[str, str], cost: tuple[Any, str]
) -> None:
    open_shop(prices=prices, price_currency="EUR")
    gateway.answers[PHONE] = {"result": "sent", **answer}

    sent = _after(queued)

    assert (sent.state, sent.form, sent.cost, sent.cost_currency) == ("sent", "sms", *cost)


def test_a_provider_that_asks_to_wait_uses_up_no_try(queued: Message, gateway: GatewayServer, settings: Any) -> None:
    settings.CRM_MAX_ATTEMPTS = 2
    gateway.answers[PHONE] = {"result": "later", "retry_seconds": 120}
    for number in range(5):
        with clock.travel(by=timedelta(seconds=130 * number)):
            asked = clock.now()
            waiting = _after(queued)
            assert (waiting.state, waiting.attempts) == ("queued", 0)
            assert timedelta(seconds=119) < waiting.due_at - asked < timedelta(seconds=130)
    gateway.answers[PHONE] = {"result": "retry"}

    with clock.travel(by=timedelta(hours=1)):
        tried = _after(queued)

    assert (tried.state, tried.reason, tried.attempts) == ("queued", "retry", 1)
    assert gateway.taken == {}


def test_a_year_is_not_waited_for(queued: Message, gateway: GatewayServer) -> None:
    gateway.answers[PHONE] = {"result": "later", "retry_seconds": 31_536_000}

    waiting = _after(queued)

    assert waiting.due_at <= clock.now() + timedelta(hours=1)


def test_a_lost_answer_is_asked_for_again_where_the_provider_takes_a_message_once(
    queued: Message, gateway: GatewayServer
) -> None:
    gateway.mute = {PHONE}
    lost = _after(queued)
    first = lost.state, lost.reason
    gateway.mute = set()

    with clock.travel(by=timedelta(minutes=5)):
        sent = _after(queued)

    assert first == ("queued", "retry")
    assert sent.state == "sent"
    assert len(gateway.taken) == 1


def test_what_a_dead_worker_left_is_offered_again_where_the_provider_takes_a_message_once(
    queued: Message, gateway: GatewayServer
) -> None:
    Message.objects.update(state="sending", lease_until=clock.now() - timedelta(seconds=1))

    pipeline.housekeep()
    swept = Message.objects.get()
    sent = _after(queued)

    assert (swept.state, swept.reason, swept.lease_until) == ("queued", "lease_expired", None)
    assert sent.state == "sent"
    assert len(gateway.taken) == 1


def test_a_provider_that_hangs_up_is_asked_again_later(queued: Message, gateway: GatewayServer) -> None:
    gateway.troubles.append(CUT)

    assert _after(queued).state == "queued"
    with clock.travel(by=timedelta(minutes=5)):
        assert _after(queued).state == "sent"
