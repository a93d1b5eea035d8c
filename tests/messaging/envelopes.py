"""A finished mail in its envelope, with changes: for tests of the e-mail channel and of providers."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from crm_plugin.messaging.channels import Envelope, Sender
from crm_plugin.messaging.finished import Mail

_MAIL = {
    "subject": "News",
    "preheader": "",
    "text": "Hello\nyou\n",
    "html": "<p>Hello</p>",
    "unsubscribe_url": "https://shop.example/crm/unsubscribe/" + "t" * 90 + "/",
}
_SENDER = {"sender_name": "The Shop", "sender_email": "news@shop.example", "reply_to": ""}


def envelope(**changes: Any) -> Envelope:
    """Return one; ``number`` and ``recipient`` tell several apart."""
    mail = Mail(**_MAIL | {name: value for name, value in changes.items() if name in _MAIL})
    sender = _SENDER | {name: value for name, value in changes.items() if name in _SENDER}
    return Envelope(
        public_id=UUID(int=changes.get("number", 7)),
        recipient=changes.get("recipient", "ann@example.com"),
        sender=Sender(name=sender["sender_name"], email=sender["sender_email"], reply_to=sender["reply_to"]),
        content=mail,
        is_marketing=bool(mail.unsubscribe_url),
    )
