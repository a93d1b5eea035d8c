"""A test that hangs fails within its limit and says where it hung, whatever it hangs in."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
WAITS = """
import threading

def test_waits():
    threading.Event().wait()
"""
#: What is interrupted once hangs again where it cleans up.
CANNOT_BE_INTERRUPTED = """
import threading
import pytest

@pytest.fixture
def held():
    yield
    threading.Event().wait()

def test_waits_twice(held):
    threading.Event().wait()
"""
PLUGIN = "import tests.watchdog_plugin as watchdog; watchdog.GRACE_SECONDS = 1.0; pytest_plugins = [watchdog.__name__]"


def run(folder: Path, source: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "pytest.ini").write_text("[pytest]\ntimeout = 1\n")
    (folder / "conftest.py").write_text(PLUGIN)
    (folder / "test_hanging.py").write_text(source)
    command = [sys.executable, "-m", "pytest", "-p", "no:randomly", "-p", "no:django", *arguments, str(folder)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=90, check=False)


@pytest.mark.parametrize("arguments", [(), ("-n", "1")], ids=["alone", "in a worker"])
def test_a_test_that_waits_for_ever_is_interrupted(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = run(tmp_path, WAITS, *arguments)

    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "1 failed" in done.stdout
    assert "threading.Event().wait()" in done.stdout


def test_a_test_that_cannot_be_interrupted_ends_its_process_and_is_named(tmp_path: Path) -> None:
    done = run(tmp_path, CANNOT_BE_INTERRUPTED, "-n", "1")

    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "test_waits_twice hangs: its process is ended after 2 s" in done.stderr + done.stdout
    assert "in held" in done.stderr + done.stdout
    assert "crashed while running" in done.stdout
