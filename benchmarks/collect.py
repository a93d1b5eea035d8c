"""Events a second that one worker takes at ``collect/``, beside a bare view that parses the same JSON and says 202.

The worker is a process of its own that serves HTTP; the same clients ask both views over kept connections. Ours checks
origin, rate and every field, reads the browser, and writes the batch to the inbox by one committed INSERT; the bare
view stores nothing.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import quote, urlsplit

from django.db import connection

from benchmarks.measuring import by_turns, timed
from crm_plugin import shop
from crm_plugin.models import Inbox

CLIENTS = 4
REQUESTS = 250
TURNS = 7
START_SECONDS = 30
SENT_AT = 1_800_000_000_000
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
EVENTS = (
    {"kind": "visit", "url": "https://shop.example/?utm_source=facebook", "referrer": "https://l.facebook.com/"},
    {"kind": "group_view", "group": "category:12"},
    *({"kind": "product_view", "product": str(product), "variant": str(product + 100)} for product in range(1, 5)),
    {"kind": "search", "words": "Celadon bowl"},
    {"kind": "cart_add", "product": "4", "variant": "104", "quantity": 2},
    {"kind": "custom", "name": "size_guide", "properties": {"size": "M", "seconds": 12.5, "fits": True}},
    {"kind": "product_view", "product": "UHJvZHVjdDoxMg=="},
)


def measure() -> tuple[float, float]:
    """Return the events a second of ours, and of the bare view."""
    with _worker() as address, ThreadPoolExecutor(CLIENTS) as pool:

        def seconds(path: str) -> float:
            message = _message(path, address)
            return timed(lambda: list(pool.map(_ask, [address] * CLIENTS, [message] * CLIENTS)))

        seconds("/crm/collect/"), seconds("/bare/")
        before = Inbox.objects.count()
        ours, theirs = by_turns(lambda: seconds("/crm/collect/"), lambda: seconds("/bare/"), times=TURNS)
        events = CLIENTS * REQUESTS * len(EVENTS)
        if Inbox.objects.count() - before != TURNS * events:
            raise RuntimeError("not every event was stored")
    return events / ours, events / theirs


@contextmanager
def _worker() -> Iterator[tuple[str, int]]:
    """Start a worker on the database of this run; yield its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = free.getsockname()
    environment = os.environ | {"DATABASE_URL": _database(), "CRM_COLLECT_EVENTS_PER_MINUTE": str(10**9)}
    command = [sys.executable, "-m", "benchmarks.collect_worker", f"{address[0]}:{address[1]}"]
    with subprocess.Popen(command, env=environment) as process:  # noqa: S603 - our own interpreter
        try:
            _wait_for(address)
            yield address
        finally:
            process.terminate()


def _database() -> str:
    """Return the URL of the database that this run made."""
    url = urlsplit(os.environ["DATABASE_URL"])
    return url._replace(path=f"/{quote(connection.settings_dict['NAME'])}").geturl()


def _wait_for(address: tuple[str, int]) -> None:
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(address, timeout=1).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
        else:
            return


def _message(path: str, address: tuple[str, int]) -> bytes:
    events = [{"id": f"event-{n:04}", "at": SENT_AT - n, **event} for n, event in enumerate(EVENTS)]
    batch = {"visitor": "V" * 22, "consent": True, "sent_at": SENT_AT, "channel": "default", "events": events}
    body = json.dumps(batch).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {address[0]}\r\nOrigin: {shop.current().identity().url.rstrip('/')}\r\n"
        f"User-Agent: {AGENT}\r\nContent-Type: text/plain;charset=UTF-8\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _ask(address: tuple[str, int], message: bytes) -> None:
    with socket.create_connection(address, timeout=30) as client:
        for _ in range(REQUESTS):
            client.sendall(message)
            answer = client.recv(65_536)
            while b"}" not in answer:
                answer += client.recv(65_536)
            if not answer.startswith(b"HTTP/1.1 202 "):
                raise RuntimeError(f"answered {answer[:200]!r}")
