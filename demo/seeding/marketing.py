"""The merchant's side: what the CRM learns from the shop's history, consents, settings, and the campaign that runs."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from crm_plugin import automations, contacts, merchant, messaging, pipeline
from crm_plugin.contacts import ChannelKind, Person
from demo.accounts import BOUNCE_EMAIL
from demo.seeding.people import People

RECIPE = "liked_price_drop"
CAMPAIGN_NAME = "Liked product: price drop"
CONSENT_TEXT = "You get this mail because you asked for news from Maru & Moss."
#: Most people said yes to news; the rest shows that nobody else is written to.
CONSENT_SHARE = 0.8
#: For those whom the mail does not reach.
TEXT_MESSAGE = {
    "en": {"form": "sms", "text": "{{ items[0].name }} costs {{ items[0].price }} now: {{ items[0].url }}"},
    "ko": {"form": "sms", "text": "{{ items[0].name }} {{ items[0].price }} {{ items[0].url }}"},
}
#: A demo does not wait a minute for further price changes, as a real shop's campaign does.
SETTLE_SECONDS = 1
#: One is enough on most machines.
MANY_LOOKS = 50


def fill_settings() -> None:
    """Write what a merchant has to say before anything may be sent."""
    merchant.update(
        sender_name="Maru & Moss",
        sender_email="hello@maru-moss.example",
        reply_to="hello@maru-moss.example",
        postal_address="12 Seochon-ro, Jongno-gu, Seoul 03035, Korea",
        default_language="en",
        languages=["en", "ko"],
        consent_text=CONSENT_TEXT,
        sms_sender="Maru+Moss",
        sms_refusal_number="080-000-2026",
        prices={"sms": "0.07"},
        price_currency="EUR",
        # The story is over in minutes: what a reader would get on several days must not keep back the next part.
        caps=[{"channel": "email", "count": 4, "hours": 16}],
    )


def learn_history(*, say: Callable[[str], None]) -> int:
    """Let the CRM read the shop's history; return how many facts it found."""
    told: dict[str, int] = {}

    def progress(stream: str, count: int) -> None:
        told[stream] = told.get(stream, 0) + count

    total = pipeline.backfill(progress)
    for _ in range(MANY_LOOKS):
        if not pipeline.pump():
            break
    say(", ".join(f"{count} {stream}" for stream, count in told.items() if count))
    return total


def ask_for_consent(chance: Random, *, people: People) -> int:
    """Grant e-mail consent for most customers, and for those of the story; return for how many."""
    agreed = [*people.cast, *(user for user in people.others if chance.random() < CONSENT_SHARE)]
    for user in agreed:
        contact = contacts.get_or_create(Person(str(user.pk), contacts.normalize_email(user.email)))
        contacts.set_consent(
            contact.pk, channel=ChannelKind.EMAIL, is_granted=True, source="sign-up form", text_version="2026-01"
        )
    reachable = next(user for user in people.cast if user.email == BOUNCE_EMAIL)
    contact = contacts.get_or_create(Person(str(reachable.pk), contacts.normalize_email(reachable.email)))
    contacts.set_consent(contact.pk, channel=ChannelKind.SMS, is_granted=True, source="sign-up form")
    return len(agreed)


def publish_campaign() -> int:
    """Create the price-drop campaign from its recipe and publish it; return its id."""
    definition = automations.recipe(RECIPE)
    definition["trigger"]["settle_seconds"] = SETTLE_SECONDS
    for step in definition["steps"]:
        if step["type"] == "send" and not messaging.missing_provider(ChannelKind.SMS):
            step["fallbacks"] = [{"channel": "sms", "template": TEXT_MESSAGE}]
    campaign = automations.create_campaign(name=CAMPAIGN_NAME, definition=definition)
    return automations.publish(campaign.pk).pk
