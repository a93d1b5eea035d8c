"""Random steps of campaigns, nested as deep as the engine allows in sensible sizes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

from crm_plugin.automations.program import ways_of
from crm_plugin.automations.steps import BranchStep, SendStep, SplitStep, Step, WaitForStep
from tests.stories import CONTENT

Json = dict[str, Any]

#: Kinds of step that hold no others, with what they need besides an id.
PLAIN: tuple[Json, ...] = (
    {"type": "wait", "seconds": 60},
    {"type": "wait", "seconds": 7200},
    {"type": "wait_until", "at": "02:30", "zone": "shop"},
    {"type": "send", "template": {"en": CONTENT}},
    {"type": "send", "template": {"en": CONTENT}},
    {"type": "exit"},
)
LIKED: Json = {"include": {"type": "did", "activity": "liked"}}


def steps(*, depth: int = 2, plain: Sequence[Json] = PLAIN, most: int = 3) -> st.SearchStrategy[list[Json]]:
    """Rows of steps; every id is given once."""
    return _rows(depth, plain, most, least=1).map(numbered)


def numbered(rows: Sequence[Json]) -> list[Json]:
    """Give every step an id of its own, in the order of reading."""
    numbers = iter(range(1000))
    return [_numbered(row, numbers) for row in rows]


def _numbered(row: Json, numbers: Iterator[int]) -> Json:
    named = row | {"id": f"s{next(numbers)}"}
    for way in ("then", "otherwise"):
        if way in row:
            named[way] = [_numbered(inner, numbers) for inner in row[way]]
    if "arms" in row:
        named["arms"] = [
            arm | {"name": f"arm{index}", "steps": [_numbered(inner, numbers) for inner in arm["steps"]]}
            for index, arm in enumerate(row["arms"])
        ]
    return named


def _rows(depth: int, plain: Sequence[Json], most: int, *, least: int = 0) -> st.SearchStrategy[list[Json]]:
    kinds: list[st.SearchStrategy[Json]] = [st.sampled_from(plain)] * 2
    if depth:
        inner = _rows(depth - 1, plain, most - 1)
        kinds += [_branches(inner), _splits(inner), _waits_for(inner)]
    return st.lists(st.one_of(kinds), min_size=least, max_size=most)


def _branches(inner: st.SearchStrategy[list[Json]]) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries(
        {"type": st.just("branch"), "audience": st.just(LIKED), "then": inner, "otherwise": inner}
    )


def _splits(inner: st.SearchStrategy[list[Json]]) -> st.SearchStrategy[Json]:
    arm = st.fixed_dictionaries({"weight": st.integers(1, 3), "steps": inner})
    held_out = st.just({"weight": 1, "steps": [], "is_holdout": True})
    return st.fixed_dictionaries(
        {"type": st.just("split"), "arms": st.lists(st.one_of(arm, arm, held_out), min_size=1, max_size=3)}
    )


def _waits_for(inner: st.SearchStrategy[list[Json]]) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries(
        {
            "type": st.just("wait_for"),
            "activity": st.sampled_from(["liked", "visited"]),
            "timeout_seconds": st.sampled_from([60, 3600]),
            "then": inner,
            "otherwise": inner,
        }
    )


def letters_on_every_way(rows: Sequence[Step], arms: dict[str, str]) -> list[tuple[str, ...]]:
    """Return which Send steps a run can come to, in their order: one for each way to the end that fits its arms.

    A way that ends before the last step (an Exit, a holdout) is marked by ``!`` at its end.
    """
    ways: list[tuple[str, ...]] = [()]
    for step in rows:
        open_ways = [way for way in ways if way[-1:] != ("!",)]
        ended = [way for way in ways if way[-1:] == ("!",)]
        ways = ended + [way + more for way in open_ways for more in _ways_through(step, arms)]
    return list(dict.fromkeys(ways))


def _ways_through(step: Step, arms: dict[str, str]) -> list[tuple[str, ...]]:
    match step:
        case SendStep():
            return [(step.id,)]
        case BranchStep() | WaitForStep():
            return [way for _part, inner in ways_of(step) for way in letters_on_every_way(inner, arms)]
        case SplitStep():
            (arm,) = [one for one in step.arms if one.name == arms.get(step.id)] or [None]
            if arm is None:
                return [("!",)]  # it has not come here: it ended before
            return [("!",)] if arm.is_holdout else letters_on_every_way(arm.steps, arms)
        case _:
            return [("!",)] if step.type == "exit" else [()]
