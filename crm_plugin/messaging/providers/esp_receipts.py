"""What e-mail service providers call back to say, read by Anymail's own webhook views but without its signals.

Anymail proves where a call comes from (a signature, or HTTP basic auth by its setting ``WEBHOOK_SECRET``) and brings
thirteen providers' events to one vocabulary. What is added here: calls are refused when nothing proves them, a bounce
is hard only when the address is to blame for good, and what we track ourselves (opens, clicks) is ignored.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from importlib import import_module
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest

from crm_plugin.contacts import ChannelKind
from crm_plugin.messaging.models import ReceiptKind
from crm_plugin.messaging.providers.esp import METADATA_KEY
from crm_plugin.messaging.providers.refusals import Forged, UnknownProvider, Unreadable
from crm_plugin.messaging.receipts import Told

#: By the name in our address: Anymail's module and view.
ESP_VIEWS: Final[Mapping[str, str]] = {
    "amazon_ses": "AmazonSESTrackingWebhookView",
    "brevo": "BrevoTrackingWebhookView",
    "mailersend": "MailerSendTrackingWebhookView",
    "mailgun": "MailgunTrackingWebhookView",
    "mailjet": "MailjetTrackingWebhookView",
    "mailtrap": "MailtrapTrackingWebhookView",
    "mandrill": "MandrillCombinedWebhookView",
    "postal": "PostalTrackingWebhookView",
    "postmark": "PostmarkTrackingWebhookView",
    "resend": "ResendTrackingWebhookView",
    "sendgrid": "SendGridTrackingWebhookView",
    "sparkpost": "SparkPostTrackingWebhookView",
    "unisender_go": "UnisenderGoTrackingWebhookView",
}
_Raw = Mapping[str, Any]
#: Its classes of bounces that are undetermined, soft, or of a whole domain.
_SPARKPOST_SOFT: Final = frozenset({"1", "20", "21", "22", "23", "24", "40", "70"})
#: Where a provider says that a bounce may pass; Anymail calls both bounces the same.
_SAYS_SOFT: Final[Mapping[str, Callable[[_Raw], bool]]] = {
    "amazon_ses": lambda raw: raw.get("bounce", {}).get("bounceType") != "Permanent",
    "brevo": lambda raw: raw.get("event") == "soft_bounce",
    "mailersend": lambda raw: raw.get("type") == "activity.soft_bounced",
    "mailgun": lambda raw: raw.get("event-data", {}).get("reason") in {"generic", "old", "espblock"},
    "mailjet": lambda raw: not raw.get("hard_bounce", False),
    "mandrill": lambda raw: raw.get("event") == "soft_bounce",
    "postmark": lambda raw: raw.get("Type") == "SoftBounce",
    "resend": lambda raw: raw.get("data", {}).get("bounce", {}).get("type", "Permanent") != "Permanent",
    "sendgrid": lambda raw: raw.get("type") == "blocked",
    "sparkpost": lambda raw: any(
        str(event.get("bounce_class")) in _SPARKPOST_SOFT for event in raw.get("msys", {}).values()
    ),
    "unisender_go": lambda raw: "soft" in str(raw.get("event_data", {}).get("status", "")),
}
#: RFC 3463: class, subject and detail of an answer of a mail server.
_ENHANCED: Final = re.compile(r"\b([45])\.(\d{1,3})\.(\d{1,3})\b")
_DIRECT: Final = {
    "delivered": ReceiptKind.DELIVERED,
    "complained": ReceiptKind.COMPLAINT,
    "unsubscribed": ReceiptKind.UNSUBSCRIBED,
    "failed": ReceiptKind.UNDELIVERED,
}
#: Why a provider, or a mail server, refuses an address for good.
_DEAD: Final = frozenset({"invalid", "bounced"})


def read_esp_receipts(esp: str, request: HttpRequest) -> list[Told]:
    """Return what a provider's call says of messages; empty: nothing that matters.

    Args:
        esp: the provider, as a key of ``ESP_VIEWS``.
        request: the call, unread.

    Raises:
        UnknownProvider: there is none of this name, or it is not set up; says what is missing.
        Forged: nothing proves that the provider calls.
        Unreadable: it is not what the provider's documentation says.
    """
    view = _view_of(esp)
    return [told for event in _events(view, request) for told in _told(esp, event)]


def _view_of(esp: str) -> Any:
    if esp not in ESP_VIEWS:
        raise UnknownProvider(f"No e-mail provider is called {esp!r}.")
    try:
        with warnings.catch_warnings():  # said below, where it matters
            warnings.simplefilter("ignore")
            view = getattr(import_module(f"anymail.webhooks.{esp}"), ESP_VIEWS[esp])()
    except (ImportError, ImproperlyConfigured) as error:
        raise UnknownProvider(f"{esp} is not set up: {error}") from error
    if view.warn_if_no_basic_auth and not view.basic_auth:
        message = "Anybody could call: set WEBHOOK_SECRET in ANYMAIL, or the provider's signing key."
        raise UnknownProvider(f"{esp} is not set up. {message}")
    return view


def _events(view: Any, request: HttpRequest) -> list[Any]:
    from anymail.exceptions import AnymailAPIError, AnymailWebhookValidationFailure  # noqa: PLC0415 - an extra

    try:
        view.run_validators(request)
    except AnymailAPIError as error:
        raise Unreadable(str(error)) from error
    except Exception as error:
        # A signature may be missing, wrong, or of a form that cannot even be compared.
        raise Forged(str(error)) from error
    try:
        events: list[Any] = view.parse_events(request)
    except AnymailWebhookValidationFailure as error:
        raise Forged(str(error)) from error
    except Exception as error:
        # Anymail reads fields as the documentation has them; what else comes in fails in any way.
        raise Unreadable(f"{view.esp_name}: {error!r}"[:500]) from error
    return events


def _told(esp: str, event: Any) -> Iterator[Told]:
    message_id = getattr(event, "message_id", None)
    public_id = _public_id(getattr(event, "metadata", None))
    at = event.timestamp if isinstance(event.timestamp, datetime) and event.timestamp.tzinfo else None
    words = (getattr(event, name, None) for name in ("description", "mta_response"))
    for kind in _kinds(esp, event):
        yield Told(
            channel=ChannelKind.EMAIL,
            kind=kind,
            provider_id=public_id or str(message_id or ""),
            event_id=str(event.event_id or ""),
            address=str(getattr(event, "recipient", None) or ""),
            detail=" ".join(str(word) for word in words if word)[:500],
            occurred_at=at,
        )


def _public_id(metadata: object) -> str:
    """Return our id of the message, which we gave the provider with it."""
    value = metadata.get(METADATA_KEY) if isinstance(metadata, Mapping) else None
    try:
        return str(UUID(str(value))) if value else ""
    except ValueError:
        return ""


def _kinds(esp: str, event: Any) -> Iterator[ReceiptKind]:
    """Return what an event means; nothing for what will be followed by another event, and for opens and clicks.

    Subscriptions are ignored: some providers tell it when an operator adds an address to a list of theirs.
    """
    match event.event_type:
        case "bounced":
            yield _bounce(esp, event)
        case "rejected" if event.reject_reason in _DEAD:
            yield ReceiptKind.HARD_BOUNCE
        case "rejected":
            yield ReceiptKind.UNDELIVERED
            if event.reject_reason in {"unsubscribed", "spam"}:
                yield ReceiptKind.UNSUBSCRIBED
        case known if known in _DIRECT:
            yield _DIRECT[known]
        case _:
            return


def _bounce(esp: str, event: Any) -> ReceiptKind:
    code = _ENHANCED.search(f"{event.mta_response or ''} {event.description or ''}")
    raw = event.esp_event if isinstance(event.esp_event, Mapping) else {}
    says_soft = _SAYS_SOFT.get(esp)
    match code.groups() if code else ():
        case ("4", _, _) | ("5", "2", "2"):  # 5.2.2: the mailbox is full
            return ReceiptKind.SOFT_BOUNCE
        case ("5", "7", _):  # policy: the address may be fine
            return ReceiptKind.UNDELIVERED
        case _ if event.reject_reason == "timed_out" or (says_soft is not None and says_soft(raw)):
            return ReceiptKind.SOFT_BOUNCE
        case _:
            is_dead = event.reject_reason in {None, *_DEAD} or esp == "resend"
            return ReceiptKind.HARD_BOUNCE if is_dead else ReceiptKind.UNDELIVERED


__all__ = ["ESP_VIEWS", "read_esp_receipts"]
