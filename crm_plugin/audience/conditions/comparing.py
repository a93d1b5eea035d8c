"""Comparing a number with what the merchant wrote."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from crm_plugin.audience.conditions.base import Ask
from crm_plugin.audience.fields import NotBoolean, Strict


class Op(StrEnum):
    """How two numbers are compared. ``between`` includes both ends."""

    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"
    EQ = "eq"
    BETWEEN = "between"


SIGNS = {Op.GT: ">", Op.GTE: ">=", Op.LT: "<", Op.LTE: "<=", Op.EQ: "="}


def exact(value: Any) -> Any:
    """Return a float as the decimal that its writer saw; other values as they are."""
    return str(value) if isinstance(value, float) else value


Number = Annotated[
    Decimal, Field(max_digits=24, decimal_places=8, allow_inf_nan=False), BeforeValidator(exact), NotBoolean
]


class Comparison(Strict):
    """``op`` and ``value``; two values for ``between``."""

    op: Op
    value: Number | tuple[Number, Number]

    @model_validator(mode="after")
    def _has_as_many_values_as_it_needs(self) -> Comparison:
        if isinstance(self.value, tuple) != (self.op is Op.BETWEEN):
            raise ValueError("`between` takes two values, [from, to]; every other comparison takes one")
        if isinstance(self.value, tuple) and self.value[0] > self.value[1]:
            raise ValueError("the first value of `between` is larger than the second")
        return self

    def sql(self, ask: Ask, number: str) -> str:
        """Return the test of ``number``, an SQL expression."""
        return self.test(number, lambda value: ask.param(value, "numeric"))

    def test(self, number: str, param: Callable[[Decimal], str]) -> str:
        """Return the same for a statement that is no audience; ``param`` takes a value and returns its place."""
        if isinstance(self.value, tuple):
            low, high = (param(value) for value in self.value)
            return f"{number} BETWEEN {low} AND {high}"
        return f"{number} {SIGNS[self.op]} {param(self.value)}"

    def holds_for(self, number: Decimal) -> bool:
        """Whether ``number`` passes the test."""
        if isinstance(self.value, tuple):
            return self.value[0] <= number <= self.value[1]
        match self.op:
            case Op.GT:
                return number > self.value
            case Op.GTE:
                return number >= self.value
            case Op.LT:
                return number < self.value
            case Op.LTE:
                return number <= self.value
            case _:
                return number == self.value
