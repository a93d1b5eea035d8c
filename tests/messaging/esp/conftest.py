"""A provider's API on this machine, and the e-mail channel that goes through it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from tests.messaging.esp.esp_server import EspServer

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

    from crm_plugin.messaging.channels.email import EmailChannel

#: Every credential that Anymail asks for.
KEYS = {
    "POSTMARK_SERVER_TOKEN": "pm",
    "RESEND_API_KEY": "re",
    "MAILJET_API_KEY": "mj",
    "MAILJET_SECRET_KEY": "s",
    "BREVO_API_KEY": "br",
}


@pytest.fixture
def esp_server() -> Iterator[EspServer]:
    with EspServer() as server:
        yield server


@pytest.fixture
def channel_of(settings: SettingsWrapper, esp_server: EspServer) -> Iterator[Callable[[str], EmailChannel]]:
    """Return an open e-mail channel that goes through a provider, by the name of Anymail's module."""
    from crm_plugin.messaging.channels.email import EmailChannel  # noqa: PLC0415 - Django is ready only here

    opened: list[EmailChannel] = []

    def make(esp: str, **changes: object) -> EmailChannel:
        urls = {f"{name}_API_URL": esp_server.url for name in ("POSTMARK", "RESEND", "MAILJET", "BREVO")}
        settings.ANYMAIL = KEYS | urls | {"REQUESTS_TIMEOUT": 1.0} | changes
        settings.CRM_EMAIL_BACKEND = f"anymail.backends.{esp}.EmailBackend"
        channel = EmailChannel()
        channel.open()
        opened.append(channel)
        return channel

    yield make
    for channel in opened:
        channel.close()
