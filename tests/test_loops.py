"""Loops in the background: until nothing is left, or brief, for the sake of those that wait behind them."""

from __future__ import annotations

import time

import pytest
from django.db import OperationalError

from crm_plugin import loops
from crm_plugin.loops import BRIEF, Portion, Turn, in_turn
from tests.fake_shop import FakeShop


class Work:
    """Finds so much in each round."""

    def __init__(self, *found: int, then: int = 0) -> None:
        self._found, self._then, self.rounds = list(found), then, 0

    def __call__(self) -> int:
        self.rounds += 1
        return self._found.pop(0) if self._found else self._then


def test_a_whole_turn_ends_when_nothing_is_left(fake_shop: FakeShop):
    first, second = Work(1, 0, 0), Work(1, 1, 0)

    assert in_turn(first, second) == 3
    assert (first.rounds, second.rounds) == (3, 3)


def test_a_trickle_is_left_to_the_next_look(fake_shop: FakeShop):
    trickling = Work(then=BRIEF.least - 1)

    done = in_turn(trickling, turn=BRIEF)

    assert trickling.rounds == 2  # what the first round brought about is done by the second
    assert done == 2 * (BRIEF.least - 1)


def test_a_backlog_is_worked_off_until_the_turn_is_over(fake_shop: FakeShop):
    def batch() -> int:
        time.sleep(0.01)
        return BRIEF.least

    began = time.monotonic()
    done = in_turn(batch, turn=Turn(seconds=0.2, least=BRIEF.least))

    assert done > 2 * BRIEF.least
    assert time.monotonic() - began >= 0.2


def test_a_line_of_small_chunks_is_worked_off_in_one_turn(fake_shop: FakeShop):
    line: list[int | None] = [1, 0, 3]

    in_turn(lambda: loops.chunk(line.pop(0) if line else None), turn=BRIEF)

    assert line == []


def test_a_loop_that_is_switched_off_ends_before_the_next_batch(fake_shop: FakeShop):
    behind = Work(then=1)

    def switch_off() -> int:
        fake_shop.is_enabled = False
        return 1

    assert in_turn(switch_off, behind) == 1
    assert behind.rounds == 0


def test_a_pass_that_fails_holds_up_no_other(fake_shop: FakeShop, caplog: pytest.LogCaptureFixture):
    def broken() -> int:
        raise OperationalError

    fine = Work(1, 1)

    assert in_turn(broken, fine) == 2
    assert loops.__name__ in {record.name for record in caplog.records}
    assert len(caplog.records) == 1


def test_what_takes_longer_than_a_turn_is_taken_in_smaller_portions_until_it_is_quick_again():
    portion, sizes = Portion(), []
    for seconds in (1.0, 40.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0):
        size = portion.size(500)
        portion.learn(size, seconds=seconds, least=10)
        sizes.append(size)

    assert sizes == [500, 500, 25, 50, 100, 200, 400, 500]


def test_a_portion_is_never_too_small_for_one_commit_and_grows_only_by_full_ones():
    portion = Portion()
    portion.learn(500, seconds=10_000.0, least=50)
    least = portion.size(500)
    portion.learn(3, seconds=0.1, least=50)

    assert (least, portion.size(500)) == (50, 50)
