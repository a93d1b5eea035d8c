from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psycopg
import pytest

from demo.services import postgres

ASK = "import os, psycopg; print(psycopg.connect(os.environ['DATABASE_URL']).execute('SELECT 6 * 7').fetchone()[0])"
#: Heeds neither Ctrl-C nor SIGTERM.
DEAF = "import signal, time; [signal.signal(n, signal.SIG_IGN) for n in (2, 15)]; time.sleep(60)"
SECONDS = 60


@pytest.fixture
def embedded_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(postgres.URL_VARIABLE, raising=False)


def data_folder(url: str) -> Path:
    return Path(unquote(urlsplit(url).netloc.partition("@")[2]))


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "demo.services.postgres", "--", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.usefixtures("embedded_only")
def test_server_answers_and_leaves_nothing_behind() -> None:
    with postgres.database() as url:
        with psycopg.connect(url) as connection:
            answer = connection.execute("SELECT current_setting('fsync'), current_setting('timezone')").fetchone()
        assert data_folder(url).exists()

    assert answer == ("off", "UTC")
    assert not data_folder(url).parent.exists()


@pytest.mark.usefixtures("embedded_only")
def test_durable_server_keeps_the_write_guarantees() -> None:
    with postgres.database(is_durable=True) as url, psycopg.connect(url) as connection:
        answer = connection.execute("SELECT current_setting('fsync'), current_setting('synchronous_commit')").fetchone()

    assert answer == ("on", "on")


def test_given_database_is_used_and_nothing_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(postgres.URL_VARIABLE, "postgresql://elsewhere/shop")
    monkeypatch.setattr(postgres, "_start", lambda *_args, **_kwargs: pytest.fail("a server was started"))

    with postgres.database() as url:
        assert url == "postgresql://elsewhere/shop"


@pytest.mark.usefixtures("embedded_only")
def test_command_runs_beside_a_server_and_hands_back_its_exit_code() -> None:
    asked = run(sys.executable, "-c", ASK)
    failed = run(sys.executable, "-c", "import sys; sys.exit(7)")

    assert (asked.returncode, asked.stdout.strip()) == (0, "42")
    assert failed.returncode == 7


@pytest.mark.usefixtures("embedded_only")
def test_termination_stops_the_server() -> None:
    with subprocess.Popen([sys.executable, "-m", "demo.services.postgres"], stdout=subprocess.PIPE, text=True) as child:
        watch = threading.Timer(SECONDS, child.kill)  # a server that never comes up, or never ends
        watch.start()
        assert child.stdout is not None
        url = child.stdout.readline().strip().partition("=")[2]
        was_there = data_folder(url).exists()
        child.send_signal(signal.SIGTERM)
        child.wait()
        watch.cancel()

    assert was_there
    assert child.returncode == 128 + signal.SIGTERM
    assert not data_folder(url).parent.exists()
    assert postgres.URL_VARIABLE not in os.environ


def test_a_command_that_takes_too_long_is_ended(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(postgres.URL_VARIABLE, "postgresql://elsewhere/shop")
    monkeypatch.setattr(postgres, "CLEAN_UP_SECONDS", 0.2)

    code = postgres.main(["--limit-seconds", "1.5", "--", sys.executable, "-c", DEAF])

    assert code == postgres.OUT_OF_TIME
    assert "still runs after 1.5 s" in capfd.readouterr().err
