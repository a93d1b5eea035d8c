"""Child processes for the length of a block: started with a log file each, watched, and all gone afterwards.

Each child leads its own process group, so that its own children (Celery's pool) end with it, also when this process is
interrupted or terminated, at whatever moment.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import NoReturn

#: How long a child may take to finish what it does before it is killed.
GRACE_SECONDS = 10.0
POLL_SECONDS = 0.1
#: Lines of a dead child's log that the error shows.
TAIL_LINES = 20


class ProcessFailed(RuntimeError):
    """A child ended by itself or was not ready in time; the message shows the end of its log."""


@dataclass(frozen=True, slots=True)
class Child:
    """A running child process."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        with interruptions_deferred():  # one inside would leave subprocess's lock taken: the end is never learnt then
            return self.process.poll() is None

    def wait(self, seconds: float) -> int | None:
        """Wait until it has ended, but no longer than ``seconds``; return its exit code, None when it still runs."""
        end = time.monotonic() + seconds
        while self.is_running and time.monotonic() < end:
            time.sleep(POLL_SECONDS)
        return self.process.returncode

    def tail(self) -> str:
        """Return the last lines of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-TAIL_LINES:])

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the child and its own children."""
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            return


class Processes:
    """The children of one block, ended in reverse order when it is left.

    Args:
        logs: folder of the log files; made when missing.
    """

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._children: list[Child] = []

    def __enter__(self) -> Processes:
        self._logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with interruptions_deferred():
            for child in self._children:  # only they: Celery takes ten seconds when its pool is told to end as well
                child.process.terminate()
            for child in reversed(self.children):
                self._await_end(child)

    @property
    def children(self) -> Sequence[Child]:
        """The children that were started, oldest first."""
        return tuple(self._children)

    def start(self, name: str, command: Sequence[str], *, env: Mapping[str, str] | None = None) -> Child:
        """Start a command; its output goes to ``<name>.log``. ``env`` is added to this process's environment."""
        log = self._logs / f"{name}.log"
        with log.open("wb") as output, interruptions_deferred():  # none between the start and the note of it
            process = subprocess.Popen(  # noqa: S603 - the command is the caller's own
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )
            child = Child(name, process, log)
            self._children.append(child)
        return child

    def stop(self, child: Child) -> None:
        """End a child and its children, asked first, killed after ``GRACE_SECONDS``; it is watched no longer."""
        child.process.terminate()
        self._await_end(child)

    def check(self) -> None:
        """Raise ProcessFailed when a child has ended by itself."""
        for child in self._children:
            if not child.is_running:
                code = child.process.returncode
                raise ProcessFailed(f"{child.name} ended with {code}. Its log {child.log} ends:\n{child.tail()}")

    def wait_until(
        self,
        is_ready: Callable[[], bool],
        *,
        what: str,
        timeout_seconds: float = 60.0,
        poll_seconds: float = POLL_SECONDS,
    ) -> float:
        """Wait for something that the children bring about; return the seconds it took.

        Raises:
            ProcessFailed: when it takes too long or a child ends meanwhile.
        """
        started = time.monotonic()
        while not is_ready():
            self.check()
            if time.monotonic() - started > timeout_seconds:
                raise ProcessFailed(f"Waited {timeout_seconds:g} s in vain for {what}. Logs are in {self._logs}.")
            time.sleep(poll_seconds)
        return time.monotonic() - started

    def wait_for_http(self, url: str, *, timeout_seconds: float = 60.0) -> float:
        """Wait until an address answers below 500; return the seconds it took."""
        return self.wait_until(lambda: _answers(url), what=url, timeout_seconds=timeout_seconds)

    def _await_end(self, child: Child) -> None:
        child.wait(GRACE_SECONDS)
        child.signal(signal.SIGKILL)
        child.wait(GRACE_SECONDS)
        self._children.remove(child)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - an address of our own child
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False


def free_port() -> int:
    """Return a TCP port of the loopback that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def interruptions_deferred() -> Iterator[None]:
    """Inside the block Ctrl-C and SIGTERM wait; they take effect when it is left.

    For what must be begun or cleaned up as a whole. Other threads than the main one are never interrupted.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _frame: came.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for one in came:
            signal.raise_signal(one)


def _exit(number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)


@contextmanager
def termination_unwinds() -> Iterator[None]:
    """Inside the block SIGTERM leaves through the ``finally`` blocks, as Ctrl-C does."""
    before = signal.signal(signal.SIGTERM, _exit)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
