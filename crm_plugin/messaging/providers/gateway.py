"""A merchant's own gateway: each batch as signed JSON (Standard Webhooks), one answer for each message.

The format is in ``docs/providers.md``. The gateway must take a message that is offered again (same ``id``) only once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final, Literal

from pydantic import BaseModel, Field, ValidationError

from crm_plugin import clock, merchant
from crm_plugin.conf import settings
from crm_plugin.contacts import ChannelKind
from crm_plugin.messaging import calling
from crm_plugin.messaging.calling import Answer
from crm_plugin.messaging.channels import ChannelDown, Envelope, HandOut, Receipt
from crm_plugin.messaging.finished import KakaoMessage, TextMessage
from crm_plugin.money import Money

_ASK_TO_WAIT: Final = (429, 503)


class _Said(BaseModel):
    """The gateway's answer about one message."""

    id: str
    result: Literal["sent", "retry", "later", "address_refused", "rejected"]
    provider_id: str = ""
    detail: str = ""
    retry_seconds: float | None = Field(None, ge=0)
    cost: Decimal | None = Field(None, ge=0)
    currency: str = Field("", pattern=r"^([A-Z]{3})?$")

    @property
    def receipt(self) -> Receipt:
        cost = Money(self.cost, self.currency) if self.cost is not None and self.currency else None
        return Receipt(
            HandOut(self.result),
            self.detail[:500],
            provider_id=self.provider_id[:200],
            retry_seconds=self.retry_seconds,
            cost=cost,
        )


class _Reply(BaseModel):
    messages: list[_Said]


class Gateway:
    """Sends batches to ``CRM_GATEWAY_URL``; a connection is made for each."""

    def open(self) -> None:
        """Look for the address."""
        if not settings().gateway_url:
            raise ChannelDown("CRM_GATEWAY_URL is not set.")

    def close(self) -> None:
        """Nothing stays open."""

    def send(self, envelopes: Sequence[Envelope]) -> Sequence[Receipt]:
        """Post the batch; a message that the answer does not name may have been taken or not."""
        now = clock.now()
        messages = [_written(envelope) for envelope in envelopes]
        payload = {"type": "messages.send", "timestamp": now.isoformat(), "data": {"messages": messages}}
        body = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
        # The same messages offered again are the same call.
        call_id = sha256("".join(str(envelope.public_id) for envelope in envelopes).encode()).hexdigest()[:32]
        headers = calling.headers_of(call_id, body, at=now, secrets=merchant.webhook_secrets())
        return _read(envelopes, calling.post(settings().gateway_url, body, headers, is_read=True, is_operators=True))


def _written(envelope: Envelope) -> Mapping[str, Any]:
    """Return a message as the gateway gets it."""
    common = {
        "id": str(envelope.public_id),
        "to": envelope.recipient,
        "language": envelope.language,
        "is_marketing": envelope.is_marketing,
    }
    match envelope.content:
        case TextMessage() as content:
            return common | {"channel": ChannelKind.SMS, "from": envelope.sender.phone} | asdict(content)
        case KakaoMessage() as content:
            return common | {"channel": ChannelKind.KAKAO, "from": envelope.sender.kakao_key} | asdict(content)
        case _:
            raise TypeError(f"The gateway carries no {type(envelope.content).__name__}.")


def _read(envelopes: Sequence[Envelope], answer: Answer) -> Sequence[Receipt]:
    if answer.is_good:
        return _said(envelopes, answer.body)
    wait = calling.wait_asked_for(answer.retry_after, now=clock.now()).total_seconds() or None
    detail = f"Gateway: {answer.detail}"
    if answer.is_refused or answer.is_unreached:
        raise ChannelDown(detail)
    if answer.status is None:
        result = HandOut.LOST
    elif answer.status in _ASK_TO_WAIT or answer.status < 500:
        # It has an answer for each message; refusing all of them says that something else is wrong.
        raise ChannelDown(detail, retry_seconds=wait)
    else:
        result = HandOut.RETRY
    return [Receipt(result, detail, retry_seconds=wait)] * len(envelopes)


def _said(envelopes: Sequence[Envelope], body: bytes) -> Sequence[Receipt]:
    try:
        reply = _Reply.model_validate_json(body)
    except ValidationError:
        return [Receipt(HandOut.LOST, "The gateway's answer could not be read.")] * len(envelopes)
    said = {one.id: one.receipt for one in reply.messages}
    silent = Receipt(HandOut.LOST, "The gateway said nothing about the message.")
    return [said.get(str(envelope.public_id), silent) for envelope in envelopes]
