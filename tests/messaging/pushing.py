"""Ingredients of the tests of push and the inbox: campaigns that send there, people with devices, finished messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from crm_plugin import activity, clock, contacts, pipeline
from crm_plugin.contacts import Contact, Endpoint, Person
from crm_plugin.messaging.channels import Envelope, Sender
from crm_plugin.messaging.finished import Notification
from crm_plugin.models import Campaign
from crm_plugin.shop import Fact, FactKind
from tests.messaging.push_server import Browser
from tests.stories import on, running

NOTE = {
    "title": "Hello {{ contact.first_name }}",
    "text": "The spring is here.",
    "url": "https://shop.example/spring",
    "image_url": "https://shop.example/spring.jpg",
}


def running_push(channel: str, *, language: str = "en", **changes: str) -> Campaign:
    """A campaign that runs and sends one note to everybody who looks at a product."""
    template = {language: NOTE | changes}
    return running(on("viewed"), [{"type": "send", "id": "note", "channel": channel, "template": template}])


def person(customer_id: str = "7", *, agrees_to: str = "", first_name: str = "Ann", **columns: str) -> Contact:
    """A customer who agreed to advertisements on the channel."""
    contact = contacts.get_or_create(Person(customer_id, f"c{customer_id}@example.com"))
    for name, value in {"first_name": first_name, **columns}.items():
        setattr(contact, name, value)
    contact.save()
    if agrees_to:
        contacts.set_consent(contact.pk, channel=agrees_to, is_granted=True, source="test")
    return contact


def subscribed(contact: Contact, browser: Browser) -> Endpoint:
    """The browser is a device of the contact."""
    return contacts.add_endpoint(contact.pk, channel="web_push", address=browser.address, keys=browser.keys)


def look_at_something(contact: Contact | None = None, *, visitor_id: str = "") -> None:
    """Let the contact, or who is behind a browser, look at a product, and everything follow from it."""
    product = uuid4()
    activity.record(
        Fact(
            kind=FactKind.VIEWED,
            source_key=f"view:{product.hex}",
            occurred_at=clock.now(),
            customer_id=(contact and contact.customer_id) or "",
            email=(contact and contact.email) or "",
            visitor_id=visitor_id,
            product_id=str(product.int % 10**6),
            shop_channel="default",
        )
    )
    pipeline.pump()
    pipeline.deliver()


def envelope(*devices: Endpoint, **changes: Any) -> Envelope:
    """A finished note for these devices; ``changes`` are of the note, or of the envelope."""
    note = {"title": "Hello", "text": "The spring is here.", "url": "https://shop.example/crm/click/x/"}
    of_note = {name: changes.pop(name) for name in ("title", "text", "url", "image_url") if name in changes}
    return Envelope(
        public_id=changes.pop("public_id", uuid4()),
        recipient="device",
        sender=Sender(name="The Shop"),
        content=Notification(**(note | of_note)),
        endpoints=devices,
        **changes,
    )


def device(browser: Browser) -> Endpoint:
    """A device as the channel gets it, not stored."""
    return Endpoint(channel="web_push", address=browser.address, keys=browser.keys)


def result_of(receipts: Sequence[Any]) -> str:
    """The one result."""
    (receipt,) = receipts
    return str(receipt.result)
