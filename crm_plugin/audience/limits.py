"""How large a rule may be, measured on the raw JSON without recursion, before anything walks down into it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crm_plugin.errors import InvalidInput

MAX_DEPTH = 8
MAX_CONDITIONS = 200
MAX_WIDTH = 50
MAX_EXCLUSIONS = 20
#: Of the JSON as a whole: lists of values, windows, comparisons.
_MAX_NESTING = 40
_MAX_VALUES = 50_000


def measure(value: Any, *, field: str) -> None:
    """Refuse a rule that is too deep, too wide or too large.

    Raises:
        InvalidInput: with the path of the first condition that is too much.
    """
    if not isinstance(value, dict):
        raise InvalidInput("an audience is an object with `include` and `exclude`", field=field)
    _measure_json(value, field=field)
    excluded = value.get("exclude")
    waiting = [(value.get("include"), f"{field}.include", 1)]
    waiting += [
        (one, f"{field}.exclude.{i}", 1) for i, one in enumerate(excluded if isinstance(excluded, list) else ())
    ]
    seen = 0
    while waiting:
        condition, path, depth = waiting.pop()
        seen += 1
        refuse_if_too_large(depth, seen, field=path)
        inside = condition.get("of") if isinstance(condition, dict) else None
        if isinstance(inside, list):
            if len(inside) > MAX_WIDTH:
                raise InvalidInput(f"at most {MAX_WIDTH} conditions side by side", field=f"{path}.of", code="TOO_LARGE")
            waiting += [(one, f"{path}.of.{i}", depth + 1) for i, one in enumerate(inside)]
        elif isinstance(inside, dict):
            waiting.append((inside, f"{path}.of", depth + 1))


def refuse_if_too_large(depth: int, conditions: int, *, field: str) -> None:
    """Refuse one level or one condition too many.

    Raises:
        InvalidInput: code ``TOO_LARGE``.
    """
    if depth > MAX_DEPTH:
        raise InvalidInput(f"at most {MAX_DEPTH} levels of conditions", field=field, code="TOO_LARGE")
    if conditions > MAX_CONDITIONS:
        raise InvalidInput(f"at most {MAX_CONDITIONS} conditions in all", field=field, code="TOO_LARGE")


def _measure_json(value: Any, *, field: str) -> None:
    waiting, seen = [(value, 1)], 1
    while waiting:
        one, depth = waiting.pop()
        if not isinstance(one, dict | list | tuple):
            continue
        seen += len(one)
        if depth > _MAX_NESTING or seen > _MAX_VALUES:
            raise InvalidInput("the definition is too deep or too large", field=field, code="TOO_LARGE")
        waiting += [(inside, depth + 1) for inside in (one.values() if isinstance(one, dict) else one)]


def path_of(place: Sequence[int | str], value: Any, *, field: str) -> str:
    """Return pydantic's place of an error as the client would write it.

    Behind every member of a union stands its tag, or a name that pydantic gave it; the client sent neither as a key.
    """
    path, here, is_tag_next = [field], value, False
    for step in place:
        if is_tag_next and isinstance(here, dict) and step == here.get("type"):
            is_tag_next = False
        elif isinstance(here, list | tuple if isinstance(step, int) else dict):
            path.append(str(step))
            here, is_tag_next = _inside(here, step), True
    return ".".join(path)


def _inside(value: Any, step: int | str) -> Any:
    if isinstance(value, dict):
        return value.get(step)
    if isinstance(value, list | tuple) and isinstance(step, int) and step < len(value):
        return value[step]
    return None
