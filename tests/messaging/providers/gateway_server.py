"""A merchant's own gateway on the loopback: verifies Standard Webhooks, takes each message once, answers for each."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from tests.messaging.providers.serving import ProviderServer, Reply


class GatewayServer(ProviderServer):
    """Takes messages signed with one of ``secrets``; ``taken`` holds them by our id.

    Attributes:
        answers: by recipient, what it says instead of ``sent``.
        mute: recipients of messages that it takes, and says nothing about.
    """

    def __init__(self) -> None:
        super().__init__()
        self.secrets: Sequence[str] = ()
        self.taken: dict[str, dict[str, Any]] = {}
        self.answers: dict[str, dict[str, Any]] = {}
        self.mute: set[str] = set()

    def respond(self, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Answer as ``docs/providers.md`` says."""
        if not any(sign(secret, headers, body) in headers["webhook-signature"].split() for secret in self.secrets):
            return Reply.json({"error": "signature"}, 401)
        said = []
        for message in json.loads(body)["data"]["messages"]:
            answer = self.answers.get(message["to"], {"result": "sent"})
            if answer["result"] == "sent":
                self.taken.setdefault(message["id"], message)
            if message["to"] not in self.mute:
                said.append({"id": message["id"], "provider_id": f"gw-{message['id']}", **answer})
        return Reply.json({"messages": said})


def sign(secret: str, headers: Mapping[str, str], body: bytes) -> str:
    """Sign as the specification of Standard Webhooks says."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


def call(
    secret: str, receipts: Sequence[Mapping[str, Any]], *, at: float | None = None
) -> tuple[bytes, dict[str, str]]:
    """The body and the headers of a call that the gateway makes about messages."""
    body = json.dumps({"type": "messages.receipts", "data": {"receipts": list(receipts)}}).encode()
    headers = {"webhook-id": "call-1", "webhook-timestamp": str(int(time.time() if at is None else at))}
    return body, headers | {"webhook-signature": sign(secret, headers, body)}
