"""The lists of products that answer a question (``insights``), with their names, and as a file."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from enum import StrEnum
from typing import Any

from crm_plugin import clock, merchant, shop
from crm_plugin.audience import insights
from crm_plugin.audience.models import Export
from crm_plugin.errors import InvalidInput
from crm_plugin.shop import ProductCard, ProductRef

_COLUMNS = ("product_id", "name", "url", "people", "share")


class ProductQuestion(StrEnum):
    """Which products."""

    ALSO_BOUGHT = "also_bought"
    CARTED_NOT_BOUGHT = "carted_not_bought"
    VIEWED_NOT_BOUGHT = "viewed_not_bought"


def cards_of(product_ids: Collection[str], *, language: str) -> Mapping[str, ProductCard]:
    """Return the card of each product in the first sales channel that sells it; what none sells is left out."""
    slugs = [channel.slug for channel in shop.current().channels()]
    cards: dict[str, ProductCard] = {}
    for channels in (slugs[:1], slugs[1:]):  # nearly everything is in the first one; the others are asked for the rest
        missing = [key for key in dict.fromkeys(product_ids) if key not in cards]
        refs = [ProductRef(key, slug) for slug in channels for key in missing]
        found = shop.current().product_cards(refs, language=language) if refs else {}
        for ref in refs:
            if ref in found:
                cards.setdefault(ref.product_id, found[ref])
    return cards


def start_product_export(question: ProductQuestion, actor: str, *, product_id: str = "") -> Export:
    """Write the line of the log for a list of products.

    Args:
        question: which products.
        actor: who asks, in words (``user:7``).
        product_id: whose buyers, for ``ALSO_BOUGHT``.

    Raises:
        InvalidInput: when the product is missing.
    """
    if question is ProductQuestion.ALSO_BOUGHT and not product_id:
        raise InvalidInput("Say whose buyers: name a product.", field="product", code="REQUIRED")
    what = {"products": question.value} | ({"product": product_id} if product_id else {})
    return Export.objects.create(what=what, actor=actor[:100], created_at=clock.now())


def product_rows(export: Export) -> Iterator[list[str]]:
    """Return the rows of a list of products, the names of the columns first."""
    yield list(_COLUMNS)
    found = _asked(export.what)
    cards = cards_of([key for key, _people, _share in found], language=merchant.load().default_language)
    for key, people, share in found:
        card = cards.get(key)
        yield [key, card.name if card else "", card.url if card else "", str(people), share]


def _asked(what: Mapping[str, Any]) -> list[tuple[str, int, str]]:
    most = insights.MAX_PRODUCTS
    match ProductQuestion(what["products"]):
        case ProductQuestion.ALSO_BOUGHT:
            others = insights.also_bought(what["product"], limit=most)
            return [(row.product_id, row.buyers, f"{row.share:.4f}") for row in others]
        case ProductQuestion.CARTED_NOT_BOUGHT:
            wanted = insights.products_carted_not_bought(limit=most)
        case ProductQuestion.VIEWED_NOT_BOUGHT:
            wanted = insights.products_viewed_not_bought(limit=most)
    return [(row.product_id, row.people, "") for row in wanted]
