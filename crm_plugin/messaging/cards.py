"""The products of a batch of messages: read from the shop once per language, judged, and put into words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import ROUND_DOWN, Decimal
from typing import Any

from crm_plugin import shop
from crm_plugin.messaging.outcomes import Item, Reason
from crm_plugin.money import Money
from crm_plugin.shop import ProductCard, ProductRef


class Cards:
    """Product cards by language. The words of a card are made once per (language, item) of the batch."""

    def __init__(self, cards: Mapping[str, Mapping[ProductRef, ProductCard]]) -> None:
        self._cards = cards
        self._shown: dict[tuple[str, Item], tuple[dict[str, Any], Item]] = {}

    @classmethod
    def read(cls, wanted: Iterable[tuple[str, Item]]) -> Cards:
        """Ask the shop for the cards of all items, once per language."""
        refs: defaultdict[str, set[ProductRef]] = defaultdict(set)
        for language, item in wanted:
            refs[language].add(_ref(item))
        port = shop.current()
        return cls({language: port.product_cards(some, language=language) for language, some in refs.items()})

    def judge(self, item: Item, *, language: str, is_offer: bool = True) -> Reason | None:
        """Return why the item must not be shown; None when it may. What is not offered need not be for sale."""
        card = self._cards[language].get(_ref(item))
        if card is None:
            return Reason.UNAVAILABLE
        if not is_offer:
            return None
        if not card.is_purchasable:
            return Reason.UNAVAILABLE
        if item.currency and card.price.currency != item.currency:
            return Reason.UNAVAILABLE
        if not card.is_in_stock:
            return Reason.SOLD_OUT
        if item.limit is not None and card.price.amount > item.limit:
            return Reason.PRICE_RESTORED
        return None

    def priced(self, item: Item, *, language: str) -> Item:
        """Return the item with the price that its card shows."""
        return self._show(item, language)[1]

    def values(self, item: Item, *, language: str) -> dict[str, Any]:
        """Return what a template may say of the item."""
        return self._show(item, language)[0]

    def _show(self, item: Item, language: str) -> tuple[dict[str, Any], Item]:
        key = (language, item)
        shown = self._shown.get(key)
        if shown is None:
            card = self._cards[language][_ref(item)]
            shown = self._shown[key] = (_values(item, card, language), replace(item, price=card.price.amount))
        return shown


def _ref(item: Item) -> ProductRef:
    return ProductRef(item.product_id, item.shop_channel, item.variant_id)


def _values(item: Item, card: ProductCard, language: str) -> dict[str, Any]:
    baseline = item.baseline if item.baseline is not None else card.regular_price.amount
    return {
        "name": card.name,
        "url": card.url,
        "image_url": card.image_url,
        "price": card.price.format(language=language),
        "regular_price": card.regular_price.format(language=language),
        "baseline_price": Money(baseline, card.price.currency).format(language=language),
        "drop_percent": drop_percent(baseline, card.price.amount),
        "available": card.available,
        "review_url": item.review_url,
    }


def drop_percent(before: Decimal, now: Decimal) -> int:
    """Return by how many whole per cent ``now`` is below ``before``, never more than is true; 0 when it is not."""
    if before <= 0 or now >= before:
        return 0
    return int(((before - now) * 100 / before).to_integral_value(ROUND_DOWN))
