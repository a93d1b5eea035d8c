"""Fixtures of the messaging room: a merchant, templates, people, and messages on their way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from crm_plugin import clock, contacts, merchant, messaging
from crm_plugin.contacts import Contact, Person
from crm_plugin.merchant import Merchant
from crm_plugin.messaging import Delivered, Draft, Go, Item, MessageClass, TemplateSource, Verdict
from crm_plugin.models import Campaign, CampaignVersion, Enrollment, Message
from tests.fake_catalogue import FakeProduct
from tests.fake_shop import FakeShop

MJML = (
    "<mjml><mj-body>"
    "<mj-section><mj-column><mj-text>Hello {{ contact.first_name }}</mj-text></mj-column></mj-section>"
    "{% for item in items %}<mj-section><mj-column>"
    '<mj-button href="{{ item.url }}">{{ item.name }}: {{ item.price }}</mj-button>'
    "</mj-column></mj-section>{% endfor %}"
    '<mj-section><mj-column><mj-text><a href="{{ unsubscribe_url }}">Out</a> {{ sender.name }}</mj-text></mj-column>'
    "</mj-section></mj-body></mjml>"
)
CONTENT = {
    "subject": "News for {{ contact.first_name }}",
    "preheader": "",
    "mjml": MJML,
    "text": "{% for item in items %}{{ item.name }}: {{ item.price }} {{ item.url }}\n{% endfor %}"
    "{{ unsubscribe_url }}",
}


def content(**changes: str) -> dict[str, str]:
    """A content that is fine, with changes."""
    return CONTENT | changes


def korean(**changes: str) -> dict[str, str]:
    """A content that Korean law allows as an advertisement, with changes."""
    text = CONTENT["text"] + " {{ sender.name }} {{ consent_text }}"
    return content(text=text, mjml=MJML.replace("Out</a>", "수신거부</a> {{ consent_text }}"), **changes)


def item_of(product: FakeProduct, *, baseline: str | None = None, limit: str | None = None) -> Item:
    """An item about a whole product of the fake shop."""
    stored = {"product_id": product.product_id, "shop_channel": "default", "currency": "EUR"}
    return Item.from_json(stored | {"baseline": baseline, "limit": limit})


@pytest.fixture
def us(fake_shop: FakeShop) -> Merchant:
    """The merchant, without a frequency cap."""
    row = merchant.load()
    row.sender_name, row.sender_email = "The Shop", "news@shop.example"
    row.postal_address, row.consent_text = "1 Street, Town", "You agreed to this."
    row.caps = []
    row.save()
    return row


@pytest.fixture
def make_contact(us: Merchant) -> Callable[..., Contact]:
    """Make a contact who agreed to marketing e-mail, unless told otherwise."""

    def make(email: str = "ann@example.com", *, agrees: bool = True, **fields: Any) -> Contact:
        contact = contacts.get_or_create(Person(email=email))
        for name, value in ({"first_name": "Ann"} | fields).items():
            setattr(contact, name, value)
        contact.save()
        if agrees:
            contacts.set_consent(contact.pk, channel="email", is_granted=True, source="test")
        return contact

    return make


@pytest.fixture
def queue(make_contact: Callable[..., Contact]) -> Callable[..., Message]:
    """Put a message into the outbox for a contact, who is made when not given."""
    now = clock.now()
    campaign = Campaign.objects.create(name="Test", draft={}, created_at=now, updated_at=now)
    version = CampaignVersion.objects.create(campaign=campaign, number=1, definition={}, published_at=now)

    def put(
        contact: Contact | None = None,
        *,
        template: dict[str, Any] | None = None,
        message_class: str = "marketing",
        stale_after: timedelta = timedelta(hours=48),
    ) -> Message:
        contact = contact or make_contact()
        at = clock.now()
        count = Enrollment.objects.count()
        enrollment = Enrollment.objects.create(
            campaign=campaign, version=version, contact=contact, epoch=count, lane=f"run:{count}", entered_at=at
        )
        source = TemplateSource.parse(template or {"en": CONTENT})
        draft = Draft(
            contact_id=contact.pk,
            enrollment_id=enrollment.pk,
            campaign_id=campaign.pk,
            template_id=messaging.save_template(source, message_class=MessageClass(message_class)),
            step_id="mail",
            channel="email",
            message_class=message_class,
            due_at=at,
            stale_at=at + stale_after,
        )
        messaging.enqueue([draft])
        return Message.objects.get(enrollment=enrollment)

    return put


@pytest.fixture
def deliver() -> Callable[..., list[Delivered]]:
    """Claim what is due and deliver it; returns what became final."""

    def run(*items: Item, verdict: Verdict | None = None) -> list[Delivered]:
        outcomes: list[Delivered] = []

        def keep(some: Sequence[Delivered]) -> None:
            outcomes.extend(some)

        claimed = messaging.claim(100)
        verdicts = {one.message_id: verdict or Go(items) for one in claimed}
        messaging.deliver(claimed, verdicts=verdicts, on_outcomes=keep)
        return outcomes

    return run
