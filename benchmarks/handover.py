"""How long from what somebody does until the mail about it is at the provider, at 200 events a second: p95 in 5 s.

People look at the products of an Oscar shop; every fifth likes what they see, and gets a mail with its card at once:
forty a second, three million a day. Four processes record, as a web server's do; a Celery worker of two and beat run as
in production, with the cadence of the defaults and the broker of files. What is taken is the time from the call of
``record`` until the SMTP server has taken the letter. How many mails there can be is not asked here, but by ``send``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from time import monotonic, sleep
from typing import Final

from django.db import connection

from benchmarks.shoppers import LIKES_EVERY
from benchmarks.workers import go, until_up
from crm_plugin import automations
from crm_plugin.conf import settings
from crm_plugin.models import Message
from demo.services.processes import Processes, free_port
from tests.e2e.running import ROOT, RunningShop
from tests.shops.oscar.world import OscarWorld
from tests.stories import definition, open_shop

EVENTS_PER_SECOND: Final = 200
SECONDS: Final = 60
PEOPLE: Final = EVENTS_PER_SECOND * SECONDS
LIKING: Final = PEOPLE // LIKES_EVERY
RECORDERS: Final = 4
PRODUCTS: Final = 30
LIMIT_SECONDS: Final = 5.0
#: A run whose last mail takes longer is given up.
PATIENCE_SECONDS: Final = 120


@dataclass(frozen=True, slots=True)
class Sink:
    """Where the mail server listens."""

    host: str
    port: int


def measure() -> tuple[float, float]:
    """Return the 95th percentile of the delays in seconds, and its limit."""
    products = _prepare()
    with (
        tempfile.TemporaryDirectory() as folder,
        Processes(Path(folder) / "logs") as processes,
        _sink() as (sink, came),
    ):
        shop = RunningShop(processes, state=Path(folder), sink=sink, options=_as_in_production())
        shop.start_worker()
        shop.start_beat()
        _act(shop, range(PEOPLE, PEOPLE + 1), products)  # the worker is up, the template is compiled
        _await_letters(1, PATIENCE_SECONDS)
        liked = _act(shop, range(PEOPLE), products)
        _await_letters(LIKING + 1, PATIENCE_SECONDS)
    delays = sorted(at - liked[email] for email, at in came if email in liked)
    if len(delays) != LIKING:
        raise RuntimeError(f"{len(delays)} letters to {LIKING} people")
    return delays[int(len(delays) * 0.95)], LIMIT_SECONDS


def _as_in_production() -> dict[str, str]:
    """Return what the tests change and this does not: the cadence is that of the defaults."""
    conf = settings()
    return {"CRM_DELIVER_SECONDS": str(conf.deliver_seconds), "CRM_PUMP_SECONDS": str(conf.pump_seconds)}


def _prepare() -> list[str]:
    """Make products, people who agreed to mail, and the campaign; return the ids of the products."""
    open_shop()
    trigger = {"type": "activity", "activity": "liked", "reentry": "once"}
    automations.publish(automations.create_campaign(name="Bench", definition=definition(trigger)).pk)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO crm_plugin_contact (email, first_name, last_name, language, country, time_zone, orders_count,
                created_at)
            SELECT 'person' || n || '@example.com', 'Person ' || n, '', 'en', '', '', 0, now()
            FROM generate_series(0, %s) n
            """,
            [PEOPLE],
        )
        cursor.execute(
            "INSERT INTO crm_plugin_consent (contact_id, channel, is_granted, changed_at) "
            "SELECT id, 'email', TRUE, now() FROM crm_plugin_contact"
        )
    world = OscarWorld()
    made = [world.make_product(prices=[Decimal(20)], stocks=[50], name=f"Bowl {n}") for n in range(PRODUCTS)]
    return [refs[0].product_id for refs in made]


@contextmanager
def _sink() -> Iterator[tuple[Sink, list[tuple[str, float]]]]:
    """Yield where to send mail to, and what has come when: it is known when the block is left."""
    port, came = free_port(), list[tuple[str, float]]()
    command = [sys.executable, "-m", "benchmarks.sink", str(port), "--note"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - our own module
    try:
        until_up(process)
        yield Sink("127.0.0.1", port), came
    finally:
        came += _pairs(process.communicate(timeout=PATIENCE_SECONDS)[0])


def _act(shop: RunningShop, people: range, products: Sequence[str]) -> Mapping[str, float]:
    """Let people act, evenly, told by several processes at once; return when each who liked something did."""
    shares = [people[n * len(people) // RECORDERS : (n + 1) * len(people) // RECORDERS] for n in range(RECORDERS)]
    rate = str(EVENTS_PER_SECOND / RECORDERS)
    recorders = [
        subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "benchmarks.shoppers", str(share.start), str(len(share)), rate, *products],
            cwd=ROOT, env=os.environ | shop.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        for share in shares if share
    ]  # fmt: skip
    for recorder in recorders:
        until_up(recorder)
    for recorder in recorders:
        go(recorder)
    told = [recorder.communicate(timeout=SECONDS + PATIENCE_SECONDS)[0] for recorder in recorders]
    return dict(pair for output in told for pair in _pairs(output))


def _pairs(output: bytes) -> list[tuple[str, float]]:
    return [(email, float(at)) for email, at in (line.split() for line in output.decode().splitlines())]


def _await_letters(count: int, seconds: float) -> None:
    end = monotonic() + seconds
    while (sent := Message.objects.filter(state="sent").count()) < count:
        if monotonic() > end:
            raise RuntimeError(f"{sent} of {count} mails were handed over")
        sleep(0.5)
