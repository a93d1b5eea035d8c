"""What Twilio tells: the status of messages, and answers of people. Each call is signed with the auth token."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest, QueryDict
from twilio.request_validator import RequestValidator

from crm_plugin import shop
from crm_plugin.conf import settings
from crm_plugin.contacts import ChannelKind, normalize_phone
from crm_plugin.messaging.models import ReceiptKind
from crm_plugin.messaging.providers.answers import read_answer
from crm_plugin.messaging.providers.refusals import Forged, UnknownProvider, Unreadable
from crm_plugin.messaging.providers.twilio_codes import NO_SUCH_NUMBER, REFUSED_BY_PERSON
from crm_plugin.messaging.receipts import Told

_ARRIVED: Final = ("delivered", "read")
_LOST: Final = ("undelivered", "failed")
#: What Twilio's "Advanced Opt-Out" made of an answer, in any language it was set up for.
_OPT_OUT: Final = {"STOP": ReceiptKind.UNSUBSCRIBED, "START": ReceiptKind.RESUBSCRIBED}


def read(request: HttpRequest) -> list[Told]:
    """Return what a call of Twilio tells."""
    token = settings().twilio_auth_token.get_secret_value()
    if not token:
        raise UnknownProvider("twilio")
    try:
        fields = QueryDict(request.body, encoding="utf-8")
    except ValueError as error:  # too many fields, or not a form
        raise Unreadable("Not a form.") from error
    if not RequestValidator(token).validate(_called(request), fields, request.headers.get("X-Twilio-Signature", "")):
        raise Forged("The signature is not Twilio's.")
    if not (sid := fields.get("MessageSid") or fields.get("SmsSid")):
        raise Unreadable("It names no message.")
    if fields.get("From") and fields.get("Body") is not None:
        return _answer(fields, sid)
    return _status(fields, sid, ours=request.GET.get("message", ""))


def _called(request: HttpRequest) -> str:
    """Return the address as Twilio was given it: what a proxy made of it does not matter."""
    query = request.META.get("QUERY_STRING", "")
    return f"{shop.current().operator().public_url}receipts/twilio/{f'?{query}' if query else ''}"


def _status(fields: QueryDict, sid: str, *, ours: str) -> list[Told]:
    status = fields.get("MessageStatus") or fields.get("SmsStatus") or ""
    return [
        Told(
            channel=ChannelKind.SMS,
            kind=kind,
            # Our own id was in the address: it is known before Twilio's answer to the sending is.
            provider_id=ours or sid,
            event_id=f"{sid}:{status}",
            detail=f"{status} {fields.get('ErrorCode', '')} {fields.get('ErrorMessage', '')}".strip(),
        )
        for kind in _kinds(status, fields.get("ErrorCode", ""))
    ]


def _kinds(status: str, error: str) -> tuple[ReceiptKind, ...]:
    if status in _ARRIVED:
        return (ReceiptKind.DELIVERED,)
    if status not in _LOST:
        return ()
    code = int(error) if error.isascii() and error.isdigit() and len(error) < 10 else 0
    if code in REFUSED_BY_PERSON:
        return (ReceiptKind.UNDELIVERED, ReceiptKind.UNSUBSCRIBED)
    return (ReceiptKind.HARD_BOUNCE if code in NO_SUCH_NUMBER else ReceiptKind.UNDELIVERED,)


def _answer(fields: QueryDict, sid: str) -> list[Told]:
    kind = _OPT_OUT.get(fields.get("OptOutType", "")) or read_answer(fields.get("Body", ""))
    address = normalize_phone(str(fields["From"]))
    if kind is None or not address:
        return []
    said = Told(
        channel=ChannelKind.SMS,
        kind=kind,
        address=address,
        event_id=sid,
        detail="Answered by text message.",
    )
    return [said]
