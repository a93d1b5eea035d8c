"""What can be asked of a contact's values, by kind of value: which comparisons, with what, and their SQL.

A value that is not set passes no test but ``is_not_set`` and the opposites (``is_not``, ``not_in``, ``ne``,
``has_none``): they hold for everybody for whom ``is``, ``in``, ``eq``, ``has_any`` do not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import Field, TypeAdapter, ValidationError

from crm_plugin.audience.conditions.base import Ask, Row
from crm_plugin.audience.conditions.comparing import SIGNS, Number, Op
from crm_plugin.audience.fields import Day, Strict, Text, Whole
from crm_plugin.audience.windows import Bounds, Window
from crm_plugin.clock import day_start
from crm_plugin.errors import InvalidInput

_MAX_BIGINT = 2**63
#: Comparisons that hold exactly when another one does not.
OPPOSITES = {"is_not": "is", "not_in": "in", "ne": "eq", "has_none": "has_any", "is_not_set": "is_set"}


class Anniversary(Strict):
    """The same month and day as in so many days; 29 February is the 28th in years without it."""

    in_days: Whole = Field(ge=0, le=366)

    def month_days(self, now: datetime, zone: ZoneInfo) -> list[str]:
        """Return the ``MM-DD`` that match."""
        day = now.astimezone(zone).date() + timedelta(days=self.in_days)
        is_stand_in = (day.month, day.day) == (2, 28) and (day + timedelta(days=1)).month == 3
        return [f"{day:%m-%d}", *(["02-29"] if is_stand_in else [])]


class WrongValue(InvalidInput):
    """The comparison does not exist for this kind of value, or takes another value."""

    def __init__(self, message: str, *path: int | str) -> None:
        super().__init__(message, field=".".join(map(str, path)))


_WORDS: TypeAdapter[Any] = TypeAdapter(Annotated[tuple[Text, ...], Field(min_length=1, max_length=200)])
_TEXT: TypeAdapter[Any] = TypeAdapter(Text)
_NUMBER: TypeAdapter[Any] = TypeAdapter(Number)
_DAY: TypeAdapter[Any] = TypeAdapter(Day)
_NOTHING: TypeAdapter[Any] = TypeAdapter(None)
_IS_SET = dict.fromkeys(("is_set", "is_not_set"), _NOTHING)
_IN_TIME: Mapping[str, TypeAdapter[Any]] = {
    **dict.fromkeys(("on", "before", "after"), _DAY),
    "between": TypeAdapter(tuple[Day, Day]),
    "in_window": TypeAdapter(Window),
    "anniversary": TypeAdapter(Anniversary),
    **_IS_SET,
}
#: By kind of value: the comparisons, and what each takes.
OPS: Mapping[str, Mapping[str, TypeAdapter[Any]]] = {
    "text": {
        **dict.fromkeys(("is", "is_not", "contains", "starts_with"), _TEXT),
        **dict.fromkeys(("in", "not_in"), _WORDS),
        **_IS_SET,
    },
    "number": {
        **dict.fromkeys(("eq", "ne", "gt", "gte", "lt", "lte"), _NUMBER),
        "between": TypeAdapter(tuple[Number, Number]),
        **_IS_SET,
    },
    "boolean": {"is": TypeAdapter(Annotated[bool, Field(strict=True)])},
    "date": _IN_TIME,
    "datetime": _IN_TIME,
    "tags": dict.fromkeys(("has_any", "has_all", "has_none"), _WORDS),
}


def read(kind: str, op: str, value: Any) -> Any:
    """Return the value of a comparison in its type.

    Raises:
        WrongValue: when the kind of value has no such comparison, or that takes another value.
    """
    if op not in OPS[kind]:
        raise WrongValue(f"a {kind} cannot be compared by `{op}`; it can by {', '.join(OPS[kind])}", "op")
    try:
        found = OPS[kind][op].validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        raise WrongValue(first["msg"], "value", *_inside(value, first["loc"])) from error
    if op == "between" and found[0] > found[1]:
        raise WrongValue("the first value of `between` is larger than the second", "value")
    return found


def _inside(value: Any, path: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Leave out the tag that pydantic puts before the fields of a window."""
    return path[1:] if path and isinstance(value, dict) and path[0] == value.get("type") else path


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: in a column of the contact, or among its attributes."""

    name: str
    is_column: bool

    def text(self, ask: Ask) -> str:
        """Return it as text; NULL when it is not set."""
        return f"NULLIF(c.{self.name}, '')" if self.is_column else f"(c.attributes ->> {self._key(ask)})"

    def number(self, ask: Ask) -> str:
        """Return it as a number."""
        if self.is_column:
            return f"c.{self.name}"
        key = self._key(ask)
        return f"(CASE WHEN jsonb_typeof(c.attributes -> {key}) = 'number' THEN (c.attributes ->> {key})::numeric END)"

    def json(self, ask: Ask) -> str:
        """Return it as JSON."""
        return f"(c.attributes -> {self._key(ask)})"

    def day(self, ask: Ask) -> str:
        """Return a date as text that sorts like the date, and never fails to be read."""
        return f'({self.text(ask)} COLLATE "C")'

    def _key(self, ask: Ask) -> str:
        return ask.param(self.name, "text")


def compare(place: Place, kind: str, op: str, value: Any, ask: Ask) -> Row:
    """Return the test of a value that ``read`` returned."""
    if op in OPPOSITES:
        return compare(place, kind, OPPOSITES[op], value, ask).opposite
    if op == "is_set":
        column = place.text(ask) if kind in ("text", "date") or not place.is_column else f"c.{place.name}"
        return Row(f"{column} IS NOT NULL")
    return Row(_TESTS[kind](place, op, value, ask))


def _text(place: Place, op: str, value: Any, ask: Ask) -> str:
    own = f"lower({place.text(ask)})"
    match op:
        case "is":
            return f"{own} = lower({ask.param(value, 'text')})"
        case "in":
            return f"{own} = ANY(SELECT lower(unnest({ask.param(list(value), 'text[]')})))"
        case "contains":
            return f"strpos({own}, lower({ask.param(value, 'text')})) > 0"
        case _:
            return f"starts_with({own}, lower({ask.param(value, 'text')}))"


def _number(place: Place, op: str, value: Any, ask: Ask) -> str:
    if op == "between":
        low, high = (_number_param(place, one, ask) for one in value)
        return f"{place.number(ask)} BETWEEN {low} AND {high}"
    return f"{place.number(ask)} {SIGNS[Op(op)]} {_number_param(place, value, ask)}"


def _number_param(place: Place, value: Decimal, ask: Ask) -> str:
    """A column counts in whole numbers; compared with one, it need not be converted for every row."""
    is_whole = place.is_column and value == int(value) and abs(value) < _MAX_BIGINT
    return ask.param(int(value), "bigint") if is_whole else ask.param(value, "numeric")


def _boolean(place: Place, _op: str, value: Any, ask: Ask) -> str:
    return f"{place.json(ask)} = to_jsonb({ask.param(value, 'boolean')})"


def _tags(place: Place, op: str, value: Any, ask: Ask) -> str:
    function = "jsonb_exists_any" if op == "has_any" else "jsonb_exists_all"
    return f"{function}({place.json(ask)}, {ask.param(list(value), 'text[]')})"


def _datetime(place: Place, op: str, value: Any, ask: Ask) -> str:
    if op == "anniversary":
        local = f"c.{place.name} AT TIME ZONE {ask.param(ask.zone.key, 'text')}"
        return f"to_char({local}, 'MM-DD') = ANY({ask.param(value.month_days(ask.now, ask.zone), 'text[]')})"
    return _in_bounds(f"c.{place.name}", _bounds(op, value, ask), ask, "timestamptz")


def _date(place: Place, op: str, value: Any, ask: Ask) -> str:
    if op == "anniversary":
        days = ask.param(value.month_days(ask.now, ask.zone), "text[]")
        return f"substr({place.text(ask)}, 6) = ANY({days})"
    return _in_bounds(place.day(ask), _in_days(_bounds(op, value, ask), ask.zone), ask, "text")


_TESTS: Mapping[str, Callable[[Place, str, Any, Ask], str]] = {
    "text": _text,
    "number": _number,
    "boolean": _boolean,
    "tags": _tags,
    "datetime": _datetime,
    "date": _date,
}


def _bounds(op: str, value: Any, ask: Ask) -> Bounds:
    """Return the stretch of time that a comparison with days, or a window, means."""
    match op:
        case "in_window":
            found: Bounds = value.bounds(ask.now, ask.zone)
            return found
        case "before":
            return Bounds(None, day_start(value, ask.zone))
        case "after":
            return Bounds(day_start(value + timedelta(days=1), ask.zone), None)
        case _:
            first, last = value if op == "between" else (value, value)
            return Bounds(day_start(first, ask.zone), day_start(last + timedelta(days=1), ask.zone))


def _in_days(bounds: Bounds, zone: ZoneInfo) -> tuple[str | None, str | None]:
    """Return the stretch in dates; a date stands for the first moment of its day."""
    return _first_day(bounds.start, zone), _first_day(bounds.end, zone)


def _first_day(moment: datetime | None, zone: ZoneInfo) -> str | None:
    if moment is None:
        return None
    day = moment.astimezone(zone).date()
    return (day if day_start(day, zone) >= moment else day + timedelta(days=1)).isoformat()


def _in_bounds(own: str, bounds: tuple[Any, Any], ask: Ask, kind: str) -> str:
    start, end = bounds
    tests = [f"{own} >= {ask.param(start, kind)}"] if start is not None else []
    tests += [f"{own} < {ask.param(end, kind)}"] if end is not None else []
    return f"({' AND '.join(tests)})"


def in_slices(place: Place, kind: str, slices: list[Bounds], ask: Ask) -> list[str]:
    """Return the test of each stretch of time, for the edges of a window."""
    if kind == "datetime":
        return [_in_bounds(f"c.{place.name}", bounds, ask, "timestamptz") for bounds in slices]
    return [_in_bounds(place.day(ask), _in_days(bounds, ask.zone), ask, "text") for bounds in slices]
