"""System checks of a shop on Oscar."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured

from crm_plugin.conf import settings
from crm_plugin.shops.oscar import site


def connect() -> None:
    """Put the checks among Django's; doing it twice is doing it once."""
    register(check_mounted, "crm")


def check_mounted(**_kwargs: Any) -> list[CheckMessage]:
    """crm.E003: nothing says under which address the public endpoints are reached."""
    if settings().public_url:
        return []
    try:
        site.mounted_at()
    except ImproperlyConfigured as error:
        return [Error(str(error), hint="See docs/operators-oscar.md, section Install.", id="crm.E003")]
    return []
