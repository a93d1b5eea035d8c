"""The demo shop's Celery app: ``celery -A demo.celery worker`` and ``celery -A demo.celery beat``."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "demo.settings")

app = Celery("demo")
# Celery's "current app" belongs to one thread; a web server answers in many.
app.set_default()
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
