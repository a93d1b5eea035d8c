"""How often, when and at what price a merchant writes: the shapes of the settings that are more than one value."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, model_validator

from crm_plugin.channel_kind import ChannelKind


class QuietAction(StrEnum):
    """What becomes of an advertisement that is due in the quiet hours."""

    HOLD = "hold"
    SKIP = "skip"


class Cap(BaseModel):
    """At most ``count`` advertisements for one person, in a rolling stretch of hours or on calendar days.

    Attributes:
        channel: the channel that it is about; empty: all channels together.
        hours: the length of a rolling stretch.
        days: so many calendar days, today included, by the clocks of the person (features part 2a, Braze).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    channel: ChannelKind | Literal[""] = ""
    count: int = Field(ge=1, le=100)
    hours: int | None = Field(None, ge=1, le=24 * 31)
    days: int | None = Field(None, ge=1, le=31)

    @model_validator(mode="after")
    def _one_stretch(self) -> Self:
        if (self.hours is None) == (self.days is None):
            raise ValueError("say either hours or days")
        return self

    @property
    def longest(self) -> timedelta:
        """How far back what was sent can matter: a calendar day may have 25 hours."""
        return timedelta(hours=self.hours) if self.hours is not None else timedelta(days=self.days or 0, hours=1)


_Price = Annotated[Decimal, Field(ge=0, max_digits=10, decimal_places=5, strict=False)]
_Domain = Annotated[str, StringConstraints(pattern=r"^[a-z0-9.-]+\.[a-z0-9-]+$", max_length=253)]

#: What a message costs by form (``lms``) or channel (``web_push``).
PriceList = Annotated[dict[Annotated[str, StringConstraints(pattern=r"^[a-z_]{3,16}$")], _Price], Field(max_length=20)]
#: E-mails an hour by receiving domain.
Limits = Annotated[dict[_Domain, Annotated[int, Field(ge=1, le=10_000_000)]], Field(max_length=200)]
Prices: TypeAdapter[dict[str, Decimal]] = TypeAdapter(PriceList)
DomainLimits: TypeAdapter[dict[str, int]] = TypeAdapter(Limits)
Caps: TypeAdapter[tuple[Cap, ...]] = TypeAdapter(Annotated[tuple[Cap, ...], Field(max_length=20)])
