"""The reviews of the FakeShop, which keeps none unless a test says so."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

from crm_plugin import clock
from crm_plugin.shop import Fact, FactKind, NewReview, ShopChannel, ShopReview
from tests.fake_trade import FakeTrade


class FakeReviews(FakeTrade):
    """The reviews of the port in memory.

    Attributes:
        keeps_reviews: whether the shop has reviews of its own.
    """

    def __init__(self, channels: Sequence[ShopChannel]) -> None:
        super().__init__(channels)
        self.keeps_reviews = False
        self.review_rows: dict[str, ShopReview] = {}

    # What people and staff do in the shop itself, silently; ``review_fact`` says what a hook would tell

    def write_review(self, product_id: str, *, rating: int = 5, **more: Any) -> ShopReview:
        """Write a review by the shop's own form; ``more`` are further fields of ``ShopReview``."""
        review = ShopReview(
            review_ref=f"R{len(self.review_rows) + 1}",
            product_id=product_id,
            rating=rating,
            **{"variant_id": "", "title": "", "body": "", "author": "", "is_published": None, **_now(), **more},
        )
        self.review_rows[review.review_ref] = review
        return review

    def change_review(self, review_ref: str, **changes: Any) -> ShopReview:
        """Change fields of a review."""
        self.review_rows[review_ref] = replace(self.review_rows[review_ref], **changes)
        return self.review_rows[review_ref]

    # The port

    def reviews(self, review_refs: Collection[str]) -> Mapping[str, ShopReview]:
        """Return the reviews by id."""
        return {ref: self.review_rows[ref] for ref in review_refs if ref in self.review_rows}

    def keep_review(self, review: NewReview) -> str:
        """Keep a copy, if the shop keeps reviews."""
        if not self.keeps_reviews:
            return ""
        return self.write_review(
            review.product_id,
            rating=review.rating,
            variant_id=review.variant_id,
            title=review.title,
            body=review.body,
            author=review.author,
            customer_id=review.customer_id,
            email=review.email,
            is_published=True if review.is_published else None,
        ).review_ref

    def judge_review(self, review_ref: str, *, is_published: bool) -> None:
        """Publish the review or take it back; one that is gone is no error."""
        if review_ref in self.review_rows:
            self.change_review(review_ref, is_published=is_published)


def review_fact(review: ShopReview, *, is_new: bool = True) -> Fact:
    """Return that a review was written in the shop itself or (``is_new`` False) edited or moderated there."""
    return Fact(
        kind=FactKind.REVIEWED if is_new else FactKind.REVIEW_CHANGED,
        source_key=f"review:{review.review_ref}" if is_new else f"review:{review.review_ref}:{uuid4().hex}",
        occurred_at=review.written_at if is_new else clock.now(),
        customer_id=review.customer_id,
        email=review.email,
        product_id=review.product_id,
        variant_id=review.variant_id,
        subject=review.review_ref,
        data={"score": review.rating} if is_new else {},
    )


def _now() -> dict[str, Any]:
    return {"written_at": clock.now()}
