"""What search engines read: a product with its rating and some reviews, as schema.org has it, in JSON-LD.

Google asks for the product's name, and of each review for its author; ratings are those that the page itself shows
("Review snippet structured data").
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from crm_plugin import shop
from crm_plugin.reviews.models import Review
from crm_plugin.reviews.ratings import ProductRating, ratings
from crm_plugin.reviews.reading import newest_of
from crm_plugin.shop import ProductCard, ProductRef

NEWEST: Final = 5
#: What would end the script element, begin another one or a comment, or end a line of JavaScript.
_ESCAPES: Final = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


def json_ld(product_ids: Collection[str], *, shop_channel: str, language: str) -> dict[str, str]:
    """Return the text for a ``<script type="application/ld+json">`` of each product that is rated and can be seen.

    Four queries of ours at most and one look at the catalogue, however many products.
    """
    known = {key: rating for key, rating in ratings(product_ids).items() if rating.count}
    if not known:
        return {}
    newest = newest_of(known, limit=NEWEST)
    refs = {ProductRef(key, shop_channel): key for key in known}
    cards = shop.current().product_cards(refs, language=language)
    return {refs[ref]: _text(card, known[refs[ref]], newest[refs[ref]]) for ref, card in cards.items()}


def _text(card: ProductCard, rating: ProductRating, newest: Sequence[Review]) -> str:
    product: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "Product",
        "name": card.name,
        "url": card.url,
        "image": card.image_url,
        "aggregateRating": {
            "@type": "AggregateRating",
            "ratingValue": str(rating.average),
            "reviewCount": rating.count,
            "bestRating": 5,
            "worstRating": 1,
        },
        "review": [_review(row) for row in newest if row.author],
    }
    filled = {name: value for name, value in product.items() if value}
    return json.dumps(filled, ensure_ascii=False).translate(_ESCAPES)


def _review(row: Review) -> Mapping[str, Any]:
    said: dict[str, Any] = {
        "@type": "Review",
        "author": {"@type": "Person", "name": row.author},
        "datePublished": f"{row.published_at:%Y-%m-%d}",
        "name": row.title,
        "reviewBody": row.body,
        "reviewRating": {"@type": "Rating", "ratingValue": row.rating, "bestRating": 5, "worstRating": 1},
    }
    return {name: value for name, value in said.items() if value}
