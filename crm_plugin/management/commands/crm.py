"""``manage.py crm``: background work, backfill, erasure, lists, dry runs, state, what providers must be told."""

from __future__ import annotations

import json
import logging
import signal
import threading
import time
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError
from django.db import close_old_connections, connections
from tqdm import tqdm

from crm_plugin import (
    activity,
    audience,
    automations,
    beat,
    contacts,
    coupons,
    guard,
    merchant,
    messaging,
    persons,
    pipeline,
    shop,
)
from crm_plugin.activity import Purpose
from crm_plugin.audience import ImportState, ListImport
from crm_plugin.conf import settings
from crm_plugin.errors import CRMError
from crm_plugin.loops import BRIEF
from crm_plugin.management.diagnosis import findings
from crm_plugin.management.foretelling import as_json, as_table

logger = logging.getLogger(__name__)

#: What ``crm run`` does, in an order in which one feeds the next.
_WORK: dict[str, Callable[[], object]] = {
    "crm.reconcile": pipeline.reconcile,
    "crm.watch_prices": pipeline.watch_prices,
    "crm.pump": partial(pipeline.pump, BRIEF),
    "crm.deliver": partial(pipeline.deliver, BRIEF),
    "crm.housekeep": pipeline.housekeep,
}
#: Of that, what has left something when it did something: looked at again soon, once the others had their turn.
_LEAVES_SOMETHING: Final = frozenset({"crm.pump", "crm.deliver"})
#: What it does beside that, in a thread of its own: computing a large segment takes minutes, and no mail waits for it.
_ASIDE: dict[str, Callable[[], object]] = {
    "crm.audience": pipeline.upkeep_audience,
    "crm.webhooks": pipeline.call_webhooks,
}
#: How long the thread may take to come to an end; what it has begun is rolled back then.
STOP_SECONDS = 10.0
#: How often `crm import-list` looks for an import that another worker is busy with.
LOOK_SECONDS = 1.0

#: How many of the facts that were set aside ``crm status`` shows.
SHOWN_ROWS = 5
#: How long `crm run --once` goes on looking for more to do.
ONCE_SECONDS = 3_600.0


def _survive(task: str, work: Callable[[], object]) -> object:
    """Do the work; what fails is logged and done again at its next time, over a new connection if that was lost."""
    close_old_connections()
    try:
        return work()
    except Exception:
        logger.exception("crm: %s failed; crm run goes on", task)
        return None


def _keep_doing(tasks: Mapping[str, Callable[[], object]], stop: threading.Event) -> None:
    """Do each task as often as beat would, or a nudge where something was left, until told to stop."""
    due = dict.fromkeys(tasks, 0.0)
    while not stop.is_set():
        for task, work in tasks.items():
            if time.monotonic() >= due[task] and not stop.is_set():
                is_left = bool(_survive(task, work)) and task in _LEAVES_SOMETHING
                pause = settings().nudge_seconds if is_left else beat.periods()[task]
                due[task] = time.monotonic() + pause
        stop.wait(max(0.0, min(due.values()) - time.monotonic()))


