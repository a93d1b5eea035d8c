"""A shop whose web server, Celery worker and beat run as processes of their own on the database of the test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from django.db import connection

from demo.services.processes import Child, Processes, free_port

ROOT = Path(__file__).resolve().parent.parent.parent
#: Generous: other tests keep the machine busy meanwhile.
START_SECONDS = 60.0
CELERY = (sys.executable, "-m", "celery", "-A", "demo.celery")
QUIET = ("--without-gossip", "--without-mingle", "--without-heartbeat")


def database_url(name: str = "") -> str:
    """Return the URL of the database that Django is connected to, or of another one on that server."""
    db = connection.settings_dict
    host = str(db["HOST"]).replace("/", "%2F")
    password = f":{db['PASSWORD']}" if db["PASSWORD"] else ""
    port = f":{db['PORT']}" if db["PORT"] else ""
    return f"postgresql://{db['USER']}{password}@{host}{port}/{name or db['NAME']}"


class MailServer(Protocol):
    """Where mail is handed over."""

    @property
    def host(self) -> str: ...

    @property
    def port(self) -> int: ...


class RunningShop:
    """Starts the processes of a shop, all with the same environment and a task queue of their own.

    Args:
        state: folder of logs, pictures and the filesystem broker.
        options: further environment variables, for every process.

    Attributes:
        environment: what every process of the shop gets in addition to this one's.
    """

    def __init__(self, processes: Processes, *, state: Path, sink: MailServer, options: dict[str, str]) -> None:
        self.processes = processes
        self.url = ""
        self._state = state
        self._queue = f"crm-{uuid4().hex[:12]}"
        self.environment = {
            "CELERY_BROKER_URL": os.environ.get("E2E_BROKER_URL") or "filesystem://localhost",
            "CRM_CELERY_QUEUE_NAME": self._queue,
            "CRM_DEMO_STATE": str(state),
            "CRM_DELIVER_SECONDS": "0.5",
            "CRM_PUMP_SECONDS": "0.5",
            "DATABASE_URL": database_url(),
            "DJANGO_SETTINGS_MODULE": "tests.e2e.settings",
            "EMAIL_HOST": sink.host,
            "EMAIL_PORT": str(sink.port),
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "PYTHONWARNINGS": "ignore::SyntaxWarning",
            "REMAP_SIGTERM": "SIGQUIT",  # Celery's quick way out; the slow one takes seconds when a test is over
            **options,
        }

    def start_web(self, **environment: str) -> None:
        """Start the web server and wait until it answers; ``environment`` is for this process alone."""
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/"
        command = [sys.executable, "-m", "waitress", f"--listen=127.0.0.1:{port}", "demo.wsgi:application"]
        self.processes.start("web", command, env=self.environment | environment)
        self.processes.wait_for_http(f"{self.url}catalogue/", timeout_seconds=START_SECONDS)

    def start_worker(self, *, concurrency: int = 2) -> Child:
        """Start a Celery worker; returns at once."""
        options = [f"--concurrency={concurrency}", f"--queues={self._queue}", "--loglevel=INFO", *QUIET]
        return self.processes.start("worker", [*CELERY, "worker", *options], env=self.environment)

    def start_beat(self) -> Child:
        """Start Celery beat; returns at once."""
        options = ["--loglevel=INFO", "--pidfile=", f"--schedule={self._state / 'beat'}"]
        return self.processes.start("beat", [*CELERY, "beat", *options], env=self.environment)

    def kill(self, child: Child) -> None:
        """End a process and its own as a crash does: without a chance to finish anything."""
        child.signal(signal.SIGKILL)
        self.processes.stop(child)

    def manage(self, *arguments: str) -> str:
        """Run ``manage.py`` to its end; return what it printed."""
        command = [sys.executable, "-m", "demo.manage", *arguments]
        environment = {**os.environ, **self.environment}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=START_SECONDS)
        assert done.returncode == 0, done.stderr
        return done.stdout
