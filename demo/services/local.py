"""A web server of the demo: of this machine only, in a thread of its own, gone with the block that it is used in."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

HOST = "127.0.0.1"


class LocalServer:
    """Use it as a context manager; ``url`` is known from the start.

    Args:
        handler: what makes the handler of a request, as ``http.server`` calls it.
        name: of the thread.
        port: 0 takes a free one.
    """

    def __init__(self, handler: Callable[..., BaseHTTPRequestHandler], *, name: str, port: int = 0) -> None:
        self._server = ThreadingHTTPServer((HOST, port), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name=name, daemon=True)

    @property
    def url(self) -> str:
        """Its address, ending in a slash."""
        return f"http://{HOST}:{self._server.server_port}/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
