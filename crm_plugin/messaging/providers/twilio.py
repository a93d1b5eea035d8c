"""Twilio: text messages to the whole world, one request each, several at a time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal, InvalidOperation
from typing import Final

import requests
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from crm_plugin import clock
from crm_plugin.conf import settings
from crm_plugin.messaging.calling import never_met, wait_asked_for
from crm_plugin.messaging.channels import ChannelDown, Envelope, HandOut, Receipt
from crm_plugin.messaging.finished import TextMessage
from crm_plugin.messaging.providers import PROVIDERS, receipts_url
from crm_plugin.messaging.providers.twilio_codes import NO_SUCH_NUMBER, REFUSED_BY_PERSON
from crm_plugin.money import Money

#: For connecting, and for each silence.
TIMEOUT_SECONDS: Final = 10.0
_OWN_URL: Final = "https://api.twilio.com"
#: What a messaging service's id begins with.
_SERVICE: Final = "MG"
#: The account cannot send at all: credentials, suspension, a wrong account SID.
_ACCOUNT: Final = (401, 402, 403, 404)
#: "Too Many Requests", and a queue at Twilio that is full.
_TOO_MANY_STATUS: Final = 429
_TOO_MANY_CODES: Final = (20429, 21611)


class _NotTaken(Exception):
    """Twilio answered, and did not take the message."""

    def __init__(self, status: int, text: str, retry_after: str) -> None:
        super().__init__(status)
        self.status = status
        self.retry_after = retry_after
        try:
            told = json.loads(text)
        except ValueError:
            told = None
        told = told if isinstance(told, dict) else {}
        code = told.get("code")
        self.code = code if isinstance(code, int) else 0
        self.words = f"{self.code or status} {told.get('message', '')}".strip()[:300]


class _Line(TwilioHttpClient):  # type: ignore[misc]  # a package without type hints
    """The SDK's own client, with limits in time, another address where the operator set one, and Retry-After kept."""

    def request(
        self,
        method: str,
        url: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,  # noqa: FBT001, FBT002 - the SDK's signature
    ) -> Response:
        url = url.replace(_OWN_URL, settings().twilio_url.rstrip("/"), 1)
        answer = super().request(method, url, params, data, headers, auth, TIMEOUT_SECONDS, allow_redirects)
        if not 200 <= answer.status_code < 300:
            raise _NotTaken(answer.status_code, answer.text, answer.headers.get("retry-after", ""))
        return answer


class Twilio:
    """Sends through Twilio's message resource."""

    def __init__(self) -> None:
        self._client: Client | None = None

    def open(self) -> None:
        """Look for the credentials; connections are made when something is sent."""
        conf = settings()
        if not conf.twilio_account_sid or not conf.twilio_auth_token:
            raise ChannelDown("CRM_TWILIO_ACCOUNT_SID and CRM_TWILIO_AUTH_TOKEN are not set.")
        if self._client is None:
            token = conf.twilio_auth_token.get_secret_value()
            self._client = Client(conf.twilio_account_sid, token, http_client=_Line())

    def close(self) -> None:
        """Hang up."""
        client, self._client = self._client, None
        if client is not None:
            client.http_client.session.close()

    def send(self, envelopes: Sequence[Envelope]) -> Sequence[Receipt]:
        """Send the messages side by side; each has its own answer."""
        if self._client is None:
            self.open()
        if not envelopes:
            return []
        address = receipts_url("twilio")  # asks the shop, which a thread of the pool must not
        urls = [f"{address}?message={envelope.public_id}" for envelope in envelopes]
        with ThreadPoolExecutor(max_workers=min(len(envelopes), PROVIDERS["twilio"].batch_size)) as pool:
            return list(pool.map(self._send, envelopes, urls))

    def _send(self, envelope: Envelope, receipts: str) -> Receipt:
        assert self._client is not None  # noqa: S101 - send() says so
        if not isinstance(envelope.content, TextMessage):
            return Receipt(HandOut.REJECTED, "Twilio carries text messages only.")
        sender = settings().twilio_sender or envelope.sender.phone
        if not sender:
            return Receipt(HandOut.LATER, "Neither CRM_TWILIO_SENDER nor the merchant's sms_sender is set.")
        by = {"messaging_service_sid" if sender.startswith(_SERVICE) else "from_": sender}
        try:
            made = self._client.messages.create(
                to=envelope.recipient, body=_text(envelope.content), status_callback=receipts, **by
            )
        except _NotTaken as refusal:
            return _read(refusal)
        except requests.RequestException as error:
            if never_met(error):
                return Receipt(HandOut.LATER, f"Twilio cannot be reached: {error!r}"[:300])
            return Receipt(HandOut.LOST, f"No answer of Twilio: {error!r}"[:300])
        except Exception:  # noqa: BLE001 - an answer that the SDK cannot make sense of
            return Receipt(HandOut.LOST, "Twilio's answer could not be read.")
        if not made.sid:
            return Receipt(HandOut.LOST, "Twilio's answer names no message.")
        return Receipt(HandOut.SENT, provider_id=str(made.sid), cost=_cost(made.price, made.price_unit))


def _text(message: TextMessage) -> str:
    """Return the text; elsewhere than in Korea there are no titles, so one becomes the first line."""
    return f"{message.subject}\n{message.text}" if message.subject else message.text


def _read(refusal: _NotTaken) -> Receipt:
    """Return what a refusal says about the message (Twilio's "Error and Warning Dictionary")."""
    words = f"Twilio: {refusal.words}"
    wait = wait_asked_for(refusal.retry_after, now=clock.now()).total_seconds() or None
    if refusal.status == _TOO_MANY_STATUS or refusal.code in _TOO_MANY_CODES or refusal.status in _ACCOUNT:
        return Receipt(HandOut.LATER, words, retry_seconds=wait)
    if refusal.status >= 500 or refusal.status < 400:
        return Receipt(HandOut.RETRY, words, retry_seconds=wait)
    if refusal.code in NO_SUCH_NUMBER or refusal.code in REFUSED_BY_PERSON:
        return Receipt(HandOut.ADDRESS_REFUSED, words)
    return Receipt(HandOut.REJECTED, words)


def _cost(price: object, unit: object) -> Money | None:
    """Return what Twilio asks for, which it mostly does not know yet when it takes a message."""
    try:
        amount = Decimal(str(price)) if price is not None else None
    except InvalidOperation:
        return None
    return Money(abs(amount), str(unit or "USD")) if amount else None
