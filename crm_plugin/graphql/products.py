"""Products of the shop beside numbers of ours."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import graphene

from crm_plugin import audience, ids
from crm_plugin.shop import ProductCard


class CrmProduct(graphene.ObjectType):
    """A product as a list shows it."""

    id = graphene.ID(required=True, description="The shop's Product.")
    key = graphene.String(required=True, description="The shop's own key, by which conditions name it.")
    name = graphene.String(description="Null: the shop sells it no longer.")
    url = graphene.String(description="Null: the shop sells it no longer.")
    image_url = graphene.String(description="Null: it has none.")


def products(product_ids: Collection[str], *, language: str) -> Mapping[str, CrmProduct]:
    """Return what to show of products, read from the shop for all of them at once."""
    cards = audience.cards_of(product_ids, language=language)
    return {key: _shown(key, cards.get(key)) for key in product_ids}


def _shown(key: str, card: ProductCard | None) -> CrmProduct:
    return CrmProduct(
        id=ids.to_global("Product", key),
        key=key,
        name=card.name if card else None,
        url=card.url if card else None,
        image_url=(card.image_url or None) if card else None,
    )
