"""Twilio on the loopback: the message resource, its errors, and the calls that it makes (twilio.com/docs/messaging)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from urllib.parse import parse_qs, urlencode
from uuid import uuid4

from tests.messaging.providers.serving import ProviderServer, Reply

SID, TOKEN = "AC" + "0" * 32, "twilio-token-of-the-test"
NUMBERS = {"+15005550006", "MG" + "1" * 32}


class TwilioServer(ProviderServer):
    """Takes messages; ``taken`` holds the form of each by its sid. ``stopped``: numbers that answered STOP."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: dict[str, dict[str, str]] = {}
        self.stopped: set[str] = set()

    def respond(self, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Answer as the documentation says."""
        if headers.get("authorization") != "Basic " + base64.b64encode(f"{SID}:{TOKEN}".encode()).decode():
            return _error(401, 20003, "Authenticate")
        if path != f"/2010-04-01/Accounts/{SID}/Messages.json":
            return _error(404, 20404, "The requested resource was not found")
        form = {name: values[0] for name, values in parse_qs(body.decode(), keep_blank_values=True).items()}
        to, sender = form.get("To", ""), form.get("From") or form.get("MessagingServiceSid", "")
        if not re.fullmatch(r"\+[1-9]\d{6,14}", to):
            return _error(400, 21211, f"Invalid 'To' Phone Number: {to}")
        if sender not in NUMBERS:
            return _error(400, 21212, f"Invalid 'From' Number: {sender}")
        if to in self.stopped:
            return _error(400, 21610, "Attempt to send to unsubscribed recipient")
        if len(form.get("Body", "")) > 1_600:
            return _error(400, 21617, "The concatenated message body exceeds the 1600 character limit")
        sid = f"SM{uuid4().hex}"
        self.taken[sid] = form
        return Reply.json(_resource(sid, form), 201)

    def call(self, url: str, **fields: str) -> tuple[bytes, dict[str, str]]:
        """The body and the headers of a call that Twilio makes to an address."""
        return urlencode(fields).encode(), {"X-Twilio-Signature": sign(url, fields)}


def sign(url: str, fields: Mapping[str, str], token: str = TOKEN) -> str:
    """Sign as "Validating requests" says: the address, then names and values in the order of the names."""
    text = url + "".join(f"{name}{fields[name]}" for name in sorted(fields))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


def _error(status: int, code: int, words: str) -> Reply:
    more = f"https://www.twilio.com/docs/errors/{code}"
    return Reply.json({"code": code, "message": words, "more_info": more, "status": status}, status)


def _resource(sid: str, form: Mapping[str, str]) -> dict[str, object]:
    return {
        "sid": sid,
        "account_sid": SID,
        "api_version": "2010-04-01",
        "body": form["Body"],
        "date_created": "Thu, 24 Aug 2026 05:01:45 +0000",
        "date_sent": None,
        "date_updated": "Thu, 24 Aug 2026 05:01:45 +0000",
        "direction": "outbound-api",
        "error_code": None,
        "error_message": None,
        "from": form.get("From"),
        "messaging_service_sid": form.get("MessagingServiceSid"),
        "num_media": "0",
        "num_segments": "1",
        "price": None,
        "price_unit": "USD",
        "status": "queued",
        "subresource_uris": {},
        "to": form["To"],
        "uri": f"/2010-04-01/Accounts/{SID}/Messages/{sid}.json",
    }
