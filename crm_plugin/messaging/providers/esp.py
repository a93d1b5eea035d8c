"""E-mail service providers reached through django-anymail: which one is set up, and what its errors mean.

Anymail is an extra; nothing here imports it before a backend of it is in use.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests
from django.conf import settings as django_settings
from django.core.mail.backends.base import BaseEmailBackend
from django.utils.module_loading import import_string
from urllib3.exceptions import MaxRetryError, NewConnectionError

from crm_plugin import clock
from crm_plugin.conf import settings
from crm_plugin.messaging.calling import wait_asked_for
from crm_plugin.messaging.channels import HandOut, Receipt

#: Under this name a provider is given our id of a message, and gives it back in its receipts.
METADATA_KEY = "crm_message"
#: The account, not the message, is refused: a wrong key, no credit, a sender that is not confirmed.
_ACCOUNT = frozenset({401, 402, 403, 407})
#: A moment ago it was busy, with this or another message.
_PASSING = frozenset({408, 409, 425})
#: What Anymail calls a message that a provider did not take.
_FAILED = frozenset({"failed", "invalid", "rejected"})


def esp_set_up() -> str:
    """Return Anymail's name of the provider that campaigns go through; empty: SMTP or another backend."""
    path = settings().email_backend or django_settings.EMAIL_BACKEND
    try:
        return esp_of(import_string(path))
    except ImportError:
        return ""  # the connection will say so, in its own words


def esp_of(backend: BaseEmailBackend | type[BaseEmailBackend] | None) -> str:
    """Return Anymail's name of the provider of a backend; empty: it is none of Anymail's."""
    name = getattr(backend, "esp_name", "")
    return name if isinstance(name, str) else ""


def read_status(
    status: int, detail: str, *, headers: Mapping[str, str] | None = None, refused: HandOut = HandOut.REJECTED
) -> Receipt:
    """Return what the status of an answer says of a message.

    Args:
        status: of HTTP; a good one means that the answer itself could not be read.
        detail: the provider's words.
        headers: of the answer, for Retry-After.
        refused: what it means that the message is refused.
    """
    wait = retry_seconds(headers or {})
    match status:
        case 429:
            return Receipt(HandOut.LATER, detail, retry_seconds=wait)
        case _ if status in _ACCOUNT:
            return Receipt(HandOut.LATER, detail, retry_seconds=wait)
        case _ if status in _PASSING or (status >= 500 and status != 504):
            return Receipt(HandOut.RETRY, detail, retry_seconds=wait)
        case _ if 400 <= status < 500:
            return Receipt(refused, detail)
        case _:
            # Somebody between us and the provider gave up waiting (504), or it was taken but the answer is garbled.
            return Receipt(HandOut.LOST, detail)


def retry_seconds(headers: Mapping[str, str]) -> float | None:
    """Return how long a provider asks to wait; None when it does not say."""
    wait = wait_asked_for(headers.get("Retry-After", ""), now=clock.now()).total_seconds()
    return wait if wait > 0 else None


def read_transport(error: requests.RequestException) -> Receipt:
    """Return what became of a message when the connection to the provider failed."""
    detail = repr(error)[:500]
    return Receipt(HandOut.LATER if _never_connected(error) else HandOut.LOST, detail)


def _never_connected(error: requests.RequestException) -> bool:
    if isinstance(error, (requests.ConnectTimeout, requests.exceptions.ProxyError)):
        return True
    if isinstance(error, requests.exceptions.SSLError):
        return "CERTIFICATE_VERIFY_FAILED" in repr(error)  # other trouble with TLS may come after the message
    cause = error.args[0] if error.args else None
    reason = cause.reason if isinstance(cause, MaxRetryError) else cause
    return isinstance(reason, NewConnectionError)


def read_error(error: Exception) -> Receipt | None:
    """Return what an exception of Anymail says about a message; None when it is none of Anymail's."""
    from anymail import exceptions  # noqa: PLC0415 - an extra; the caller has a backend of it

    detail = str(error)[:500]
    match error:
        case exceptions.AnymailRecipientsRefused():
            return Receipt(HandOut.ADDRESS_REFUSED, detail)
        case (
            exceptions.AnymailInvalidAddress()
            | exceptions.AnymailUnsupportedFeature()
            | exceptions.AnymailSerializationError()
        ):
            return Receipt(HandOut.REJECTED, detail)  # nothing has left yet
        case exceptions.AnymailAPIError() if (status := _status_of(error)) is not None:
            response = getattr(error, "response", None)
            return read_status(status, detail, headers=getattr(response, "headers", None))
        case exceptions.AnymailAPIError() if isinstance(error.__cause__, requests.RequestException):
            return read_transport(error.__cause__)
        case exceptions.AnymailAPIError():
            return Receipt(HandOut.LOST, detail)
        case _:
            return None


def _status_of(error: Exception) -> int | None:
    """Return the status of the answer, where Anymail or the client below it (Amazon's) says it."""
    status = getattr(error, "status_code", None)
    answer = getattr(error.__cause__, "response", None)
    if status is None and isinstance(answer, dict):
        status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status if isinstance(status, int) else None


def read_taken(message: Any) -> Receipt:
    """Return what Anymail left on a message that it handed out without an error."""
    status = getattr(message, "anymail_status", None)
    states = getattr(status, "status", None) or set()
    if states and states <= _FAILED:
        return Receipt(HandOut.REJECTED, f"The provider said: {', '.join(sorted(states))}.")
    return Receipt(HandOut.SENT, provider_id=str(getattr(status, "message_id", None) or ""))


__all__ = [
    "METADATA_KEY",
    "esp_of",
    "esp_set_up",
    "read_error",
    "read_status",
    "read_taken",
    "read_transport",
    "retry_seconds",
]
