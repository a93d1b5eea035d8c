"""A pytest plugin: a test that cannot be interrupted ends its process, after what all threads do was shown.

pytest-timeout raises in the main thread, once, so that a test that takes too long fails and its fixtures clean up. That
reaches neither a clean-up that hangs itself nor code that swallows the exception. The process of such a test ends here,
with its children; xdist then names the test and goes on in another process.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
from collections.abc import Generator

import pytest

#: How long a test that was interrupted may clean up.
GRACE_SECONDS = 60.0
EXIT_CODE = 70


def pytest_configure(config: pytest.Config) -> None:
    """Watch, where pytest-timeout has a limit and nobody sits at a debugger."""
    limit = _limit(config)
    if limit and not config.getoption("usepdb"):
        config.pluginmanager.register(_Watchdog(limit + GRACE_SECONDS), "crm-watchdog")


def _limit(config: pytest.Config) -> float:
    if not config.pluginmanager.hasplugin("timeout"):
        return 0.0
    given = config.getoption("timeout")
    return float(config.getini("timeout") or 0 if given is None else given)


class _Watchdog:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._stderr = os.dup(sys.__stderr__.fileno())  # of the terminal: each test has its own captured one

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Watch the test with its set-up and its clean-up."""
        timer = threading.Timer(self._seconds, self._end, [item.nodeid])
        timer.daemon = True
        timer.start()
        try:
            return (yield)
        finally:
            timer.cancel()

    def _end(self, name: str) -> None:
        import psutil  # noqa: PLC0415 - Saleor's interpreter loads this plugin too, without a limit and without psutil

        os.write(self._stderr, f"\n{name} hangs: its process is ended after {self._seconds:g} s\n".encode())
        faulthandler.dump_traceback(self._stderr)
        for child in psutil.Process().children(recursive=True):
            try:
                child.kill()
            except psutil.NoSuchProcess:
                continue
        os._exit(EXIT_CODE)
