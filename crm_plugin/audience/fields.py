"""The kinds of value that definitions are made of, each with its limits."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field


class Strict(BaseModel):
    """A part of a definition: immutable, and nothing in it that is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)


def _no_yes_or_no(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("a number is wanted, not yes or no")
    return value


def is_storable(value: str) -> str:
    """Refuse text that PostgreSQL cannot hold."""
    if "\0" in value:
        raise ValueError("the character NUL cannot be stored")
    return value


def _is_day(value: Any) -> Any:
    is_written = isinstance(value, str) and re.fullmatch(r"(19|2\d)\d\d-\d\d-\d\d", value, re.ASCII)
    if not is_written and (not isinstance(value, date) or isinstance(value, datetime)):
        raise ValueError("a day is wanted, such as 2026-01-31")
    return value


Day = Annotated[date, BeforeValidator(_is_day)]
Whole = Annotated[int, Field(strict=True)]
Text = Annotated[str, Field(min_length=1, max_length=200, strict=True), AfterValidator(is_storable)]
ShopId = Annotated[str, Field(min_length=1, max_length=64, strict=True), AfterValidator(is_storable)]
GroupKey = Annotated[str, Field(pattern=r"^(category|collection):[^\x00]{1,64}$", max_length=80, strict=True)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", strict=True)]
NotBoolean = BeforeValidator(_no_yes_or_no)
