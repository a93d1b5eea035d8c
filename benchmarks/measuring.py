"""How a row is measured and judged."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Measured:
    """One row of the table.

    Attributes:
        ours, limit: seconds for durations, a number per second for rates.
        ratio: ours to the limit.
        keep: the bound of the ratio: the most for durations, the least for rates.
        is_rate: more is better.
    """

    row: str
    ours: float
    limit: float
    ratio: float
    keep: float
    ok: bool
    is_rate: bool = False

    def line(self) -> str:
        """Return the row of the printed table."""
        ours, limit = (f"{n:.0f} /s" if self.is_rate else f"{n * 1_000:.2f} ms" for n in (self.ours, self.limit))
        keep = f"{'>=' if self.is_rate else '<='} {self.keep}"
        return (
            f"{self.row:<10} {ours:>14} {limit:>14} {self.ratio:>7.3f}  {keep:<8} {'ok' if self.ok else 'FALLS SHORT'}"
        )


def by_turns(ours: Callable[[], float], limit: Callable[[], float], *, times: int) -> tuple[float, float]:
    """Return the medians of ``times`` measurements each, taken by turns so that both meet the same machine."""
    pairs = [(ours(), limit()) for _ in range(times)]
    return median(mine for mine, _ in pairs), median(theirs for _, theirs in pairs)


def at_most(row: str, times: tuple[float, float], keep: float) -> Measured:
    """Compare durations: ours may take ``keep`` (at least 1) times as long."""
    mine, theirs = times
    return Measured(row, mine, theirs, mine / theirs, keep, ok=mine / theirs <= keep)


def at_least(row: str, rates: tuple[float, float], keep: float) -> Measured:
    """Compare rates: ours must reach ``keep`` times the limit's."""
    mine, theirs = rates
    return Measured(row, mine, theirs, mine / theirs, keep, ok=mine / theirs >= keep, is_rate=True)


def timed(work: Callable[[], object]) -> float:
    """Return how many seconds ``work`` took."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
