from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from demo.services import processes
from demo.services.processes import (
    Child,
    Processes,
    ProcessFailed,
    free_port,
    interruptions_deferred,
    termination_unwinds,
)

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
#: Ignores SIGTERM and has a child of its own.
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
    "print(child.pid, flush=True); time.sleep(60)",
]


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_children_end_with_the_block(tmp_path: Path) -> None:
    with Processes(tmp_path / "logs") as children:
        first, second = children.start("first", SLEEP), children.start("second", SLEEP)
        assert first.is_running
        assert second.is_running

    assert is_gone(first.process.pid)
    assert is_gone(second.process.pid)


def test_stubborn_child_is_killed_with_its_own_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "GRACE_SECONDS", 0.2)
    with Processes(tmp_path) as children:
        child = children.start("stubborn", STUBBORN)
        children.wait_until(lambda: bool(child.tail()), what="its child", timeout_seconds=20)
        grandchild = int(child.tail())

    time.sleep(0.1)
    assert is_gone(child.process.pid)
    assert is_gone(grandchild)


def test_waiting_tells_what_a_dead_child_said(tmp_path: Path) -> None:
    with Processes(tmp_path) as children:
        children.start("web", [sys.executable, "-c", "import sys; print('no such table'); sys.exit(3)"])

        with pytest.raises(ProcessFailed, match=r"(?s)web ended with 3.*no such table"):
            children.wait_until(lambda: False, what="the shop", timeout_seconds=20)


def test_waiting_ends(tmp_path: Path) -> None:
    with Processes(tmp_path) as children, pytest.raises(ProcessFailed, match="in vain for the shop"):
        children.wait_until(lambda: False, what="the shop", timeout_seconds=0.2)


def test_web_server_is_waited_for(tmp_path: Path) -> None:
    port = free_port()
    with Processes(tmp_path / "logs") as children:
        command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(tmp_path)]
        children.start("web", command, env={"PYTHONUNBUFFERED": "1"})

        seconds = children.wait_for_http(f"http://127.0.0.1:{port}/", timeout_seconds=20)

    assert seconds < 20


def test_termination_runs_the_clean_up() -> None:
    with termination_unwinds(), pytest.raises(SystemExit) as ending:
        signal.raise_signal(signal.SIGTERM)

    assert ending.value.code == 128 + signal.SIGTERM


@pytest.fixture
def heard_interruptions() -> Iterator[None]:
    """SIGINT interrupts, also where the suite was started in the background with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard_interruptions")
def test_an_interruption_waits_for_what_must_not_be_cut_in_two() -> None:
    done: list[str] = []

    def clean_up() -> None:
        with interruptions_deferred():
            signal.raise_signal(signal.SIGINT)
            done.append("first half")
            signal.raise_signal(signal.SIGINT)
            done.append("second half")

    with pytest.raises(KeyboardInterrupt):
        clean_up()

    assert done == ["first half", "second half"]


class Interrupting:
    """subprocess's lock around ``waitpid``, with a Ctrl-C at the worst moment: it is taken, and nobody knows yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.is_due = True

    def acquire(self, *arguments: bool) -> bool:
        is_taken = self._lock.acquire(*arguments)
        if is_taken and self.is_due:
            self.is_due = False
            signal.raise_signal(signal.SIGINT)
        return is_taken

    def release(self) -> None:
        self._lock.release()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_error: object) -> None:
        self.release()


@pytest.mark.usefixtures("heard_interruptions")
@pytest.mark.parametrize("watch", [lambda child, _: child.wait(20), lambda _, children: children.check()])
def test_an_interruption_while_a_child_is_watched_does_not_keep_it_from_being_ended(
    tmp_path: Path, watch: Callable[[Child, Processes], object]
) -> None:
    def interrupted() -> None:
        with Processes(tmp_path) as children:
            pids.append(children.start("first", SLEEP).process.pid)
            (child,) = children.children
            child.process._waitpid_lock = lock  # type: ignore[attr-defined]
            watch(child, children)

    pids: list[int] = []
    lock = Interrupting()

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert not lock.is_due
    assert is_gone(pids[0])


def test_a_stopped_child_is_watched_no_longer(tmp_path: Path) -> None:
    with Processes(tmp_path) as children:
        child = children.start("first", SLEEP)

        children.stop(child)
        children.check()

    assert is_gone(child.process.pid)
