"""Whatever people do, merchants save and workers survive: in the end the members are those of the rule, and told."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_plugin import shop
from tests.audience.random_segments import EMAILS, PHONES, POINTS, RULES, RandomSegments
from tests.fake_shop import FakeShop

pytestmark = pytest.mark.django_db

#: More of them on demand: CRM_EXAMPLES=1000 and --hypothesis-profile=default.
EXAMPLES = int(os.environ.get("CRM_EXAMPLES", "20"))
PEOPLE = st.integers(0, len(EMAILS) - 1)
NUMBERS = st.integers(0, len(PHONES) - 1)
LIVE = 4
ROUND = ("upkeep_audience", "pump")
PASSES = st.sampled_from(
    [ROUND, ("pump",), ("upkeep_audience",), ("_drain_once",), ("_follow_once",), ("_sweep_once",), ("_build_once",)]
)


def step(name: str, *values: st.SearchStrategy[Any], **named: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(st.just(name), st.tuples(*values), st.fixed_dictionaries(named))


DEEDS = st.one_of(
    step("like", PEOPLE),
    step("view", PEOPLE),
    step("search", PEOPLE),
    step("late", PEOPLE, st.sampled_from([5, 59, 61, 100, 24 * 60])),
    step("order", PEOPLE),
    step("consent", PEOPLE, is_granted=st.booleans()),
    step("bounce", PEOPLE, is_lifted=st.booleans()),
    step("call_me", PEOPLE, NUMBERS),
    step("stop", NUMBERS, is_lifted=st.booleans()),
    step("put_in", PEOPLE),
    step("take_out", PEOPLE),
)
EVENTS = st.one_of(
    step("erase", PEOPLE),
    step("take_over", PEOPLE),
    step("read_in", PEOPLE),
    step("edit", st.integers(0, LIVE - 1), st.integers(0, len(RULES) - 1)),
    step("edit", st.integers(0, 1), st.integers(0, len(RULES) - 1)),
    step("archive_and_restore", st.just(LIVE - 1)),
    step("verify"),
    PASSES.map(lambda passes: ("work", passes, {})),
    st.tuples(st.integers(0, len(POINTS) - 1), st.booleans(), PASSES).map(
        lambda drawn: ("die", (drawn[0], *drawn[2]), {"is_lock_lost": drawn[1]})
    ),
)
#: Mostly a few hours: after a day every segment is compared with its whole rule anyway.
SLEEP = step("sleep", st.sampled_from([1, 31, 61, 91, 2 * 60, 4 * 60, 4 * 60, 14 * 60, 24 * 60]))
#: Some things happen, then time passes, then the workers come to rest.
ROUNDS = st.tuples(
    st.lists(st.one_of(DEEDS, DEEDS, DEEDS, EVENTS), min_size=1, max_size=6),
    st.booleans(),
    SLEEP,
).map(lambda drawn: [*drawn[0], *([("rest", (), {})] * drawn[1]), drawn[2], ("rest", (), {})])
STORIES = st.lists(ROUNDS, min_size=2, max_size=5).map(lambda rounds: [one for each in rounds for one in each])


@pytest.fixture
def _no_shop() -> Iterator[None]:
    before = shop.install(None)
    yield
    shop.install(before)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(story=STORIES)
@pytest.mark.slow
@pytest.mark.usefixtures("_no_shop")
def test_whatever_happens_the_members_are_the_rules_and_every_change_is_told(story: list[Any]) -> None:
    undone = transaction.atomic()
    undone._from_testcase = True  # what the pipeline commits for good is undone after each example
    with undone:
        fake = FakeShop()
        shop.install(fake)
        world = RandomSegments(fake)
        for name, values, named in story:
            world.play(name, *values, **named)
        world.settle_down()
        transaction.set_rollback(True)
