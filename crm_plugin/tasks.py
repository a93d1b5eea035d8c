"""Celery tasks: they only say "look now" to the pipeline. The database is the queue of record.

Who sends them names the queue (``nudge`` and ``beat``, from ``CRM_CELERY_QUEUE_NAME``). Those that a nudge sends take
the time when it was sent: of many that wait, one is done.
"""

from __future__ import annotations

from functools import partial

from celery import shared_task

from crm_plugin import nudge, pipeline
from crm_plugin.loops import BRIEF


@shared_task(name="crm.pump", ignore_result=True)
def pump(sent_at: float | None = None) -> None:
    """Drain, follow, fan out, advance."""
    nudge.heed("crm.pump", partial(pipeline.pump, BRIEF), sent_at=sent_at)


@shared_task(name="crm.deliver", ignore_result=True)
def deliver(sent_at: float | None = None) -> None:
    """Hand out due messages."""
    nudge.heed("crm.deliver", partial(pipeline.deliver, BRIEF), sent_at=sent_at)


@shared_task(name="crm.webhooks", ignore_result=True)
def call_webhooks(sent_at: float | None = None) -> None:
    """Make due webhook calls."""
    nudge.heed("crm.webhooks", pipeline.call_webhooks, sent_at=sent_at)


@shared_task(name="crm.watch_prices", ignore_result=True)
def watch_prices(sent_at: float | None = None) -> None:
    """Read the watched prices that are due."""
    nudge.heed("crm.watch_prices", pipeline.watch_prices, sent_at=sent_at)


@shared_task(name="crm.audience", ignore_result=True)
def upkeep_audience(sent_at: float | None = None) -> None:
    """Segments follow time; builds, imports, scores."""
    nudge.heed("crm.audience", pipeline.upkeep_audience, sent_at=sent_at)


@shared_task(name="crm.reconcile", ignore_result=True)
def reconcile() -> None:
    """Record what no hook told."""
    pipeline.reconcile()


@shared_task(name="crm.housekeep", ignore_result=True)
def housekeep() -> None:
    """Expired leases, ended campaigns, unwatched prices."""
    pipeline.housekeep()
