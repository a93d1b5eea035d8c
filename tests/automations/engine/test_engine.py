"""What holds of every campaign, whatever people, staff and workers do, in whatever order, whoever dies meanwhile."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tests.automations.engine import programs
from tests.automations.engine.world import PEOPLE, POINTS, PRODUCTS, World, draft
from tests.stories import send

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

#: More of them on demand: CRM_EXAMPLES=1000 and --hypothesis-profile=default.
EXAMPLES = int(os.environ.get("CRM_EXAMPLES", "8"))
STEPS = 25

STARTS = ("liked", "viewed", "ordered", "custom")
DEEDS = st.sampled_from([*STARTS, *STARTS, "visited", "reviewed"])
EXITS = ("bought_item", "ordered", "order_undone", "reviewed_item", "visited", "unsubscribed")
ROUND = ("pump", "deliver")
PASSES = st.sampled_from([ROUND, ROUND, ("pump",), ("deliver",), ("housekeep",), ("pump", "pump")])
PAIRS = st.sampled_from([("pump", "pump"), ("pump", "deliver"), ("deliver", "deliver"), ("pump", "housekeep")])
#: Up to two days: what is due longer is dropped as stale. Half a year and a month: the clocks are put back.
NAPS = st.sampled_from([1, 10, 61, 6 * 60, 25 * 60, 49 * 60, 211 * 24 * 60])
person, product, campaign = st.integers(0, PEOPLE - 1), st.integers(0, PRODUCTS - 1), st.integers(0, 1)


@st.composite
def drafts(draw: st.DrawFn) -> dict[str, Any]:
    """Definitions that start by something that people do."""
    reentry = draw(st.sampled_from(["per_subject", "per_subject", "always", "once", "after"]))
    trigger = {
        "type": "activity",
        "activity": draw(st.sampled_from(STARTS)),
        "reentry": reentry,
        "concurrency": draw(st.sampled_from(["subject", "contact"])),
        **({"reentry_days": 3} if reentry == "after" else {}),
    }
    exits = draw(st.lists(st.sampled_from(EXITS), max_size=2, unique=True))
    last = [send("last")] if draw(st.integers(0, 2)) else []
    return draft(trigger, [*draw(programs.steps()), *last], exits)


class Engine(RuleBasedStateMachine):
    """Two campaigns and three people."""

    world: World | None = None

    @initialize(first=drafts(), second=drafts(), passes=st.sampled_from([(), ("pump",), ROUND]))
    def everybody_is_on_the_way(self, first: dict[str, Any], second: dict[str, Any], passes: tuple[str, ...]) -> None:
        self.world = World([first, second])
        for made in (first, second):
            for who in range(PEOPLE):
                self.world.do(who, made["trigger"]["activity"], who % PRODUCTS)
        self.world.work(*passes)

    @rule(done=st.lists(st.tuples(person, DEEDS, product), min_size=1, max_size=6))
    def people_do_something(self, done: list[tuple[int, str, int]]) -> None:
        for who, deed, what in done:
            self.world.do(who, deed, what)

    @rule(who=person, deed=DEEDS, what=product, minutes=st.sampled_from([1, 90, 30 * 60]))
    def it_is_told_late_what_somebody_did(self, who: int, deed: str, what: int, minutes: int) -> None:
        self.world.do(who, deed, what, minutes_late=minutes)

    @rule(who=person)
    def an_order_is_cancelled(self, who: int) -> None:
        self.world.cancel(who)

    @rule(who=person, is_granted=st.booleans())
    def somebody_says_what_they_want(self, who: int, *, is_granted: bool) -> None:
        self.world.consent(who, is_granted=is_granted)

    @rule(number=campaign)
    def a_campaign_is_paused_or_resumed(self, number: int) -> None:
        self.world.pause_or_resume(number)

    @rule(number=campaign, new=drafts())
    def a_campaign_is_changed(self, number: int, new: dict[str, Any]) -> None:
        self.world.republish(number, new)

    @rule(number=campaign)
    def people_in_flight_are_moved_to_what_runs(self, number: int) -> None:
        self.world.move_people(number)

    @precondition(lambda self: self.world.journal.ends)  # seldom, and not before something happened
    @rule(number=campaign)
    def a_paused_campaign_is_archived(self, number: int) -> None:
        self.world.archive(number)

    @rule(minutes=NAPS)
    def time_passes(self, minutes: int) -> None:
        self.world.sleep(minutes)

    @rule(passes=PASSES)
    def a_worker_works(self, passes: tuple[str, ...]) -> None:
        self.world.work(*passes)
        self._has_no_fault()

    @rule(pair=PAIRS)
    def two_workers_work(self, pair: tuple[str, str]) -> None:
        self.world.work_together(*pair)
        self._has_no_fault()

    @rule(point=st.integers(0, len(POINTS) - 1), passes=PASSES, is_lock_lost=st.booleans())
    def a_worker_dies(self, point: int, passes: tuple[str, ...], *, is_lock_lost: bool) -> None:
        self.world.die(point, *passes, is_lock_lost=is_lock_lost)
        self._has_no_fault()

    def teardown(self) -> None:
        if self.world is not None:
            self.world.settle_down()
            assert self.world.journal.end() == []

    def _has_no_fault(self) -> None:
        assert self.world.journal.faults == []


def test_whatever_happens_every_run_goes_its_way_once_and_ends_once(
    settings_of_the_engine: None, quick_commits: None
) -> None:
    run_state_machine_as_test(
        Engine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
