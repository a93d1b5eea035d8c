"""``make demo`` as people start it: the story goes through, is printed as a table, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psutil
import psycopg
import pytest

from demo.services import postgres
from tests.e2e.running import ROOT, database_url

#: The story takes half a minute where nothing else runs.
DEMO_SECONDS = 170
#: A child that does not end when it is asked to is killed after ten.
STOP_SECONDS = 60
PARTS = (
    "signs in",
    "likes a product",
    "lowers its price",
    "mails the shopper",
    "reads the mail, clicks",
    "asks about the product",
    "saves a segment",
    "orders at the new price",
    "puts her into the segment",
    "sees it in the CRM",
)


@pytest.fixture
def environment(tmp_path: Path, django_db_setup: None) -> Iterator[dict[str, str]]:
    """What the demo is started with: an empty database, and a folder of its own with a space in its name."""
    name, folder = f"demo_{uuid4().hex[:12]}", tmp_path / "a folder"
    folder.mkdir()
    broker = {"CELERY_BROKER_URL": os.environ["E2E_BROKER_URL"]} if os.environ["E2E_BROKER_URL"] else {}
    own = ("CELERY_", "CRM_", "DEMO_", "DJANGO_")
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(own)}
    with psycopg.connect(os.environ[postgres.URL_VARIABLE], autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        yield {
            **inherited,
            **broker,
            "CI": "true",
            "DATABASE_URL": database_url(name),
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "TMPDIR": str(folder),
        }
        for pid in children_of(str(folder)):  # of a demo that did not clean up
            psutil.Process(pid).kill()
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def children_of(folder: str) -> list[int]:
    """Return the processes that work in the demo's folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("CRM_DEMO_STATE", "").startswith(folder):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def test_the_story_goes_through_and_is_told_as_a_table(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "demo"], env=environment, capture_output=True, text=True, timeout=DEMO_SECONDS
    )

    assert done.returncode == 0, done.stdout + done.stderr
    told = [line for line in done.stdout.splitlines() if any(f"  {part}  " in line for part in PARTS)]
    assert len(told) == len(PARTS)
    assert all(part in line for part, line in zip(PARTS, told, strict=True))
    assert re.search(r"“25% less: Celadon tea bowl”, \d+\.\d s after the price fell", done.stdout)
    assert "sent, opened, clicked; 1 order" in done.stdout
    assert done.stdout.rstrip().endswith("make demo: the story went through")
    assert list(Path(environment["TMPDIR"]).iterdir()) == []
    assert children_of(environment["TMPDIR"]) == []


def test_an_interrupted_demo_leaves_no_process_and_no_file(environment: dict[str, str], tmp_path: Path) -> None:
    said = tmp_path / "said"
    with (
        said.open("w") as output,
        subprocess.Popen([sys.executable, "-m", "demo"], env=environment, stdout=output, text=True) as demo,
    ):
        try:
            end = time.monotonic() + DEMO_SECONDS
            while "tables" not in said.read_text() and demo.poll() is None and time.monotonic() < end:
                time.sleep(0.05)
            time.sleep(0.5)  # amid the migrations
            demo.send_signal(signal.SIGINT)
            demo.send_signal(signal.SIGINT)
            demo.wait(STOP_SECONDS)
        finally:
            demo.kill()

    assert demo.returncode == 130
    assert "make demo: stopped" in said.read_text()
    assert list(Path(environment["TMPDIR"]).iterdir()) == []
    assert children_of(environment["TMPDIR"]) == []
