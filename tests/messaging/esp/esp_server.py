"""A local stand-in for the e-mail APIs of Postmark, Resend, Mailjet and Brevo: it answers as their documentation says.

Tests script its refusals and faults. Benchmarks start it in a process of its own with ``python -m
tests.messaging.esp.esp_server --quick``: it prints its address, keeps nothing and counts messages without reading them.
"""

from __future__ import annotations

import argparse
import json
import socket
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self
from uuid import uuid4

HOST: Final = "127.0.0.1"
Mail = Mapping[str, Any]
Answer = tuple[int, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """One request as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """What it says."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one call instead of, or after, its work.

    Attributes:
        status, body, headers: the answer.
        is_taken: the mails are taken all the same, but the answer is this one.
        is_hanging_up: no answer at all.
        pause_seconds: before the answer.
    """

    status: int = 200
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    is_taken: bool = False
    is_hanging_up: bool = False
    pause_seconds: float = 0.0


class EspServer(ThreadingHTTPServer):
    """A context manager. ``mails`` are those taken, ``calls`` all requests; ``refuse`` and ``next`` script it."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, *, port: int = 0, is_quick: bool = False) -> None:
        super().__init__((HOST, port), _Handler)
        self.is_quick = is_quick
        self.calls: list[Call] = []
        self.mails: list[Mail] = []
        #: By address: what is said of a message to it.
        self.refusals: dict[str, str] = {}
        self.faults: deque[Fault] = deque()
        #: By idempotency key: the body and what was answered.
        self.answered: dict[str, tuple[bytes, Answer]] = {}
        self.lock = threading.Lock()
        #: Ends the pauses of faults when the server goes.
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        """The address of the API."""
        return f"http://{HOST}:{self.server_address[1]}/"

    def refuse(self, address: str, message: str) -> None:
        """Say this of every message to an address: Postmark's text starts with its code."""
        self.refusals[address] = message

    def next(self, *faults: Fault) -> None:
        """Let this happen to the next calls."""
        self.faults.extend(faults)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Be silent about clients that hang up."""

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: EspServer

    def setup(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().setup()

    def log_message(self, *_args: Any) -> None:
        """Be silent."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        server, path = self.server, self.path
        if server.is_quick:
            self._reply(*_quick(path, body))
            return
        call = Call(path, dict(self.headers.items()), body)
        with server.lock:
            server.calls.append(call)
            fault = server.faults.popleft() if server.faults else None
            answer = _work(server, call) if fault is None or fault.is_taken else None
        if fault is None:
            assert answer is not None
            self._reply(*answer)
            return
        server.closing.wait(fault.pause_seconds)
        if fault.is_hanging_up:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self._reply(fault.status, fault.body, fault.headers)

    def _reply(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        lines = [f"HTTP/1.1 {status} X", "Content-Type: application/json", f"Content-Length: {len(content)}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        self.wfile.write("\r\n".join(lines).encode() + b"\r\n\r\n" + content)


def _work(server: EspServer, call: Call) -> Answer:
    key = call.headers.get("Idempotency-Key", "")
    if key in server.answered:
        body, answer = server.answered[key]
        return answer if body == call.body else (409, {"name": "invalid_idempotent_request"})
    answer = _APIS[call.path](server, call)
    if key:
        server.answered[key] = (call.body, answer)
    return answer


def _postmark(server: EspServer, mail: Mail) -> dict[str, Any]:
    if refusal := _refusal(server, [mail["To"]]):
        code, _, message = refusal.partition(" ")
        return {"ErrorCode": int(code), "Message": message}
    server.mails.append(mail)
    return {"ErrorCode": 0, "Message": "OK", "MessageID": str(uuid4()), "To": mail["To"], "SubmittedAt": "2026-01-01"}


def _postmark_batch(server: EspServer, call: Call) -> Answer:
    return 200, [_postmark(server, mail) for mail in call.json]


def _postmark_one(server: EspServer, call: Call) -> Answer:
    result = _postmark(server, call.json)
    return (422 if result["ErrorCode"] else 200), result


def _resend_batch(server: EspServer, call: Call) -> Answer:
    refused = {at: refusal for at, mail in enumerate(call.json) if (refusal := _refusal(server, mail["to"]))}
    if refused and call.headers.get("x-batch-validation") != "permissive":
        return 422, {"statusCode": 422, "name": "validation_error", "message": next(iter(refused.values()))}
    taken = [mail for at, mail in enumerate(call.json) if at not in refused]
    server.mails += taken
    errors = [{"index": at, "message": message} for at, message in refused.items()]
    return 200, {"data": [{"id": str(uuid4())} for _ in taken], "errors": errors}


def _mailjet(server: EspServer, call: Call) -> Answer:
    results: list[dict[str, Any]] = []
    for mail in call.json["Messages"]:
        address = mail["To"][0]["Email"]
        if refusal := _refusal(server, [address]):
            error = {"ErrorCode": "mj-0013", "StatusCode": 400, "ErrorMessage": refusal, "ErrorRelatedTo": ["To[0]"]}
            results.append({"Status": "error", "Errors": [error]})
            continue
        server.mails.append(mail)
        results.append({"Status": "success", "To": [{"Email": address, "MessageID": uuid4().int >> 64}]})
    return (400 if any(result["Status"] == "error" for result in results) else 200), {"Messages": results}


def _brevo(server: EspServer, call: Call) -> Answer:
    mail = call.json
    if refusal := _refusal(server, [to["email"] for to in mail["to"]]):
        return 400, {"code": "invalid_parameter", "message": refusal}
    server.mails.append(mail)
    return 201, {"messageId": f"<{uuid4()}@smtp-relay.mailin.fr>"}


def _refusal(server: EspServer, addresses: Sequence[str]) -> str:
    return next((text for known, text in server.refusals.items() if any(known in one for one in addresses)), "")


_APIS: Final[Mapping[str, Callable[[EspServer, Call], Answer]]] = {
    "/email": _postmark_one,
    "/email/batch": _postmark_batch,
    "/emails/batch": _resend_batch,
    "/send": _mailjet,
    "/smtp/email": _brevo,
}


def _quick(path: str, body: bytes) -> Answer:
    """Take everything. A quote inside a JSON string is escaped, so this counts the messages only."""
    if path == "/email/batch":
        count = body.count(b'"From": ')
        return 200, [{"ErrorCode": 0, "Message": "OK", "MessageID": str(uuid4())} for _ in range(count)]
    return 200, {"data": [{"id": str(uuid4())} for _ in range(body.count(b'"from": '))]}


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="keep nothing, read nothing")
    options = parser.parse_args()
    server = EspServer(port=options.port, is_quick=options.quick)
    print(server.url, flush=True)  # noqa: T201 - whoever started it reads it
    server.serve_forever()


if __name__ == "__main__":
    main()