def _keep_doing_aside(tasks: Mapping[str, Callable[[], object]], stop: threading.Event) -> None:
    try:
        _keep_doing(tasks, stop)
    finally:
        connections.close_all()  # those of this thread


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
        copy = commands.add_parser("export-person", help="everything that is kept about a person, as JSON")
        copy.add_argument("--customer-id", default="")
        copy.add_argument("--email", default="")
        copy.add_argument("--output", type=Path, help="write it here; else it is printed")
        commands.add_parser("adopt-key", help="take a changed key for the right one; older suppressions are lost")
        commands.add_parser("segments", help="every segment with its members, its state and what went wrong")
        fill = commands.add_parser("import-list", help="read a CSV file of e-mails or customer ids into a static list")
        fill.add_argument("segment", type=int, help="id of the list")
        fill.add_argument("file", type=Path)
        fill.add_argument("--dry-run", action="store_true", help="look at every line, write nothing")
        ahead = commands.add_parser("dry-run", help="who would get what and when; nothing is changed")
        ahead.add_argument("campaign", type=int, help="id of the campaign, a draft as well")
        ahead.add_argument("--days", type=int, default=7, help="how far to look, at most 31")
        ahead.add_argument("--limit", type=int, default=50, help="rows to show, at most 1000; the totals count all")
        ahead.add_argument("--json", action="store_true", help="for programs")
        commands.add_parser("status", help="queues, lag, failed hooks; exits 1 when somebody should look")
        commands.add_parser("retry", help="after a repair: facts set aside go in line again, failed hooks count anew")
        commands.add_parser("receipts", help="the addresses to enter at providers; they hold secrets")
        commands.add_parser("vapid-keys", help="make a pair of keys for web push and print it")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run one subcommand."""
        getattr(self, f"_{options['command'].replace('-', '_')}")(options)

    def _run(self, options: dict[str, Any]) -> None:
        if options["once"]:
            self._run_once()
        else:
            self._run_until_stopped()
        self.stdout.write("crm run: stopped")

    def _run_once(self) -> None:
        end = time.monotonic() + ONCE_SECONDS
        pipeline.reconcile()
        while pipeline.watch_prices() + pipeline.upkeep_audience() + pipeline.pump() + pipeline.deliver():
            if time.monotonic() > end:  # what goes on arriving must not keep a scheduled command from ending
                self.stdout.write("crm run: more is left to do; run it again")
                break
        pipeline.housekeep()

    def _run_until_stopped(self) -> None:
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        aside = threading.Thread(target=_keep_doing_aside, args=(_ASIDE, stop), name="crm-audience", daemon=True)
        aside.start()
        _keep_doing(_WORK, stop)
        aside.join(STOP_SECONDS)

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
        count = persons.erase(customer_id=options["customer_id"], email=options["email"].strip().lower())
        self.stdout.write(f"crm erase: {count} contacts erased")

    def _export_person(self, options: dict[str, Any]) -> None:
        with shop.current().writable():
            found = contacts.ids_of_identity(customer_id=options["customer_id"], email=options["email"])
            if not found:
                raise CommandError("Nothing is kept about such a person. Say whom: --customer-id or --email.")
            export = audience.start_person_export(found, "command")
            audience.claim_export(export.pk)
            copy = persons.Copy(found)
            if options["output"] is None:
                self.stdout.writelines(copy)
            else:
                with options["output"].open("w", encoding="utf-8") as file:
                    file.writelines(copy)
            audience.finish_export(export.pk, copy.rows_count)
        self.stderr.write(f"crm export-person: {copy.rows_count} rows")

    def _adopt_key(self, _options: dict[str, Any]) -> None:
        with shop.current().writable():
            is_new = contacts.adopt_key()
        self.stdout.write(f"crm adopt-key: {'the present key counts from now on' if is_new else 'nothing to do'}")

    def _segments(self, _options: dict[str, Any]) -> None:
        with shop.current().writable():
            for row in audience.segments().order_by("pk"):
                self.stdout.write(
                    f"{row.pk:>6} {row.kind:<6} {row.state:<8} {row.members_count:>9} {row.name}"
                    + (f" - {row.error}" if row.error else "")
                )

    def _import_list(self, options: dict[str, Any]) -> None:
        if not shop.current().operator().is_enabled:
            raise CommandError("The CRM is switched off; switch it on first.")
        try:
            content = options["file"].read_bytes()
            with shop.current().writable():
                made = audience.start_import(options["segment"], content, is_dry_run=options["dry_run"])
        except (CRMError, OSError) as error:
            raise CommandError(str(error)) from error
        done = self._wait_for(made)
        for refused in done.errors:
            self.stdout.write(f"line {refused['line']}: {refused['message']}")
        words = "would be added" if done.is_dry_run else "added"
        self.stdout.write(f"crm import-list: {done.added_count} {words}, {done.refused_count} lines refused")
        if done.state == ImportState.FAILED:
            raise CommandError("The import failed; the lines before are in the list.")

    def _wait_for(self, made: ListImport) -> ListImport:
        """Do imports until this one is over; another worker may be the one who does it."""
        with tqdm(total=made.lines_count, unit=" lines", desc="import", file=self.stderr) as bar:
            while True:
                done = pipeline.import_lists()
                with shop.current().writable():
                    row = audience.imports().get(pk=made.pk)
                bar.update(row.done_count - bar.n)
                if row.finished_at:
                    return row
                if not done:
                    time.sleep(LOOK_SECONDS)

    def _dry_run(self, options: dict[str, Any]) -> None:
        with shop.current().writable():
            try:
                language = merchant.load().default_language
                found = automations.dry_run(
                    options["campaign"], days=options["days"], limit=options["limit"], language=language
                )
            except CRMError as error:
                raise CommandError(str(error)) from error
            people = contacts.rows_of({one.contact_id for one in found.foreseen})
            names = {row.pk: row.email or row.customer_id or "" for row in people}
            zone = merchant.zone()
        if options["json"]:
            self.stdout.write(as_json(found))
            return
        for line in as_table(found, names=names, zone=zone):
            self.stdout.write(line)

    def _status(self, _options: dict[str, Any]) -> None:
        with shop.current().writable():  # reading as well: Saleor guards its writer connection against both
            state = {
                "enabled": shop.current().operator().is_enabled,
                "is_key_kept": contacts.is_key_kept(),
                "activity": activity.lag(),
                "audience": audience.lag(),
                "automations": automations.lag(),
                "coupons": coupons.lag(),
                "messages": messaging.lag(),
                "failed_hooks": guard.failures(),
                "last_failures": guard.last_failures(),
                "set_aside": activity.broken(SHOWN_ROWS),
            }
        self.stdout.write(json.dumps(state, indent=2, sort_keys=True))
        if wrong := list(findings(state)):
            raise CommandError("\n".join(wrong), returncode=1)

    def _retry(self, _options: dict[str, Any]) -> None:
        with shop.current().writable():
            facts, doors = activity.take_back(), guard.forget_failures()
        self.stdout.write(f"crm retry: {facts} facts in line again, {doors} failed hooks forgotten")

    def _receipts(self, _options: dict[str, Any]) -> None:
        with shop.current().writable():
            for name in messaging.PROVIDERS:
                self.stdout.write(f"{name:<8} {messaging.receipts_url(name)}")

    def _vapid_keys(self, _options: dict[str, Any]) -> None:
        try:
            private, public = messaging.make_vapid_keys()
        except ImportError as error:
            raise CommandError("Install what web push needs first: pip install 'crm_plugin[push]'.") from error
        self.stdout.write(f"CRM_VAPID_PRIVATE_KEY={private}")
        self.stdout.write(f"# what browsers get, from push/key/: {public}")
