"""Fixtures of the whole suite: an in-memory shop, a real mail server. No network but the loopback."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

    from demo.services.mailsink import MailSink
    from tests.fake_shop import FakeShop

pytest_plugins = ["tests.features_plugin", "tests.watchdog_plugin"]

#: The tests of the Saleor adapter need Saleor's own interpreter: ``make test-saleor``.
collect_ignore = [] if importlib.util.find_spec("saleor") else ["saleor"]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the slow ones first, after the order was shuffled: the last minute of a run is then shared by everybody."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture
def fake_shop() -> Iterator[FakeShop]:
    """An empty in-memory shop that the engine asks for the length of the test."""
    from crm_plugin import shop  # noqa: PLC0415 - Django is ready only when fixtures run
    from tests.fake_shop import FakeShop  # noqa: PLC0415

    fake = FakeShop()
    before = shop.install(fake)
    yield fake
    shop.install(before)


@pytest.fixture(scope="session")
def _mail_sink() -> Iterator[MailSink]:
    from demo.services.mailsink import MailSink  # noqa: PLC0415 - not every run of the suite mails

    with MailSink() as sink:
        yield sink


@pytest.fixture
def mail_sink(_mail_sink: MailSink) -> Iterator[MailSink]:
    """A real SMTP server, empty and without rules; see ``smtp`` for Django's settings."""
    _mail_sink.reset()
    yield _mail_sink
    _mail_sink.reset()


@pytest.fixture
def smtp(settings: SettingsWrapper, mail_sink: MailSink) -> MailSink:
    """Django mails over SMTP to the mail sink, which is returned."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST = mail_sink.host
    settings.EMAIL_PORT = mail_sink.port
    settings.EMAIL_TIMEOUT = 5
    return mail_sink
