"""The person did something, a moment ago."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from crm_plugin.activity import INTERNAL_KINDS
from crm_plugin.audience import Price, What
from crm_plugin.automations.fields import Strict
from crm_plugin.automations.triggers.base import Entry
from crm_plugin.shop import FactKind


class Said(Strict):
    """A test of what the activity came with: its value under ``key`` is, or is not, this one.

    What is not there is not anything: ``is_not`` holds for it.
    """

    key: str = Field(min_length=1, max_length=60)
    op: Literal["is", "is_not"] = "is"
    value: str | int | float | bool

    def holds_for(self, data: Mapping[str, Any]) -> bool:
        """Whether an activity that came with this is meant."""
        return (data.get(self.key) == self.value) is (self.op == "is")


class Deed(Entry):
    """An activity of a kind. ``what`` and ``amount`` narrow it.

    Attributes:
        said: what it has to have come with, all of it.
        is_first_order: the contact's first order only.
        crosses: of a balance that changed (``what.subject`` is the attribute): it was below this, or unknown, and is
            not any more.
    """

    activity: FactKind
    what: What = What()
    said: tuple[Said, ...] = Field((), max_length=10)
    amount: Price | None = None
    is_first_order: bool = False
    crosses: Decimal | None = Field(None, gt=-(10**15), lt=10**15)

    @field_validator("activity")
    @classmethod
    def _becomes_an_activity(cls, value: FactKind) -> FactKind:
        if value in INTERNAL_KINDS:
            raise ValueError(f"{value.value} is nothing that a person does; it would never start the campaign")
        return value

    @model_validator(mode="after")
    def _first_order_is_an_order(self) -> Deed:
        if self.is_first_order and self.activity not in (FactKind.ORDERED, FactKind.PAID, FactKind.BOUGHT):
            raise ValueError("is_first_order belongs to ordered, paid and bought")
        return self

    @model_validator(mode="after")
    def _crosses_a_balance(self) -> Deed:
        if self.crosses is not None and (self.activity is not FactKind.BALANCE_CHANGED or self.what.subject is None):
            raise ValueError("crosses belongs to balance_changed, with the attribute's name in what.subject")
        return self


class ActivityTrigger(Deed):
    """Starts at once."""

    type: Literal["activity"]
