"""A provider on the loopback: verifies and answers as its documentation says, or makes the trouble a test wants."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any


@dataclass(frozen=True)
class Reply:
    """One answer. ``is_cut``: the connection is closed instead, after the request was read."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    is_cut: bool = False
    #: Keeps the other side waiting for its answer until the server is closed.
    is_silent: bool = False

    @classmethod
    def json(cls, value: Any, status: int = 200, **headers: str) -> Reply:
        """An answer in JSON; ``retry_after`` is the header ``retry-after``."""
        named = {name.replace("_", "-"): content for name, content in headers.items()}
        return cls(status, json.dumps(value).encode(), {"content-type": "application/json", **named})


CUT = Reply(is_cut=True)
SILENT = Reply(is_silent=True)
MALFORMED = Reply(200, b'{"groupInfo": {"count"', {"content-type": "application/json"})


class ProviderServer:
    """Answers each request with ``respond``, or with the next of ``troubles``."""

    def __init__(self) -> None:
        self.troubles: deque[Reply] = deque()
        self.requests: list[tuple[str, Mapping[str, str], bytes]] = []

    def respond(self, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Answer a request as the provider would."""
        raise NotImplementedError

    def __enter__(self) -> Any:
        outer = self
        self._closing = threading.Event()
        self._lock = threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                with outer._lock:
                    outer.requests.append((self.path, headers, body))
                    trouble = outer.troubles.popleft() if outer.troubles else None
                    reply = trouble or outer.respond(self.path, headers, body)
                self.answer(reply)

            def answer(self, reply: Reply) -> None:
                if reply.is_silent:
                    outer._closing.wait()
                if reply.is_cut or reply.is_silent:
                    self.close_connection = True
                    return
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._server.handle_error = lambda *_args: None  # type: ignore[method-assign]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"
