"""The shortest way from a path, such as ``item.name`` or ``items[0].price``, to its plain value.

python-liquid asks of each step of a path what it could be in general. Nearly all of them are keys of objects and places
in lists; what is not that simple has no short way, and is left to python-liquid.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from liquid.builtin.expressions import Path
from liquid.context import RenderContext, builtin
from liquid.expression import Expression
from liquid.utils import ReadOnlyChainMap

#: Returns the value of a path; None: only python-liquid knows.
Find = Callable[[ReadOnlyChainMap], object]


class Scope(ReadOnlyChainMap):
    """The names of a template, the innermost first. Most are not in the first mapping, so that an exception costs."""

    def __getitem__(self, key: str) -> object:
        """Return what a name stands for."""
        for mapping in self._maps:
            if key in mapping:
                return mapping[key]
        raise KeyError(key)


class PageContext(RenderContext):
    """What is known while a template is rendered."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # python-liquid's own arguments
        self.scope = Scope(self.locals, self.globals, builtin, self.counters)


def short_way(expression: Expression) -> Find:
    """Return the short way to the value of an expression; one that never finds anything when there is none."""
    if not isinstance(expression, Path) or not isinstance(expression.path[0], str):
        return nothing
    steps = [step for step in expression.path if isinstance(step, str | int)]
    return _way(steps[0], steps[1:]) if len(steps) == len(expression.path) else nothing


def nothing(_scope: ReadOnlyChainMap) -> object:
    """Find nothing: there is no short way."""
    return None


def _way(head: str | int, steps: list[str | int]) -> Find:
    name, key = str(head), steps[0] if steps else None
    if isinstance(key, str) and key != "size" and len(steps) == 1:

        def find_field(scope: ReadOnlyChainMap) -> object:
            try:
                value: Any = scope[name]
                return value[key]
            except (KeyError, TypeError):
                return None

        return find_field

    def find(scope: ReadOnlyChainMap) -> object:
        try:
            value: Any = scope[name]
            for step in steps:
                if type(value) is str:
                    return None
                value = len(value) if step == "size" and type(value) is list else value[step]
        except (KeyError, TypeError, IndexError):
            return None
        return value

    return find
