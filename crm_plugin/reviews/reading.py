"""Reading reviews: pages of what everybody may see, of what waits for staff, and of what a person wrote.

Pages go by the values of the last row, so one costs the same however far in it is; each order has its index.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from django.db.models import Prefetch, QuerySet, prefetch_related_objects

from crm_plugin.reviews.models import Review, ReviewPicture, ReviewState

_SELECT: Final = "SELECT * FROM crm_plugin_review WHERE "
_NEWEST_OF: Final = """
SELECT r.* FROM unnest(%s::text[]) AS p(product_id)
CROSS JOIN LATERAL (
    SELECT * FROM crm_plugin_review WHERE product_id = p.product_id AND state = 'published'
    ORDER BY published_at DESC, id DESC LIMIT %s
) r
"""


class Sort(StrEnum):
    """The order of published reviews; among equals the newest first, for OLDEST and WORST the oldest."""

    NEWEST = "newest"
    OLDEST = "oldest"
    BEST = "best"
    WORST = "worst"

    @property
    def columns(self) -> tuple[str, ...]:
        """By what the rows are in order; the index has the same."""
        by_stars = self in (Sort.BEST, Sort.WORST)
        return ("rating", "published_at", "id") if by_stars else ("published_at", "id")

    @property
    def is_descending(self) -> bool:
        """Whether the greatest comes first."""
        return self in (Sort.NEWEST, Sort.BEST)


#: A row's values in the columns of the order.
Place = tuple[int | datetime, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Which rows of an ordered list: at most ``limit`` of those between two places, both left out.

    ``is_backward``: the last of them, in the opposite order.
    """

    limit: int
    after: Place | None = None
    before: Place | None = None
    is_backward: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """Which published reviews of a product; None: whichever."""

    product_id: str
    shop_channel: str | None = None
    rating: int | None = None
    is_verified: bool | None = None
    language: str | None = None
    has_pictures: bool | None = None


def published(shelf: Shelf, *, sort: Sort, span: Span) -> list[Review]:
    """Return reviews that everybody may see, with their pictures, in two queries."""
    conditions: list[tuple[str, Any]] = [("state = 'published' AND product_id = %s", shelf.product_id)]
    for column in ("shop_channel", "rating", "is_verified", "language"):
        if (wanted := getattr(shelf, column)) is not None:
            conditions.append((f"{column} = %s", wanted))
    if shelf.has_pictures is not None:
        shown = "EXISTS (SELECT FROM crm_plugin_reviewpicture p WHERE p.review_id = crm_plugin_review.id)"
        conditions.append((f"{shown} = %s", shelf.has_pictures))
    return _page(conditions, columns=sort.columns, is_descending=sort.is_descending, span=span)


def queue(state: ReviewState, *, product_id: str | None = None, rating: int | None = None, span: Span) -> list[Review]:
    """Return reviews in a state, for staff: of those that wait the oldest first, of others the newest."""
    conditions: list[tuple[str, Any]] = [(f"state = '{ReviewState(state).value}'", None)]
    if product_id is not None:
        conditions.append(("product_id = %s", product_id))
    if rating is not None:
        conditions.append(("rating = %s", rating))
    is_descending = state != ReviewState.PENDING
    return _page(conditions, columns=("written_at", "id"), is_descending=is_descending, span=span)


def reviews_of(contact_id: int) -> QuerySet[Review]:
    """Return what a person wrote, in whatever state, with the pictures; the caller orders and pages."""
    return Review.objects.filter(contact_id=contact_id).prefetch_related(_PICTURES)


def with_pictures(review: Review) -> Review:
    """Return the review with its pictures read."""
    prefetch_related_objects([review], _PICTURES)
    return review


def newest_of(product_ids: Collection[str], *, limit: int) -> dict[str, list[Review]]:
    """Return the newest published reviews of each product, at most ``limit`` of each, in two queries."""
    found: dict[str, list[Review]] = {product_id: [] for product_id in product_ids}
    rows = Review.objects.raw(_NEWEST_OF, [list(found), limit])
    for row in sorted(rows, key=lambda row: (row.published_at, row.pk), reverse=True):
        found[row.product_id].append(row)
    return found


_PICTURES: Final = Prefetch("pictures", queryset=ReviewPicture.objects.order_by("position"))


def _page(
    conditions: Sequence[tuple[str, Any]], *, columns: Sequence[str], is_descending: bool, span: Span
) -> list[Review]:
    goes_down = is_descending is not span.is_backward
    # A comparison of rows, not of columns one by one: it is what PostgreSQL begins to read the index at.
    row, marks = ", ".join(columns), ", ".join(["%s"] * len(columns))
    wheres = [where for where, _value in conditions]
    values = [value for where, value in conditions if "%s" in where]
    for place, beyond in ((span.after, is_descending), (span.before, not is_descending)):
        if place is not None:
            wheres.append(f"({row}) {'<' if beyond else '>'} ({marks})")
            values += place
    way = "DESC" if goes_down else "ASC"
    order = ", ".join(f"{column} {way}" for column in columns)
    # Only constants of this module are put in.
    sql = f"{_SELECT}{' AND '.join(wheres)} ORDER BY {order} LIMIT %s"
    return list(Review.objects.raw(sql, [*values, span.limit]).prefetch_related(_PICTURES))
