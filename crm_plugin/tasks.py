"""Celery tasks: they only say "look now" to the pipeline. The database is the queue of record.

Who sends them names the queue (``nudge`` and ``beat``, from ``CRM_CELERY_QUEUE_NAME``).
"""

from __future__ import annotations

from celery import shared_task

from crm_plugin import pipeline


@shared_task(name="crm.pump", ignore_result=True)
def pump() -> None:
    """Drain, follow, fan out, advance."""
    pipeline.pump()


@shared_task(name="crm.deliver", ignore_result=True)
def deliver() -> None:
    """Hand out due messages."""
    pipeline.deliver()


@shared_task(name="crm.webhooks", ignore_result=True)
def call_webhooks() -> None:
    """Make due webhook calls."""
    pipeline.call_webhooks()


@shared_task(name="crm.watch_prices", ignore_result=True)
def watch_prices() -> None:
    """Read the watched prices that are due."""
    pipeline.watch_prices()


@shared_task(name="crm.audience", ignore_result=True)
def upkeep_audience() -> None:
    """Segments follow time; builds, imports, scores."""
    pipeline.upkeep_audience()


@shared_task(name="crm.reconcile", ignore_result=True)
def reconcile() -> None:
    """Record what no hook told."""
    pipeline.reconcile()


@shared_task(name="crm.housekeep", ignore_result=True)
def housekeep() -> None:
    """Expired leases, ended campaigns, unwatched prices."""
    pipeline.housekeep()
