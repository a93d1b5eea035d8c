"""The person did something, a moment ago."""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator, model_validator

from crm_plugin.activity import INTERNAL_KINDS
from crm_plugin.audience import Price, What
from crm_plugin.automations.triggers.base import Entry
from crm_plugin.shop import FactKind


class Deed(Entry):
    """An activity of a kind. ``what`` and ``amount`` narrow it; ``is_first_order``: the contact's first order only."""

    activity: FactKind
    what: What = What()
    amount: Price | None = None
    is_first_order: bool = False

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


class ActivityTrigger(Deed):
    """Starts at once."""

    type: Literal["activity"]
