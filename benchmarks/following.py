"""How long from what somebody does until they are in the segment, at 200 events a second: 95 of 100 within 5 seconds.

Recorder, worker and reader are threads of one process with a connection each; twenty live segments are kept. What is
taken is the time from the call of ``record`` until the membership is committed and read by somebody else.
"""

from __future__ import annotations

import threading
import time
from typing import Final

from django.db import connection

from crm_plugin import activity, audience, pipeline, shop
from crm_plugin.models import Member
from crm_plugin.shop import Fact, FactKind
from tests.fake_shop import FakeShop

EVENTS_PER_SECOND: Final = 200
SECONDS: Final = 20
SEGMENTS: Final = 20
LIMIT_SECONDS: Final = 5.0
#: How long the worker rests between two looks, as a nudged worker does.
REST_SECONDS: Final = 0.2
#: How often the reader looks.
READ_SECONDS: Final = 0.05
#: A run that takes longer is given up.
PATIENCE_SECONDS: Final = 120


def measure() -> tuple[float, float]:
    """Return the 95th percentile of the delays in seconds, and its limit."""
    before = shop.install(FakeShop())
    try:
        ids = [_segment(number) for number in range(SEGMENTS)]
        _quiet()
        told: dict[str, float] = {}
        is_over = threading.Event()
        threads = [
            threading.Thread(target=_record, args=(told,)),
            threading.Thread(target=_work, args=(is_over,)),
        ]
        for thread in threads:
            thread.start()
        try:
            delays = _read(ids[0], told)
        finally:
            is_over.set()
            for thread in threads:
                thread.join(timeout=PATIENCE_SECONDS)
    finally:
        shop.install(before)
    return sorted(delays)[int(len(delays) * 0.95)], LIMIT_SECONDS


def _segment(number: int) -> int:
    """The first segment takes everybody who searches; the others ask other questions of the same people."""
    times = {"op": "at_least", "count": number + 1}
    rule = {"include": {"type": "did", "activity": "searched", "times": times}}
    return int(audience.create_segment(f"Searched {number + 1} times", rule=rule).pk)


def _quiet() -> None:
    """Build the segments, which are empty."""
    for _ in range(100):
        if not pipeline.pump() + pipeline.upkeep_audience():
            return


def _record(told: dict[str, float]) -> None:
    start = time.perf_counter()
    for number in range(EVENTS_PER_SECOND * SECONDS):
        time.sleep(max(0.0, start + number / EVENTS_PER_SECOND - time.perf_counter()))
        person = f"person{number}@example.com"
        told[person] = time.perf_counter()
        activity.record(Fact(kind=FactKind.SEARCHED, source_key=f"bench:{number}", email=person, subject="bowl"))
    connection.close()


def _work(is_over: threading.Event) -> None:
    while not is_over.wait(REST_SECONDS):
        pipeline.pump()
    connection.close()


def _read(segment: int, told: dict[str, float]) -> list[float]:
    delays: list[float] = []
    last, end = 0, time.perf_counter() + PATIENCE_SECONDS
    while len(delays) < EVENTS_PER_SECOND * SECONDS and time.perf_counter() < end:
        rows = Member.objects.filter(segment_id=segment, pk__gt=last).order_by("pk")
        joined = list(rows.values_list("pk", "contact__email"))
        now = time.perf_counter()
        delays += [now - told[email] for _pk, email in joined]
        last = joined[-1][0] if joined else last
        time.sleep(READ_SECONDS)
    if len(delays) < EVENTS_PER_SECOND * SECONDS:
        raise RuntimeError(f"only {len(delays)} people became members in {PATIENCE_SECONDS} s")
    return delays
