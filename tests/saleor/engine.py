"""The engine as Saleor's worker runs it: tasks of Saleor's Celery app, which raise on undeclared use of the writer."""

from __future__ import annotations

from saleor.product.tasks import recalculate_discounted_price_for_products_task

from crm_plugin import tasks


def drain() -> None:
    """Bring what was recorded to its effect, short of sending."""
    tasks.pump.delay()


def reconcile() -> None:
    """Find what no hook told."""
    tasks.reconcile.delay()


def run() -> None:
    """Do all that is due: facts, prices, what follows from them, and mail."""
    tasks.pump.delay()
    tasks.watch_prices.delay()
    tasks.pump.delay()
    tasks.deliver.delay()
    tasks.pump.delay()


def saleor_computes_prices() -> None:
    """Let Saleor do what its beat does every half minute: promotions and dirty prices."""
    recalculate_discounted_price_for_products_task.delay()
