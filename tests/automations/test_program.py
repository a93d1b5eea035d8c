"""The steps of a definition in a row: where each stands, where each leads, and that every way comes to the end."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_plugin.automations.definition import Definition
from crm_plugin.automations.program import Program, walk
from tests.automations.engine.programs import LIKED, steps
from tests.stories import definition, on, send, wait


def read(rows: list[dict[str, Any]]) -> Definition:
    return Definition.parse(definition(on("signed_up"), rows))


def program(*rows: dict[str, Any]) -> Program:
    return read(list(rows)).program


def branch(id: str, then: list[Any], otherwise: list[Any]) -> dict[str, Any]:
    return {"type": "branch", "id": id, "audience": LIKED, "then": then, "otherwise": otherwise}


def split(id: str, *arms: list[Any]) -> dict[str, Any]:
    named = [{"name": f"arm{n}", "weight": 1, "steps": rows} for n, rows in enumerate(arms)]
    return {"type": "split", "id": id, "arms": named}


def wait_for(id: str, then: list[Any], otherwise: list[Any]) -> dict[str, Any]:
    return {
        "type": "wait_for",
        "id": id,
        "activity": "visited",
        "timeout_seconds": 60,
        "then": then,
        "otherwise": otherwise,
    }


def laid_out(made: Program) -> list[tuple[str, str, int, tuple[int, ...]]]:
    return [(op.step.id, op.path, op.following, op.ways) for op in made.ops]


def test_steps_in_a_row_lead_to_each_other_and_the_last_one_to_the_end():
    made = program(send("a"), wait("b"), send("c"))

    assert laid_out(made) == [("a", "steps.0", 1, ()), ("b", "steps.1", 2, ()), ("c", "steps.2", 3, ())]
    assert made.end == 3


def test_the_ways_of_a_branch_stand_behind_it_and_lead_behind_them():
    made = program(branch("ask", [send("yes"), wait("rest")], [send("no")]), send("last"))

    assert laid_out(made) == [
        ("ask", "steps.0", 4, (1, 3)),
        ("yes", "steps.0.then.0", 2, ()),
        ("rest", "steps.0.then.1", 4, ()),
        ("no", "steps.0.otherwise.0", 4, ()),
        ("last", "steps.1", 5, ()),
    ]


def test_an_empty_way_leads_straight_behind_its_holder():
    made = program(branch("ask", [], [send("no")]), wait_for("hope", [send("came")], []))

    assert laid_out(made) == [
        ("ask", "steps.0", 2, (2, 1)),
        ("no", "steps.0.otherwise.0", 2, ()),
        ("hope", "steps.1", 4, (3, 4)),
        ("came", "steps.1.then.0", 4, ()),
    ]


def test_the_last_step_of_nested_ways_leads_behind_the_outermost_holder_that_has_something_behind_it():
    inner = split("cut", [send("a")], [], [branch("ask", [send("b")], [])])
    made = program(wait_for("hope", [inner], [send("late")]), send("last"))

    assert laid_out(made) == [
        ("hope", "steps.0", 6, (1, 5)),
        ("cut", "steps.0.then.0", 6, (2, 6, 3)),
        ("a", "steps.0.then.0.arms.0.steps.0", 6, ()),
        ("ask", "steps.0.then.0.arms.2.steps.0", 6, (4, 6)),
        ("b", "steps.0.then.0.arms.2.steps.0.then.0", 6, ()),
        ("late", "steps.0.otherwise.0", 6, ()),
        ("last", "steps.1", 7, ()),
    ]


def test_a_step_is_found_by_its_id_and_sends_are_listed_as_they_are_read():
    made = program(branch("ask", [send("yes")], [send("no")]), send("last"))

    assert [made.place_of(id) for id in ("ask", "yes", "no", "last", "gone")] == [0, 1, 2, 3, None]
    assert [op.step.id for op in made.sends()] == ["yes", "no", "last"]


@settings(deadline=None)
@given(steps(depth=3))
def test_places_are_given_in_the_order_of_reading_without_a_gap(rows):
    made = read(rows)

    assert [op.place for op in made.program.ops] == list(range(made.program.end))
    assert [(op.path, op.step) for op in made.program.ops] == list(walk(made.steps))


@settings(deadline=None)
@given(steps(depth=3), st.randoms(use_true_random=False))
def test_whichever_way_is_taken_it_ends_and_no_step_is_done_twice(rows, chance):
    made = read(rows).program
    place, seen = 0, []
    while place < made.end:
        seen.append(place)
        op = made.ops[place]
        place = chance.choice(op.ways) if op.ways else op.following
        assert place > op.place

    assert place == made.end
    assert len(set(seen)) == len(seen)


@settings(deadline=None)
@given(steps(depth=3))
def test_every_step_can_be_come_to(rows):
    made = read(rows).program
    reached, waiting = set[int](), [0]
    while waiting:
        place = waiting.pop()
        if place < made.end and place not in reached:
            reached.add(place)
            waiting += made.ops[place].ways or (made.ops[place].following,)

    assert reached == set(range(made.end))


@pytest.mark.parametrize(
    "rows", [[send("a")], [branch("ask", [send("a")], [send("b")])], [split("cut", [send("a")], [])]]
)
def test_the_same_steps_are_laid_out_alike_every_time(rows):
    assert laid_out(program(*rows)) == laid_out(program(*rows))
