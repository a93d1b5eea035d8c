"""A push service and browsers that are subscribed to it: what is pushed is decrypted as a browser would."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

import http_ece
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def decoded(value: str) -> bytes:
    return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))


@dataclass
class Browser:
    """A browser that has subscribed: its private key never leaves it."""

    address: str
    secret: bytes = b"0123456789abcdef"

    def __post_init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    @property
    def keys(self) -> dict[str, str]:
        point = self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return {"p256dh": encoded(point), "auth": encoded(self.secret)}

    @property
    def subscription(self) -> dict[str, Any]:
        """What ``PushSubscription.toJSON()`` returns."""
        return {"endpoint": self.address, "expirationTime": None, "keys": self.keys}

    def read(self, body: bytes) -> dict[str, Any]:
        """Return what was pushed."""
        clear = http_ece.decrypt(body, private_key=self._key, auth_secret=self.secret, version="aes128gcm")
        return json.loads(clear)


@dataclass(frozen=True)
class Pushed:
    """One request."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def claims(self) -> dict[str, Any]:
        """What the VAPID token says."""
        token = self.headers["authorization"].split("t=")[1].split(",")[0]
        return json.loads(decoded(token.split(".")[1]))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512  # a batch comes all at once


@dataclass
class PushServer:
    """Answers 201, or what ``answers`` has for the path: status, headers, body; status 0 hangs up instead."""

    answers: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    told: list[Pushed] = field(default_factory=list)

    def __enter__(self) -> PushServer:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.told.append(Pushed(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                outer.answer(self, body)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        """Answer one request."""
        self.reply(handler, *self.answers.get(handler.path, (201, {}, b"")))

    def reply(self, handler: BaseHTTPRequestHandler, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Write an answer, or hang up."""
        if not status:
            handler.close_connection = True
            return
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("content-length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def browser(self, name: str = "ann", *, status: int = 201, headers: Mapping[str, str] | None = None) -> Browser:
        """Return a browser that is subscribed here; pushes to it are answered with ``status``."""
        self.answers[f"/push/{name}"] = (status, dict(headers or {}), b"")
        return Browser(f"{self.url}/push/{name}")
