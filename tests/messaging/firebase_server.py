"""Firebase Cloud Messaging (HTTP v1) and Google's token endpoint, as their documentation says that they answer."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.messaging.push_server import PushServer

PROJECT = "shop-example"
SEND = f"/v1/projects/{PROJECT}/messages:send"
_FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"


@cache
def _key() -> str:
    made = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    return made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def refusal(status: int, word: str, *, fcm: str = "", text: str = "no") -> tuple[int, dict[str, str], bytes]:
    """An error as Google's APIs write it; ``fcm`` is the code of FCM itself."""
    details = [{"@type": _FCM_ERROR, "errorCode": fcm}] if fcm else []
    error = {"code": status, "message": text, "status": word, "details": details}
    return status, {"content-type": "application/json"}, json.dumps({"error": error}).encode()


@dataclass
class FirebaseServer(PushServer):
    """Takes every message, or answers what ``refusals`` has for its token; ``token_status``: of the other door."""

    refusals: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    token_status: int = 200
    tokens_given: int = 0
    messages: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    def answer(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        """Answer one request."""
        if handler.path == "/token":
            self._give_token(handler, body)
        elif handler.path != SEND or not str(handler.headers["authorization"]).startswith("Bearer token-"):
            self.reply(handler, *refusal(401, "UNAUTHENTICATED"))
        else:
            self._take(handler, json.loads(body)["message"])

    def _give_token(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        asked = parse_qs(body.decode())
        if self.token_status != 200 or asked["grant_type"] != ["urn:ietf:params:oauth:grant-type:jwt-bearer"]:
            self.reply(handler, self.token_status, {}, b'{"error": "invalid_grant"}')
            return
        self.tokens_given += 1
        given = {"access_token": f"token-{self.tokens_given}", "expires_in": 3_600, "token_type": "Bearer"}
        self.reply(handler, 200, {"content-type": "application/json"}, json.dumps(given).encode())

    def _take(self, handler: BaseHTTPRequestHandler, message: dict[str, Any]) -> None:
        with self._lock:
            self.messages.append(message)
            number = len(self.messages)
        if message["token"] in self.refusals:
            self.reply(handler, *self.refusals[message["token"]])
            return
        name = {"name": f"projects/{PROJECT}/messages/{number}"}
        self.reply(handler, 200, {"content-type": "application/json"}, json.dumps(name).encode())

    @property
    def credentials(self) -> dict[str, str]:
        """The file that Firebase's console hands out, its token endpoint here."""
        return {
            "type": "service_account",
            "project_id": PROJECT,
            "private_key_id": "1",
            "private_key": _key(),
            "client_email": f"push@{PROJECT}.iam.gserviceaccount.com",
            "client_id": "1",
            "token_uri": f"{self.url}/token",
        }
