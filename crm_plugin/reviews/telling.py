"""What this room tells the stream of activities."""

from __future__ import annotations

from collections.abc import Iterable

from crm_plugin import activity
from crm_plugin.reviews.models import Review, ReviewState
from crm_plugin.shop import Fact, FactKind


def written_key(native_ref: str) -> str:
    """Return the key under which a review that the shop keeps is told, by whoever tells it."""
    return f"review:{native_ref}"


def tell_written(review: Review) -> None:
    """Say that somebody wrote a review, published or not."""
    activity.record(
        Fact(
            kind=FactKind.REVIEWED,
            source_key=written_key(review.native_ref) if review.native_ref else f"crm_review:{review.pk}",
            occurred_at=review.written_at,
            contact_id=review.contact_id,
            product_id=review.product_id,
            variant_id=review.variant_id,
            shop_channel=review.shop_channel,
            order_ref=review.order_ref,
            subject=review.native_ref,
            data={"score": review.rating},
        )
    )


def tell_published(reviews: Iterable[Review]) -> None:
    """Say of those that can be read by everybody that they can; once of each, however often that changes.

    A review of nobody who is known is nobody's activity.
    """
    activity.record_many(
        Fact(
            kind=FactKind.REVIEW_PUBLISHED,
            source_key=f"crm_review:{review.pk}:published",
            occurred_at=review.published_at,
            contact_id=review.contact_id,
            product_id=review.product_id,
            variant_id=review.variant_id,
            shop_channel=review.shop_channel,
            order_ref=review.order_ref,
            data={"score": review.rating},
        )
        for review in reviews
        if review.state == ReviewState.PUBLISHED and review.contact_id is not None
    )
