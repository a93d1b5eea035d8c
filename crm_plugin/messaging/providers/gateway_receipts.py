"""What a merchant's own gateway tells: signed as it is written to (Standard Webhooks, the merchant's secret)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

from django.http import HttpRequest
from django.utils.crypto import constant_time_compare
from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from crm_plugin import clock, merchant
from crm_plugin.conf import settings
from crm_plugin.contacts import ChannelKind, normalize_phone
from crm_plugin.messaging.calling import signature
from crm_plugin.messaging.models import ReceiptKind
from crm_plugin.messaging.providers.answers import read_answer
from crm_plugin.messaging.providers.refusals import Forged, UnknownProvider, Unreadable
from crm_plugin.messaging.receipts import Told
from crm_plugin.money import Money

#: How far the clock of a call may be from ours (Standard Webhooks, "Verifying webhook authenticity").
TOLERANCE_SECONDS: Final = 300


class _Receipt(BaseModel):
    """One receipt: of a message, or of an address (``from``) with a ``kind`` or the ``text`` that a person answered."""

    id: str = Field("", max_length=200)
    message: str = Field("", max_length=200)
    channel: Literal["sms", "kakao"] = "sms"
    kind: ReceiptKind | None = None
    sender: str = Field("", alias="from", max_length=40)
    text: str = ""
    detail: str = ""
    occurred_at: AwareDatetime | None = None
    cost: Decimal | None = Field(None, ge=0)
    currency: str = Field("", pattern=r"^([A-Z]{3})?$")


class _Data(BaseModel):
    receipts: list[_Receipt]


class _Call(BaseModel):
    data: _Data


def read(request: HttpRequest) -> list[Told]:
    """Return what a call of the gateway tells."""
    if not settings().gateway_url:
        raise UnknownProvider("gateway")
    body = request.body
    if not _is_genuine(request, body):
        raise Forged("The signature is not made with the merchant's secret.")
    try:
        call = _Call.model_validate_json(body)
    except ValidationError as error:
        raise Unreadable("Not receipts of a gateway.") from error
    return [told for receipt in call.data.receipts for told in _told(receipt)]


def _is_genuine(request: HttpRequest, body: bytes) -> bool:
    call_id, stamp = request.headers.get("webhook-id", ""), request.headers.get("webhook-timestamp", "")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) < 12):
        return False
    if abs(int(stamp) - clock.now().timestamp()) > TOLERANCE_SECONDS:
        return False
    shown = request.headers.get("webhook-signature", "").split()[:10]
    ours = [signature(one, call_id=call_id, timestamp=int(stamp), body=body) for one in merchant.webhook_secrets()]
    return any(constant_time_compare(one, mine) for one in shown for mine in ours)


def _told(receipt: _Receipt) -> Iterator[Told]:
    kind = receipt.kind or read_answer(receipt.text)
    address = normalize_phone(receipt.sender, country=merchant.load().country) if receipt.sender else ""
    if kind is None or not (receipt.message or address):
        return
    at: datetime | None = receipt.occurred_at
    yield Told(
        channel=ChannelKind(receipt.channel),
        kind=kind,
        provider_id=receipt.message,
        event_id=receipt.id,
        address=address,
        detail=receipt.detail or ("Answered by text message." if receipt.text else ""),
        occurred_at=at or (None if receipt.message else clock.now()),
        cost=Money(receipt.cost, receipt.currency) if receipt.cost is not None and receipt.currency else None,
    )
