"""The kinds of value that definitions are made of."""

from __future__ import annotations

from datetime import time
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

#: A wait, or the time until something is given up, in seconds.
MAX_WAIT_SECONDS = 400 * 24 * 3600


class Strict(BaseModel):
    """A part of a definition: immutable, and nothing in it that is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Zone(StrEnum):
    """Whose clocks are meant. A contact of whom no zone is known goes by the shop's."""

    SHOP = "shop"
    CONTACT = "contact"


class Weekday(StrEnum):
    """A day of the week, in the order of ``date.weekday()``."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


def _is_local(value: time) -> time:
    if value.tzinfo is not None:
        raise ValueError("a time of day has no zone of its own")
    return value


ClockTime = Annotated[time, AfterValidator(_is_local)]
StepId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)]
