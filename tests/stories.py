"""Ingredients of stories that several tests tell: definitions, a merchant, a campaign that runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crm_plugin import automations, contacts, merchant
from crm_plugin.contacts import Contact, Person
from crm_plugin.models import Campaign

CONTENT = {
    "subject": "{{ items[0].name | default: 'News' }} for {{ contact.first_name | default: 'you' }}",
    "preheader": "",
    "mjml": (
        "<mjml><mj-body><mj-section><mj-column><mj-text>"
        "{% for item in items %}<a href='{{ item.url }}'>{{ item.name }}: {{ item.price }}</a> {% endfor %}"
        "<a href='{{ unsubscribe_url }}'>Unsubscribe</a>"
        "</mj-text></mj-column></mj-section></mj-body></mjml>"
    ),
    "text": "{% for item in items %}{{ item.name }}: {{ item.price }}\n{% endfor %}{{ unsubscribe_url }}",
}
#: What a person's browser calls itself; a click without it is a scanner's.
BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36"
PRICE_DROP = {"type": "price_drop", "settle_seconds": 0}


def send(id: str = "mail", **more: Any) -> dict[str, Any]:
    """A Send step."""
    return {"type": "send", "id": id, "template": {"en": CONTENT}, **more}


def wait(id: str = "pause", *, seconds: int = 3600) -> dict[str, Any]:
    """A Wait step."""
    return {"type": "wait", "id": id, "seconds": seconds}


def on(activity: str, *, reentry: str = "per_subject") -> dict[str, Any]:
    """A trigger that starts when the person did something."""
    return {"type": "activity", "activity": activity, "reentry": reentry}


def definition(
    trigger: dict[str, Any] | None = None, steps: Sequence[dict[str, Any]] = (), **more: Any
) -> dict[str, Any]:
    """A definition: a price drop sends one mail unless told otherwise."""
    return {"trigger": trigger or PRICE_DROP, "steps": list(steps) or [send()], **more}


def open_shop(**changes: Any) -> None:
    """Fill in what a merchant has to; no frequency cap unless asked for."""
    row = merchant.load()
    values = {
        "sender_name": "The Shop",
        "sender_email": "news@shop.example",
        "postal_address": "1 Street, Town",
        "consent_text": "You agreed to this.",
        "caps": [],
        **changes,
    }
    for name, value in values.items():
        setattr(row, name, value)
    row.save()


def running(trigger: dict[str, Any] | None = None, steps: Sequence[dict[str, Any]] = (), **more: Any) -> Campaign:
    """A published campaign of a merchant who has filled in what is needed."""
    open_shop()
    period = {name: more.pop(name) for name in ("starts_at", "ends_at") if name in more}
    campaign = automations.create_campaign(name="Test", definition=definition(trigger, steps, **more), **period)
    return automations.publish(campaign.pk)


def consenting(customer_id: str, email: str = "") -> Contact:
    """A contact who agreed to marketing e-mail."""
    contact = contacts.get_or_create(Person(customer_id, email))
    contacts.set_consent(contact.pk, channel="email", is_granted=True, source="test")
    return contact
