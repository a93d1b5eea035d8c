"""Reviews, as far as the shop keeps any itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewReview:
    """What somebody wrote about a product.

    Attributes:
        rating: 1 to 5.
        author: the name that is shown.
        customer_id: empty when the person has no account; ``email`` is theirs in both cases.
        is_published: False while it waits for somebody to look at it.
    """

    product_id: str
    variant_id: str
    rating: int
    title: str
    body: str
    author: str
    customer_id: str
    email: str
    is_published: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopReview:
    """A review that the shop keeps. ``is_published`` is None while nobody has decided."""

    review_ref: str
    product_id: str
    variant_id: str
    rating: int
    title: str
    body: str
    author: str
    written_at: datetime
    is_published: bool | None
    customer_id: str = ""
    email: str = ""
