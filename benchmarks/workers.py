"""Workers of the benchmarks: processes of their own that begin together."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from django.db import connection

#: The longest that workers may take.
WORK_SECONDS = 900.0


def race(job: str, count: int, *, settings: Mapping[str, Any] | None = None) -> float:
    """Let ``count`` workers come up, start them at once, and return how many seconds the last one took."""
    command = [sys.executable, "-m", "benchmarks.worker", job]
    environment = os.environ | {"DATABASE_URL": _database(), "BENCH_SETTINGS": json.dumps(settings or {})}
    workers = [
        subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - ours
        for _ in range(count)
    ]
    try:
        for worker in workers:
            until_up(worker)
        start = time.perf_counter()
        for worker in workers:
            go(worker)
        for worker in workers:
            worker.wait(timeout=WORK_SECONDS)
        return time.perf_counter() - start
    finally:
        for worker in workers:
            worker.kill()
            worker.wait(timeout=WORK_SECONDS)


def until_up(worker: subprocess.Popen[bytes]) -> None:
    """Wait until a process says that it is up."""
    if worker.stdout is None or not worker.stdout.readline():
        raise RuntimeError("a process did not come up")


def go(worker: subprocess.Popen[bytes]) -> None:
    """Give the word to begin."""
    if worker.stdin is not None:
        worker.stdin.write(b"go\n")
        worker.stdin.flush()


def _database() -> str:
    """Return the URL of the database that this run made."""
    url = urlsplit(os.environ["DATABASE_URL"])
    return url._replace(path=f"/{quote(connection.settings_dict['NAME'])}").geturl()
