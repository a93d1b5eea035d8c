"""Beat entries: they appear by themselves in the shop's Celery beat, whatever scheduler it uses."""

from __future__ import annotations

from typing import Any

from celery import current_app

from crm_plugin.conf import settings


def periods() -> dict[str, float]:
    """Return how often each task is due, in seconds; ``manage.py crm run`` keeps the same times."""
    conf = settings()
    return {
        "crm.pump": conf.pump_seconds,
        "crm.deliver": conf.deliver_seconds,
        "crm.webhooks": conf.deliver_seconds,
        "crm.watch_prices": min(conf.price_scan_seconds, 10.0),
        "crm.audience": conf.audience_seconds,
        "crm.reconcile": conf.reconcile_seconds,
        "crm.housekeep": conf.housekeep_seconds,
    }


def entries() -> dict[str, dict[str, Any]]:
    """Return the schedule. Each entry expires before its next run, so that a long outage leaves no heap."""
    queue = settings().celery_queue_name
    return {
        task.replace(".", "-").replace("_", "-"): {
            "task": task,
            "schedule": seconds,
            "options": {"expires": max(seconds, 1.0), **({"queue": queue} if queue else {})},
        }
        for task, seconds in periods().items()
    }


def install() -> None:
    """Add the entries to the schedule of this process's Celery app (Saleor's ``saleor.celeryconf.app``)."""
    current_app.conf.beat_schedule.update(entries())
