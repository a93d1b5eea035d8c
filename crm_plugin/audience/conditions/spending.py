"""What a contact spent in one currency: placed orders that were not cancelled, ever or in some time."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from crm_plugin.audience.conditions.activities import Deed, in_window
from crm_plugin.audience.conditions.base import Answer, Ask, Condition, Those
from crm_plugin.audience.conditions.comparing import Comparison
from crm_plugin.audience.conditions.wording import Wording
from crm_plugin.audience.conditions.wording_activities import comparison_phrase, window_phrase
from crm_plugin.audience.fields import Currency
from crm_plugin.audience.windows import Window
from crm_plugin.shop import FactKind


class Measure(StrEnum):
    """What is compared: the sum, how many orders, or the sum by order."""

    AMOUNT = "amount"
    ORDERS = "orders"
    AVERAGE = "average"


#: Over all time, from the row that the drain keeps.
_KEPT = {
    Measure.AMOUNT: "amount",
    Measure.ORDERS: "orders_count",
    Measure.AVERAGE: "amount / NULLIF(orders_count, 0)",
}
#: In some time, from the orders.
_COUNTED = {
    Measure.AMOUNT: "COALESCE(sum(amount), 0)",
    Measure.ORDERS: "count(*)",
    Measure.AVERAGE: "COALESCE(sum(amount), 0) / count(*)",
}
_ORDERED = Deed(activity=FactKind.ORDERED)


class Spent(Comparison, Condition):
    """Spent so much, ordered so often, or so much by order. Who ordered nothing spent 0, and has no average."""

    type: Literal["spent"]
    currency: Currency
    measure: Measure = Measure.AMOUNT
    window: Window | None = None

    def answer(self, ask: Ask) -> Answer:
        """Return the question in SQL. What also holds for nothing is asked the other way round."""
        is_without = self.measure is not Measure.AVERAGE and self.holds_for(Decimal(0))
        number = _COUNTED[self.measure] if self.window else _KEPT[self.measure]
        test = f"NOT ({self.sql(ask, number)})" if is_without else self.sql(ask, number)
        currency = ask.param(self.currency, "text")
        if self.window is None:
            sql = (
                f"SELECT contact_id FROM crm_plugin_contactspend WHERE currency = {currency} AND {test}{ask.narrowed()}"  # noqa: S608
            )
        else:
            orders = f"{_ORDERED.source(ask)} AND currency = {currency}{in_window(ask, self.window)}"
            sql = f"SELECT contact_id {orders} GROUP BY contact_id HAVING {test}"
        return Those(sql, is_without=is_without)

    def kinds(self) -> frozenset[FactKind]:
        """Return the kinds of activity that can change the answer."""
        return frozenset({FactKind.ORDERED, FactKind.CANCELLED, FactKind.REFUNDED})

    def edges(self, ask: Ask, since: datetime) -> list[str]:
        """Return the contacts with an order that left or entered the window."""
        return _ORDERED.passed(ask, self.window, since)

    def say(self, wording: Wording) -> str:
        """Return it as a phrase."""
        unit = wording("orders", "건") if self.measure is Measure.ORDERS else self.currency
        number = comparison_phrase(wording, self, unit)
        lead = {
            Measure.AMOUNT: wording("spent", "구매 금액"),
            Measure.ORDERS: wording(f"placed (in {self.currency})", f"주문 수({self.currency})"),
            Measure.AVERAGE: wording("spent by order", "주문당 평균 금액"),
        }[self.measure]
        return " ".join(part for part in (window_phrase(wording, self.window), lead, number) if part)
