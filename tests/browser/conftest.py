"""Fixtures of the tests in a real browser: Chromium, driven by Playwright, on pages that a live server serves.

Skipped with a loud line where there is none; ``CHROMIUM`` names one that is not on the path.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.http.conftest import links, make_contact, message, queue, us

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = ["links", "make_contact", "message", "queue", "us"]

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
#: What the shop's own code is warned of, by its dependencies and by newer Pythons.
THEIR_WARNINGS = ("ignore::treebeard.deprecation.RemovedInTreebeard8Warning", "ignore::SyntaxWarning")
PHONE = (390, 844)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the shop's own code use what its dependencies will drop; a browser takes its time to start."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.slow)
            for warning in THEIR_WARNINGS:
                item.add_marker(pytest.mark.filterwarnings(warning))


@pytest.fixture(scope="module")
def chromium(request: pytest.FixtureRequest, django_db_setup: None) -> Iterator[Browser]:
    """A running Chromium. Playwright keeps an event loop in this thread, which Django would refuse to work beside.

    The database is made before: Django has one connection beside the loop and another one without it, and the one that
    made the database has to be the one that is closed when it is dropped. A module's ``CHROMIUM_ARGUMENTS`` are further
    arguments.
    """
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("CHROMIUM NOT FOUND: tests/browser skipped (apt-get install chromium, or set CHROMIUM)")
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="PLAYWRIGHT NOT FOUND: tests/browser skipped (pip install playwright)"
    )
    more = getattr(request.module, "CHROMIUM_ARGUMENTS", ())
    with pytest.MonkeyPatch.context() as patch, playwright.sync_playwright() as driver:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = driver.chromium.launch(executable_path=path, args=[*ARGUMENTS, *more])
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Return a function that opens an address for a new visitor; scripts that fail fail the test."""
    failures: list[str] = []
    contexts: list[Any] = []

    def visit(url: str, *, size: tuple[int, int] = (1280, 900)) -> Page:
        context = chromium.new_context(viewport={"width": size[0], "height": size[1]}, locale="en-US")
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.goto(url, wait_until="load")
        return page

    yield visit
    for context in contexts:
        context.close()
    assert failures == []
