"""Tell the workers to look now. Losing a nudge loses nothing: the database is the queue, beat looks anyway.

Nudges leave through a thread of their own, so that no request ever waits for a broker: a slow one costs the shopper
nothing, a lost one is left alone for a while. Several nudges close together are one.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial

from celery import Celery
from celery.app import app_or_default
from django.db import transaction

from crm_plugin import clock
from crm_plugin.conf import settings

logger = logging.getLogger(__name__)


class _Sender:
    """The thread that talks to the broker; started by the first nudge of a process, also after a fork."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._wanted: set[str] = set()
        self._thread: threading.Thread | None = None
        #: ``current_app`` is per thread, and that of a request's thread or of this one would be a stranger's.
        self.app: Celery | None = None

    def want(self, task: str) -> None:
        """Have ``task`` sent soon."""
        with self._lock:
            self._wanted.add(task)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="crm-nudge", daemon=True)
                self._thread.start()
        self._wake.set()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            with self._lock:
                wanted, self._wanted = self._wanted, set()
            time.sleep(settings().nudge_seconds if self._send(wanted) else settings().broker_pause_seconds)

    def _send(self, tasks: set[str]) -> bool:
        try:
            for task in sorted(tasks):
                (self.app or app_or_default()).send_task(
                    task,
                    kwargs={"sent_at": clock.now().timestamp()},
                    queue=settings().celery_queue_name,
                    ignore_result=True,
                    retry=False,
                    expires=settings().loop_seconds,
                )
        except Exception as error:  # noqa: BLE001 - kombu raises whatever its transport raises
            logger.warning("crm: broker not reached (%s); beat will do it", error, extra={"tasks": sorted(tasks)})
            return False
        return True


_sender = _Sender()
#: When this process began each task last, in seconds since 1970.
_begun: dict[str, float] = {}


def connect() -> None:
    """Remember the Celery app of this thread, the one that sets Django up, for the nudges of every thread."""
    _sender.app = app_or_default()


def after_commit(task: str) -> None:
    """Nudge ``task`` once the running transaction has committed (at once when there is none)."""
    transaction.on_commit(partial(now, task), robust=True)


def now(task: str) -> None:
    """Ask the broker to run ``task`` soon; returns at once, whatever the broker does."""
    _sender.want(task)


def heed(task: str, work: Callable[[], object], *, sent_at: float | None = None) -> None:
    """Do the work of a task, unless this process has begun it since the nudge was sent, and so has seen what was new.

    A shop in which much happens sends more nudges than there is to look at, and in one queue with them waits the mail.

    Args:
        task: its name.
        work: what it does.
        sent_at: when it was asked for, in seconds since 1970; None: not by a nudge.
    """
    if sent_at is not None and sent_at <= _begun.get(task, 0.0):
        return
    _begun[task] = clock.now().timestamp()
    work()
