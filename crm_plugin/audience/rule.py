"""A rule: whom an audience includes and whom it leaves out, in the JSON that merchants save.

Reading one goes in three steps, each of which protects the next: its size is measured without recursion, its form is
checked by the typed conditions, its names (attributes, segments, labels) against what exists.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import Field, ValidationError

from crm_plugin.audience.conditions import AllOf, AnyCondition, Condition, Known, Not
from crm_plugin.audience.conditions.wording import Wording
from crm_plugin.audience.expanding import Expansion, expand, leaves
from crm_plugin.audience.fields import Strict
from crm_plugin.audience.limits import MAX_CONDITIONS, MAX_DEPTH, MAX_EXCLUSIONS, measure, path_of
from crm_plugin.errors import InvalidInput
from crm_plugin.shop import FactKind


class AudienceRule(Strict):
    """Who is in: those whom ``include`` holds for, without those whom any of ``exclude`` holds for."""

    include: AnyCondition
    exclude: tuple[AnyCondition, ...] = Field((), max_length=MAX_EXCLUSIONS)

    @classmethod
    def parse(cls, value: Any, *, field: str = "audience", segment_id: int | None = None) -> AudienceRule:
        """Read a rule as a client sends it.

        Args:
            value: plain JSON, or a rule that was read before.
            field: what the caller calls it; the path in errors begins with it.
            segment_id: the segment whose rule it is to be, so that it cannot refer to itself through others.

        Raises:
            InvalidInput: with the path of the first wrong field, such as ``audience.include.of.0.window.days``.
        """
        if isinstance(value, AudienceRule):
            value = value.to_json()
        measure(value, field=field)
        try:
            rule = cls.model_validate(value)
        except ValidationError as error:
            path, message = _first(error, value, field=field)
            raise InvalidInput(message, field=path) from error
        rule._refuse_problems(field=field, segment_id=segment_id)
        return rule

    def to_json(self) -> dict[str, Any]:
        """Return the rule as plain JSON; ``parse`` reads the same rule from it."""
        return self.model_dump(mode="json", exclude_unset=True)

    def condition(self) -> Condition:
        """Return the whole rule as one condition: exclusions win."""
        if not self.exclude:
            return self.include
        others = (Not.model_construct(type="not", of=one) for one in self.exclude)
        return AllOf.model_construct(type="all", of=(self.include, *others))

    def expanded(self, known: Known | None = None, *, part: Condition | None = None) -> Condition:
        """Return the whole rule (or a part) as one condition, the rules of live segments in the places that name them.

        Raises:
            InvalidInput: when a segment that it names is gone or, by a later change, refers back to itself.
        """
        return expand(part or self.condition(), known or Known())

    def kinds(self) -> frozenset[FactKind]:
        """Return the kinds of activity that can change who is in."""
        return frozenset().union(*(leaf.kinds() for leaf in leaves(self.expanded())))

    def warnings(self, *, language: str = "en") -> tuple[str, ...]:
        """Return what the merchant probably does not mean, in their language."""
        wording = Wording(language)
        return tuple(dict.fromkeys(text for leaf in leaves(self.condition()) for text in leaf.warnings(wording)))

    def _refuse_problems(self, *, field: str, segment_id: int | None) -> None:
        known = Known()
        for path, condition in self._places(field):
            for problem in condition.problems(known):
                raise InvalidInput(problem.message, field=f"{path}.{problem.path}")
        roots = [("include", self.include), *((f"exclude.{i}", one) for i, one in enumerate(self.exclude))]
        trail = () if segment_id is None else (segment_id,)
        left = MAX_CONDITIONS
        for path, root in roots:
            walk = Expansion(known, max_conditions=left, max_depth=MAX_DEPTH, field=f"{field}.{path}")
            walk.of(root, trail, 1)
            left = walk.left

    def _places(self, field: str) -> Iterator[tuple[str, Condition]]:
        """Walk over every condition with its path."""
        waiting: list[tuple[str, Condition]] = [(f"{field}.include", self.include)]
        waiting += [(f"{field}.exclude.{i}", one) for i, one in enumerate(self.exclude)]
        while waiting:
            path, condition = waiting.pop(0)
            yield path, condition
            inside = condition.members()
            is_single = isinstance(condition, Not)
            waiting[:0] = [(f"{path}.of" if is_single else f"{path}.of.{i}", one) for i, one in enumerate(inside)]


def _first(error: ValidationError, value: Any, *, field: str) -> tuple[str, str]:
    """Return where the first error is, and what; of those inside one value, the one that is deepest inside."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    places = [(path_of(one["loc"], value, field=field), one["msg"]) for one in found]
    first = places[0][0]
    path, message = max((place for place in places if place[0].startswith(first)), key=lambda place: len(place[0]))
    return path, message.removeprefix("Value error, ")
