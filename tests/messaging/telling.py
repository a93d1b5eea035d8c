"""Mail that went out, and what providers tell of it: what the tests of receipts share."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from crm_plugin import clock, contacts, messaging, pipeline
from crm_plugin.messaging import ReceiptKind, Told
from crm_plugin.models import Consent, Message
from tests.fake_shop import FakeShop
from tests.stories import consenting, on, running, send

NOTE = {"en": {"title": "In your inbox", "text": "Hello", "url": "{{ shop.url }}"}}
TO_INBOX = {"channel": "inbox", "template": NOTE}
numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def mail_stays_here(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


@pytest.fixture
def campaign(fake_shop: FakeShop):
    """A campaign that mails whoever likes something, or else leaves a note."""
    return running(on("liked", reentry="always"), [send(fallbacks=[TO_INBOX])])


@pytest.fixture
def mailed(fake_shop: FakeShop, campaign) -> Callable[..., Message]:
    """Mail somebody new, or the same person again; returns the message."""

    def make(customer=None) -> Message:
        number = next(numbers)
        if customer is None:
            customer = fake_shop.add_customer(email=f"p{number}@example.com")
            contact = consenting(customer.customer_id)
            contacts.set_consent(contact.pk, channel="inbox", is_granted=True, source="test")
        fake_shop.like(customer.customer_id, fake_shop.add_product(price=50).whole)
        pipeline.pump()
        pipeline.deliver()
        return Message.objects.filter(channel="email").latest("pk")

    return make


def tell(message: Message, kind: ReceiptKind, **more) -> None:
    named = {"channel": message.channel, "provider_id": str(message.public_id), "occurred_at": clock.now()} | more
    messaging.keep([Told(kind=kind, **named)])
    pipeline.deliver()
    message.refresh_from_db()


def blocked(message: Message) -> str:
    row = contacts.suppression_of(message.recipient, channel=message.channel)
    return row.reason if row else ""


def is_granted(message: Message) -> bool:
    return Consent.objects.get(contact_id=message.contact_id, channel=message.channel).is_granted


def notes(message: Message) -> int:
    return Message.objects.filter(enrollment_id=message.enrollment_id, channel="inbox", state="sent").count()
