"""A gateway for text messages, as a merchant may have one: it takes what it is sent as JSON and shows it to the demo.

The format is in ``docs/providers.md``. A message that is offered again is taken once.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any

from demo.services.local import LocalServer

LARGEST_BYTES = 10_000_000


@dataclass(frozen=True, slots=True)
class TextMessage:
    """One message as it came."""

    received_at: datetime
    recipient: str
    text: str


class Gateway(LocalServer):
    """The server; batches are posted to its ``url``."""

    def __init__(self) -> None:
        super().__init__(partial(_Calls, self), name="gateway")
        self._taken: dict[str, TextMessage] = {}
        self._lock = threading.Lock()

    @property
    def messages(self) -> tuple[TextMessage, ...]:
        """What was taken, oldest first."""
        with self._lock:
            return tuple(self._taken.values())

    def take(self, message: dict[str, Any]) -> dict[str, Any]:
        """Take one message; return what is said of it."""
        made = TextMessage(datetime.now(UTC), str(message["to"]), str(message["text"]))
        with self._lock:
            self._taken.setdefault(str(message["id"]), made)
        return {"id": message["id"], "result": "sent", "provider_id": f"demo-{message['id']}"}


class _Calls(BaseHTTPRequestHandler):
    """What http.server calls, one instance a request."""

    def __init__(self, gateway: Gateway, *args: object) -> None:
        self._gateway = gateway
        super().__init__(*args)  # type: ignore[arg-type]  # the three that http.server hands over

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length", 0))
        if not 0 < length <= LARGEST_BYTES:
            self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        batch = json.loads(self.rfile.read(length))["data"]["messages"]
        body = json.dumps({"messages": [self._gateway.take(one) for one in batch]}).encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the terminal for the demo."""
