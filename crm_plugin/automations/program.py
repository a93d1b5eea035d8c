"""A definition's steps laid out in a row, so that a run's place is one number.

The order is that of reading: a step, then the steps that it holds, then what comes behind. A version never changes, so
neither do its places. What holds steps knows where each way begins; the last step of a way leads behind its holder.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from crm_plugin.automations.steps import BranchStep, SendStep, SplitStep, Step, WaitForStep


@dataclass(frozen=True, slots=True)
class Op:
    """One step at its place.

    Attributes:
        path: where it stands in the definition (``steps.2.arms.0.steps.1``).
        following: the place to go to behind it; that of the end is the number of all steps.
        ways: where the ways of a step that holds steps begin: for ``then`` and ``otherwise``, or for each arm.
    """

    place: int
    step: Step
    path: str
    following: int
    ways: tuple[int, ...] = ()


class Program:
    """The steps of one version."""

    __slots__ = ("_places", "ops")

    def __init__(self, steps: Sequence[Step]) -> None:
        found: list[Op] = []
        size = _size(steps)
        _lay_out(steps, "steps", size, found)
        self.ops = tuple(sorted(found, key=lambda op: op.place))
        self._places = {op.step.id: op.place for op in self.ops}

    @property
    def end(self) -> int:
        """The place behind the last step."""
        return len(self.ops)

    def place_of(self, step_id: str) -> int | None:
        """Return where the step is; None when there is none of this id."""
        return self._places.get(step_id)

    def sends(self) -> list[Op]:
        """Return the Send steps in the order of reading."""
        return [op for op in self.ops if isinstance(op.step, SendStep)]


def ways_of(step: Step) -> list[tuple[str, Sequence[Step]]]:
    """Return the ways that a step holds, each with its part of the path; none for most kinds."""
    match step:
        case BranchStep() | WaitForStep():
            return [("then", step.then), ("otherwise", step.otherwise)]
        case SplitStep():
            return [(f"arms.{index}.steps", arm.steps) for index, arm in enumerate(step.arms)]
        case _:
            return []


def walk(steps: Sequence[Step], path: str = "steps") -> Iterator[tuple[str, Step]]:
    """Walk over all steps in the order of reading, each with its path."""
    for index, step in enumerate(steps):
        here = f"{path}.{index}"
        yield here, step
        for part, way in ways_of(step):
            yield from walk(way, f"{here}.{part}")


def _size(steps: Sequence[Step]) -> int:
    return sum(1 for _ in walk(steps))


def _lay_out(steps: Sequence[Step], path: str, behind: int, found: list[Op], start: int = 0) -> None:
    """Give places to the steps from ``start`` on; the last one leads to ``behind``."""
    place = start
    for index, step in enumerate(steps):
        here, ways = f"{path}.{index}", ways_of(step)
        sizes = [_size(way) for _part, way in ways]
        following = behind if index + 1 == len(steps) else place + 1 + sum(sizes)
        begins: list[int] = []
        at = place + 1
        for (part, way), size in zip(ways, sizes, strict=True):
            begins.append(at if way else following)
            _lay_out(way, f"{here}.{part}", following, found, at)
            at += size
        found.append(Op(place, step, here, following, tuple(begins)))
        place = at
