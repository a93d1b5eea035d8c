"""How many stars products have: a projection of the published reviews, kept by whoever changes a review.

Only the difference is written, in the transaction that changes the review and holds its row, so that the numbers are
those of a recount after any sequence, however many workers there are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from django.db import connection

from crm_plugin.reviews.models import Rating, Review, ReviewState

_STARS = range(1, 6)
_MAKE = """
INSERT INTO crm_plugin_rating (product_id, stars_1, stars_2, stars_3, stars_4, stars_5)
SELECT product_id, 0, 0, 0, 0, 0 FROM unnest(%s::text[]) AS product_id ORDER BY product_id
ON CONFLICT (product_id) DO NOTHING
"""
#: In the order of ids, as every writer: two who change the same two products do not wait for each other for ever.
_LOCK = "SELECT product_id FROM crm_plugin_rating WHERE product_id = ANY(%s) ORDER BY product_id FOR UPDATE"
_ADD = """
UPDATE crm_plugin_rating r SET stars_1 = r.stars_1 + d.stars_1, stars_2 = r.stars_2 + d.stars_2,
    stars_3 = r.stars_3 + d.stars_3, stars_4 = r.stars_4 + d.stars_4, stars_5 = r.stars_5 + d.stars_5
FROM unnest(%s::text[], %s::int[], %s::int[], %s::int[], %s::int[], %s::int[])
    AS d(product_id, stars_1, stars_2, stars_3, stars_4, stars_5)
WHERE r.product_id = d.product_id
"""


class Counted(NamedTuple):
    """What a review adds to the rating of its product."""

    product_id: str
    stars: int


@dataclass(frozen=True, slots=True)
class ProductRating:
    """How people rate a product.

    Attributes:
        stars: how many published reviews have one star, two stars … five.
    """

    product_id: str
    stars: tuple[int, ...] = (0, 0, 0, 0, 0)

    @property
    def count(self) -> int:
        """How many published reviews there are."""
        return sum(self.stars)

    @property
    def average(self) -> Decimal | None:
        """The mean, to two places; None when there is no review."""
        total = sum(stars * count for stars, count in zip(_STARS, self.stars, strict=True))
        return (Decimal(total) / self.count).quantize(Decimal("0.01"), ROUND_HALF_UP) if self.count else None


def ratings(product_ids: Collection[str]) -> dict[str, ProductRating]:
    """Return the rating of each product, of one without reviews too, in one query."""
    found = {product_id: ProductRating(product_id) for product_id in product_ids}
    rows = Rating.objects.filter(product_id__in=list(found)).values_list(
        "product_id", "stars_1", "stars_2", "stars_3", "stars_4", "stars_5"
    )
    for product_id, *stars in rows:
        found[product_id] = ProductRating(product_id, tuple(stars))
    return found


def counted(review: Review) -> Counted | None:
    """Return what a review adds as it stands; None: nothing, it is not published."""
    return Counted(review.product_id, review.rating) if review.state == ReviewState.PUBLISHED else None


def recount(changes: Iterable[tuple[Counted | None, Counted | None]]) -> None:
    """Write what reviews added before and add now. Must run in the transaction that changed them."""
    difference: Counter[Counted] = Counter()
    for before, after in changes:
        if before != after:
            difference.update({one: by for one, by in ((before, -1), (after, 1)) if one is not None})
    products = sorted({one.product_id for one, by in difference.items() if by})
    if not products:
        return
    columns = [[difference[Counted(product_id, stars)] for product_id in products] for stars in _STARS]
    with connection.cursor() as cursor:
        cursor.execute(_MAKE, [products])
        cursor.execute(_LOCK, [products])
        cursor.execute(_ADD, [products, *columns])
