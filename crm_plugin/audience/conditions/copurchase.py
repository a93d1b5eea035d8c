"""Bought A, and also B."""

from __future__ import annotations

from typing import Literal

from crm_plugin.audience.conditions.activities import STANDS
from crm_plugin.audience.conditions.base import Answer, Ask, Condition, Those
from crm_plugin.audience.conditions.wording import Wording
from crm_plugin.audience.fields import ShopId
from crm_plugin.shop import FactKind


class CoPurchase(Condition):
    """Bought both products, at any time or in one order; orders that were cancelled do not count."""

    type: Literal["co_purchase"]
    product: ShopId
    other: ShopId
    in_one_order: bool = False

    def answer(self, ask: Ask) -> Answer:
        """Return the question in SQL."""
        keys = "contact_id, order_ref" if self.in_one_order else "contact_id"
        one, other = (self._bought(ask, product, keys) for product in (self.product, self.other))
        return Those(f"SELECT a.contact_id FROM ({one}) a JOIN ({other}) b USING ({keys})")  # noqa: S608

    def _bought(self, ask: Ask, product: str, keys: str) -> str:
        of_an_order = " AND order_ref <> ''" if self.in_one_order else ""
        return f"""SELECT DISTINCT {keys} FROM crm_plugin_activity WHERE kind = 'bought' AND product_id <> ''
            AND product_id = {ask.param(product, "text")}{of_an_order}{ask.narrowed()}{STANDS}"""  # noqa: S608

    def kinds(self) -> frozenset[FactKind]:
        """Return the kinds of activity that can change the answer."""
        return frozenset({FactKind.BOUGHT, FactKind.CANCELLED})

    def names(self) -> tuple[str, ...]:
        """Return what the phrase names."""
        return (f"product:{self.product}", f"product:{self.other}")

    def say(self, wording: Wording) -> str:
        """Return it as a phrase."""
        one, other = map(wording.name, self.names())
        tail = wording(" in one order", " (한 주문에서)") if self.in_one_order else ""
        return wording(f"bought {one} and also {other}{tail}", f"{one}와(과) {other} 함께 구매{tail}")
