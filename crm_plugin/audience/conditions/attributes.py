"""What a contact is: the shop's fields and the attributes that the merchant declared."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from crm_plugin.audience.conditions import values
from crm_plugin.audience.conditions.base import Answer, Ask, Condition, Problem
from crm_plugin.audience.conditions.known import Known
from crm_plugin.audience.conditions.wording import Wording
from crm_plugin.audience.conditions.wording_values import value_phrase
from crm_plugin.audience.fields import Text
from crm_plugin.audience.windows import passed
from crm_plugin.shop import FactKind

_ORDERS = frozenset({FactKind.ORDERED, FactKind.CANCELLED, FactKind.REFUNDED})
#: The columns of a contact by name: the kind of value, and the activities that change it.
BUILT_IN: dict[str, tuple[str, frozenset[FactKind]]] = {
    **dict.fromkeys(
        ("email", "first_name", "last_name", "language", "country", "time_zone", "customer_id"), ("text", frozenset())
    ),
    "joined_at": ("datetime", frozenset({FactKind.SIGNED_UP})),
    "created_at": ("datetime", frozenset()),
    "last_seen_at": ("datetime", frozenset(FactKind)),
    "first_order_at": ("datetime", _ORDERS),
    "last_order_at": ("datetime", _ORDERS),
    "orders_count": ("number", _ORDERS),
}


class Attribute(Condition):
    """A value of the contact compares to another."""

    type: Literal["attribute"]
    name: Text = Field(max_length=40)
    op: Text = Field(max_length=40)
    value: Any = None

    def answer(self, ask: Ask) -> Answer:
        """Return the question in SQL."""
        kind, value = self._read(ask.known)
        return values.compare(self._place, kind, self.op, value, ask)

    def kinds(self) -> frozenset[FactKind]:
        """Return the kinds of activity that change the value."""
        return BUILT_IN[self.name][1] if self.name in BUILT_IN else frozenset()

    def edges(self, ask: Ask, since: datetime) -> list[str]:
        """Return the contacts whose value left or entered the window, or has its day."""
        if self.op not in ("in_window", "anniversary"):
            return []
        kind, value = self._read(ask.known)
        if self.op == "in_window":
            slices = passed(value, since=since, until=ask.now, zone=ask.zone)
            tests = values.in_slices(self._place, kind, slices, ask)
        elif value.month_days(since, ask.zone) == value.month_days(ask.now, ask.zone):
            tests = []
        else:
            then = Ask.at(since, like=ask)
            tests = [values.compare(self._place, kind, self.op, value, one).sql for one in (then, ask)]
        return [f"SELECT c.id FROM crm_plugin_contact c WHERE {test}{ask.narrowed('c.id')}" for test in tests]  # noqa: S608

    def problems(self, known: Known) -> Iterator[Problem]:
        """Find an unknown name, a comparison that its kind has not, a wrong value."""
        try:
            self._read(known)
        except values.WrongValue as wrong:
            yield Problem(wrong.field, wrong.message)

    def names(self) -> tuple[str, ...]:
        """Return what the phrase names."""
        return () if self.name in BUILT_IN else (f"attribute:{self.name}",)

    def say(self, wording: Wording) -> str:
        """Return it as a phrase."""
        return value_phrase(wording, self.name, self.op, self.value)

    @property
    def _place(self) -> values.Place:
        return values.Place(self.name, is_column=self.name in BUILT_IN)

    def _read(self, known: Known) -> tuple[str, Any]:
        """Return the kind of value, and what it is compared with.

        Raises:
            WrongValue: when the rule was never checked (``problems``), or what it names is gone.
        """
        kind = BUILT_IN[self.name][0] if self.name in BUILT_IN else known.attributes.get(self.name)
        if kind is None:
            raise values.WrongValue(f"there is no attribute {self.name!r}; declare it first", "name")
        return kind, values.read(kind, self.op, self.value)
