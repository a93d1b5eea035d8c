"""The rules of live segments in the places that name them: one statement then asks everything at one moment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crm_plugin.audience.conditions import AllOf, AnyOf, Condition, InSegment, Known, Not
from crm_plugin.audience.conditions.wording import Wording
from crm_plugin.errors import InvalidInput


class Inlined(Condition):
    """The rule of a live segment in the place of the condition that named it."""

    named: InSegment
    of: Any

    def members(self) -> tuple[Condition, ...]:
        """Return the rule."""
        return (self.of,)

    def names(self) -> tuple[str, ...]:
        """Return what the phrase names."""
        return self.named.names()

    def say(self, wording: Wording) -> str:
        """Return it as a phrase."""
        return self.named.say(wording)


class Expansion:
    """One walk; segments that grew after they were referred to must not make it endless.

    Attributes:
        left: how many more conditions there may be, with those of the segments.
    """

    def __init__(self, known: Known, *, max_conditions: int, max_depth: int, field: str) -> None:
        self._known = known
        self.left = max_conditions
        self._max_depth = max_depth
        self._field = field

    def of(self, condition: Condition, trail: tuple[int, ...], depth: int) -> Condition:
        """Return the condition, ``depth`` levels down and inside the segments of ``trail``, without live segments."""
        self.left -= 1
        if self.left < 0 or depth > self._max_depth:
            raise InvalidInput(
                "with the rules of the segments it names, the audience is too large",
                field=self._field,
                code="TOO_LARGE",
            )
        match condition:
            case AllOf() | AnyOf():
                inside = tuple(self.of(one, trail, depth + 1) for one in condition.of)
                return condition.model_copy(update={"of": inside})
            case Not():
                return condition.model_copy(update={"of": self.of(condition.of, trail, depth + 1)})
            case InSegment():
                return self._segment(condition, trail, depth)
            case _:
                return condition

    def _segment(self, condition: InSegment, trail: tuple[int, ...], depth: int) -> Condition:
        from crm_plugin.audience.rule import AudienceRule  # noqa: PLC0415 - a rule holds conditions that hold rules

        if condition.segment in trail:
            raise InvalidInput("the segments refer to each other in a circle", field=self._field, code="CYCLE")
        found = self._known.segment(condition.segment)
        if found is None:
            raise InvalidInput(f"there is no segment {condition.segment}", field=self._field)
        if found.definition is None:
            return condition
        rule = AudienceRule.model_validate(found.definition).condition()
        return Inlined(named=condition, of=self.of(rule, (*trail, condition.segment), depth + 1))


def expand(condition: Condition, known: Known) -> Condition:
    """Return the condition with the rules of the live segments that it names.

    Raises:
        InvalidInput: when a segment is gone, refers back to itself, or it all became much too large.
    """
    return Expansion(known, max_conditions=2_000, max_depth=64, field="audience").of(condition, (), 1)


def leaves(condition: Condition) -> Iterator[Condition]:
    """Walk over the conditions that hold no others."""
    return (one for one in everything(condition) if not one.members())


def everything(condition: Condition) -> Iterator[Condition]:
    """Walk over the condition and all that it holds, from the left."""
    waiting = [condition]
    while waiting:
        one = waiting.pop()
        yield one
        waiting += reversed(one.members())
