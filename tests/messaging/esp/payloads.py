"""Calls as the providers' documentation shows them, about the message that is named."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

SIGNING_KEY = "key-of-mailgun"
SECRET = "crm:secret-of-webhooks"
SVIX_SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()

BASIC = {"Authorization": "Basic " + base64.b64encode(SECRET.encode()).decode()}
ANYMAIL = {"WEBHOOK_SECRET": SECRET, "MAILGUN_WEBHOOK_SIGNING_KEY": SIGNING_KEY}


def postmark(kind: str, public_id: str = "", **changes: Any) -> dict[str, Any]:
    """https://postmarkapp.com/developer/webhooks/webhooks-overview"""
    base = {
        "MessageID": "00000000-0000-0000-0000-000000000000",
        "ServerID": 23,
        "MessageStream": "broadcast",
        "Tag": "",
        "Metadata": {"crm_message": public_id} if public_id else {},
    }
    events: Mapping[str, dict[str, Any]] = {
        "delivery": {
            "RecordType": "Delivery",
            "Recipient": "ann@example.com",
            "DeliveredAt": "2026-01-05T10:00:00Z",
            "Details": "Test delivery webhook details",
        },
        "bounce": {
            "RecordType": "Bounce",
            "ID": 42,
            "Type": "HardBounce",
            "TypeCode": 1,
            "Name": "Hard bounce",
            "Description": "The server was unable to deliver your message (ex: unknown user, mailbox not found).",
            "Details": "smtp;550 5.1.1 The email account that you tried to reach does not exist.",
            "Email": "ann@example.com",
            "From": "news@shop.example",
            "BouncedAt": "2026-01-05T10:00:00Z",
            "DumpAvailable": True,
            "Inactive": True,
        },
        "complaint": {
            "RecordType": "SpamComplaint",
            "ID": 43,
            "Type": "SpamComplaint",
            "TypeCode": 512,
            "Email": "ann@example.com",
            "BouncedAt": "2026-01-05T10:00:00Z",
        },
        "subscription": {
            "RecordType": "SubscriptionChange",
            "Recipient": "ann@example.com",
            "ChangedAt": "2026-01-05T10:00:00Z",
            "Origin": "Recipient",
            "SuppressSending": True,
            "SuppressionReason": "ManualSuppression",
        },
        "open": {
            "RecordType": "Open",
            "Recipient": "ann@example.com",
            "ReceivedAt": "2026-01-05T10:00:00Z",
            "UserAgent": "Mozilla/5.0",
        },
        "click": {
            "RecordType": "Click",
            "Recipient": "ann@example.com",
            "ReceivedAt": "2026-01-05T10:00:00Z",
            "OriginalLink": "https://shop.example",
        },
    }
    return base | events[kind] | changes


def resend(kind: str, public_id: str, **data: Any) -> dict[str, Any]:
    """https://resend.com/docs/dashboard/webhooks/event-types"""
    headers = [{"name": "X-Metadata", "value": json.dumps({"crm_message": public_id})}]
    base = {
        "email_id": "56761188-7520-42d8-8898-ff6fc54ce618",
        "created_at": "2026-01-05 10:00:00.000000+00",
        "from": "Shop <news@shop.example>",
        "to": ["ann@example.com"],
        "subject": "News",
        "headers": headers,
    }
    return {"type": f"email.{kind}", "created_at": "2026-01-05T10:00:00.000Z", "data": base | data}


def resend_signature(body: bytes, *, at: int, secret: str = SVIX_SECRET) -> dict[str, str]:
    """https://docs.svix.com/receiving/verifying-payloads/how-manual"""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = hmac.new(key, b"msg_1." + str(at).encode() + b"." + body, hashlib.sha256).digest()
    return {"svix-id": "msg_1", "svix-timestamp": str(at), "svix-signature": f"v1,{base64.b64encode(signed).decode()}"}


def mailgun(event: str, public_id: str, *, key: str = SIGNING_KEY, **changes: Any) -> dict[str, Any]:
    """https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhook-payloads"""
    token, timestamp = "a" * 50, "1767607200"
    signature = hmac.new(key.encode(), f"{timestamp}{token}".encode(), hashlib.sha256).hexdigest()
    data = {
        "event": event,
        "timestamp": 1767607200.1,
        "recipient": "ann@example.com",
        "message": {"headers": {"message-id": "1@mg.shop.example", "to": "ann@example.com"}},
        "user-variables": {"crm_message": public_id},
    }
    return {
        "signature": {"token": token, "timestamp": timestamp, "signature": signature},
        "event-data": data | changes,
    }


def sendgrid(event: str, public_id: str, **changes: Any) -> list[dict[str, Any]]:
    """https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event"""
    base = {
        "email": "ann@example.com",
        "timestamp": 1767607200,
        "smtp-id": "<14c5d75ce93.dfd.64b469@ismtpd-555>",
        "event": event,
        "sg_event_id": "ZyjAM5rnQmuI1KFInHQ3Nw",
        "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001",
        "crm_message": public_id,
    }
    return [base | changes]


def mailjet(event: str, public_id: str, **changes: Any) -> list[dict[str, Any]]:
    """https://dev.mailjet.com/email/guides/webhooks/"""
    base = {
        "event": event,
        "time": 1767607200,
        "MessageID": 19421777835146490,
        "email": "ann@example.com",
        "Payload": json.dumps({"crm_message": public_id}),
    }
    return [base | changes]


def brevo(event: str, public_id: str, **changes: Any) -> dict[str, Any]:
    """https://developers.brevo.com/docs/transactional-webhooks"""
    base = {
        "event": event,
        "email": "ann@example.com",
        "ts_epoch": 1767607200000,
        "message-id": "<201798300811.5787683@relay.example.com>",
        "X-Mailin-custom": json.dumps({"crm_message": public_id}),
    }
    return base | changes


def sparkpost(event: str, public_id: str, **changes: Any) -> list[dict[str, Any]]:
    """https://developers.sparkpost.com/api/webhooks/"""
    base = {
        "type": event,
        "event_id": "92356927693813856",
        "timestamp": "1767607200",
        "transmission_id": "65832150921904138",
        "raw_rcpt_to": "ann@example.com",
        "rcpt_meta": {"crm_message": public_id},
    }
    return [{"msys": {"message_event": base | changes}}]
