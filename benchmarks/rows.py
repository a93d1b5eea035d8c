"""The rows of design section 5 that exist so far, by name."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks import (
    advancing,
    audience,
    batch_sending,
    collect,
    drain,
    fan_out,
    following,
    handover,
    issuing,
    matching,
    mutation,
    recording,
    restock,
    sending,
)
from benchmarks.measuring import Measured, at_least, at_most

ROWS: dict[str, Callable[[], Measured]] = {
    "mutation": lambda: at_most("mutation", mutation.measure(), 1.03),
    "record": lambda: at_most("record", recording.measure(), 4),
    "drain": lambda: at_most("drain", drain.measure(), 2),
    "fan_out": lambda: at_most("fan_out", fan_out.measure(), 3),
    "restock": lambda: at_most("restock", restock.measure(), 3),
    "match": lambda: at_most("match", matching.measure(), 2),
    "advance": lambda: at_least("advance", advancing.measure(), 0.4),
    "advance_2": lambda: at_least("advance_2", advancing.measure_two(), 1.7),
    "audience": lambda: at_most("audience", audience.measure(), 1.2),
    "follow": lambda: at_most("follow", following.measure(), 1),
    "handover": lambda: at_most("handover", handover.measure(), 1),
    "send": lambda: at_least("send", sending.measure(), 0.8),
    "send_batch": lambda: at_least("send_batch", batch_sending.measure(), 0.5),
    "send_batch_2": lambda: at_least("send_batch_2", batch_sending.measure_two(), 1.7),
    "issue": lambda: at_least("issue", issuing.measure(), 0.5),
    "collect": lambda: at_least("collect", collect.measure(), 0.5),
}
