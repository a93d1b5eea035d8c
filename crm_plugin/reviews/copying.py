"""What this room keeps about people, for the copy that they may ask for."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from crm_plugin.contacts import Part
from crm_plugin.reviews.models import Review, ReviewPicture, ReviewRequest

_STAFF: Final = frozenset({"moderated_by", "answered_by"})


def copy_of(contact_ids: Collection[int]) -> list[Part]:
    """Return the parts of this room: what people wrote and showed, and what they were asked about; staff unnamed."""
    return [
        Part(name="reviews", rows=Review.objects.filter(contact_id__in=contact_ids), without=_STAFF),
        Part(name="review_pictures", rows=ReviewPicture.objects.filter(review__contact_id__in=contact_ids)),
        Part(name="review_requests", rows=ReviewRequest.objects.filter(contact_id__in=contact_ids)),
    ]
