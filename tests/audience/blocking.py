"""A statement that takes long, without the millions of rows that make one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

from tests.together import WAIT_SECONDS


@contextmanager
def blocked_contacts() -> Iterator[None]:
    """Let every statement over contacts wait for a lock that another connection has."""
    is_held, may_go = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("LOCK TABLE crm_plugin_contact IN ACCESS EXCLUSIVE MODE")
                is_held.set()
                may_go.wait(timeout=WAIT_SECONDS)
        finally:
            connection.close()

    thread = threading.Thread(target=hold, daemon=True)
    thread.start()
    try:
        assert is_held.wait(timeout=WAIT_SECONDS)
        yield
    finally:
        may_go.set()
        thread.join(timeout=WAIT_SECONDS)
