"""``manage.py crm``: run, backfill, reconcile, erase, status, retry."""

from __future__ import annotations

import json
import logging
import signal
import threading
import time
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import close_old_connections
from tqdm import tqdm

from crm_plugin import activity, beat, guard, messaging, pipeline, shop
from crm_plugin.activity import Purpose

logger = logging.getLogger(__name__)

#: What ``crm run`` does, in an order in which one feeds the next.
_WORK: dict[str, Callable[[], object]] = {
    "crm.reconcile": pipeline.reconcile,
    "crm.watch_prices": pipeline.watch_prices,
    "crm.pump": pipeline.pump,
    "crm.deliver": pipeline.deliver,
    "crm.housekeep": pipeline.housekeep,
}


#: How many of the facts that were set aside ``crm status`` shows.
SHOWN_ROWS = 5


def _survive(task: str, work: Callable[[], object]) -> None:
    """Do the work; what fails is logged and done again at its next time, over a new connection if that was lost."""
    close_old_connections()
    try:
        work()
    except Exception:
        logger.exception("crm: %s failed; crm run goes on", task)


class Command(BaseCommand):
    """The operator's command."""

    help = "Marketing automation: run the loops in this process, fill in history, look at the state."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the subcommands."""
        commands = parser.add_subparsers(dest="command", required=True)
        run = commands.add_parser("run", help="do all background work in this process, without Celery")
        run.add_argument("--once", action="store_true", help="stop when nothing is left to do now")
        fill = commands.add_parser("backfill", help="read the shop's customers, orders, carts and likes; resumable")
        fill.add_argument("--restart", action="store_true", help="begin again; what was read stays read once")
        commands.add_parser("reconcile", help="record now what no hook told")
        erase = commands.add_parser("erase", help="forget a person")
        erase.add_argument("--customer-id", default="")
        erase.add_argument("--email", default="")
        commands.add_parser("status", help="queues, lag, failed hooks; exits 1 when somebody should look")
        commands.add_parser("retry", help="after a repair: facts set aside go in line again, failed hooks count anew")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run one subcommand."""
        getattr(self, f"_{options['command']}")(options)

    def _run(self, options: dict[str, Any]) -> None:
        if options["once"]:
            self._run_once()
        else:
            self._run_until_stopped()
        self.stdout.write("crm run: stopped")

    def _run_once(self) -> None:
        pipeline.reconcile()
        while pipeline.watch_prices() + pipeline.pump() + pipeline.deliver():
            continue
        pipeline.housekeep()

    def _run_until_stopped(self) -> None:
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        due = dict.fromkeys(_WORK, 0.0)
        while not stop.is_set():
            for task, work in _WORK.items():
                if time.monotonic() >= due[task]:
                    _survive(task, work)
                    due[task] = time.monotonic() + beat.periods()[task]
            stop.wait(max(0.0, min(due.values()) - time.monotonic()))

    def _backfill(self, options: dict[str, Any]) -> None:
        if not shop.current().operator().is_enabled:
            raise CommandError("The CRM is switched off; switch it on first.")
        if options["restart"]:
            with shop.current().writable():
                activity.restart(Purpose.BACKFILL)
        with tqdm(unit=" facts", desc="backfill", file=self.stderr) as bar:

            def progress(stream: str, count: int) -> None:
                bar.set_postfix_str(stream)
                bar.update(count)

            total = pipeline.backfill(progress)
        self.stdout.write(f"crm backfill: {total} facts read")

    def _reconcile(self, _options: dict[str, Any]) -> None:
        self.stdout.write(f"crm reconcile: {pipeline.reconcile()} facts told")

    def _erase(self, options: dict[str, Any]) -> None:
        if not options["customer_id"] and not options["email"]:
            raise CommandError("Say whom: --customer-id or --email.")
        count = pipeline.erase(customer_id=options["customer_id"], email=options["email"].strip().lower())
        self.stdout.write(f"crm erase: {count} contacts erased")

    def _status(self, _options: dict[str, Any]) -> None:
        with shop.current().writable():  # reading as well: Saleor guards its writer connection against both
            state = {
                "enabled": shop.current().operator().is_enabled,
                "activity": activity.lag(),
                "messages": messaging.lag(),
                "failed_hooks": guard.failures(),
                "last_failures": guard.last_failures(),
                "set_aside": activity.broken(SHOWN_ROWS),
            }
        self.stdout.write(json.dumps(state, indent=2, sort_keys=True))
        if state["failed_hooks"] or state["set_aside"]:
            raise CommandError(
                "Some hooks failed or facts were set aside; the log says why. Once that is repaired: `crm retry`.",
                returncode=1,
            )

    def _retry(self, _options: dict[str, Any]) -> None:
        with shop.current().writable():
            facts, doors = activity.take_back(), guard.forget_failures()
        self.stdout.write(f"crm retry: {facts} facts in line again, {doors} failed hooks forgotten")
