"""The Django app of the demo: templates, and the Celery app that every process of the shop shares."""

from __future__ import annotations

from django.apps import AppConfig


class DemoConfig(AppConfig):
    """``demo`` as a Django app, listed first."""

    name = "demo"

    def ready(self) -> None:
        """Make the demo's Celery app the one of this process before the CRM adds its beat entries to it."""
        from demo import celery  # noqa: F401, PLC0415 - only once Django's settings are there
