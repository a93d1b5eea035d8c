"""Bodies that run at the same time, each in a thread and on a database connection of its own."""

from __future__ import annotations

import faulthandler
import sys
import threading
import time
from collections.abc import Callable

import pytest
from django.db import connection

#: Generous: other tests keep the machine busy meanwhile.
WAIT_SECONDS = 60.0


def together(*bodies: Callable[[], object]) -> None:
    """Run the bodies, all starting at once, until the last has ended, and raise what one of them raised.

    Raises:
        pytest.fail.Exception: one has not ended in time; what all threads do is shown. Nobody waits for it any longer.
    """
    gate = threading.Barrier(len(bodies), timeout=WAIT_SECONDS)
    errors: list[BaseException] = []

    def work(body: Callable[[], object]) -> None:
        try:
            gate.wait()
            body()
        except BaseException as error:  # noqa: BLE001 - raised again below, in the thread of the test
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=[body], daemon=True) for body in bodies]
    for thread in threads:
        thread.start()
    end = time.monotonic() + WAIT_SECONDS
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    if errors:
        raise errors[0]
    if any(thread.is_alive() for thread in threads):
        faulthandler.dump_traceback(sys.__stderr__)
        pytest.fail(f"what runs at the same time has not ended after {WAIT_SECONDS:g} s")
