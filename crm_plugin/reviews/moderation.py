"""What staff do with reviews. Always for a reason that would hold for five stars as well as for one.

Whoever takes down bad reviews because they are bad deceives (EU directive 2005/29/EC, annex I point 23c, as amended by
2019/2161; in Korea article 21(1)1 of the e-commerce act): ``docs/reviews.md``.
"""

from __future__ import annotations

import logging
from typing import Final

from django.db import transaction

from crm_plugin import clock, shop
from crm_plugin.errors import InvalidInput, NotFound
from crm_plugin.reviews import pictures, ratings, telling
from crm_plugin.reviews.models import Review, ReviewPicture, ReviewState
from crm_plugin.reviews.texts import clean_line, clean_text

logger = logging.getLogger(__name__)

MAX_REMARK: Final = 500
MAX_ANSWER: Final = 5_000


@transaction.atomic
def publish(review_id: int, *, by: str) -> Review:
    """Let everybody read a review; one that was rejected too.

    Args:
        review_id: which.
        by: who decides, in words for the log.

    Raises:
        NotFound: there is no such review.
    """
    review = _locked(review_id)
    review.remark = ""
    _judge(review, ReviewState.PUBLISHED, by=by)
    telling.tell_published([review])
    return review


@transaction.atomic
def reject(review_id: int, *, remark: str, by: str) -> Review:
    """Let nobody read a review, also one that was published; it counts no longer.

    Args:
        review_id: which.
        remark: the reason, for staff.
        by: who decides, in words for the log.

    Raises:
        InvalidInput: there is no reason.
        NotFound: there is no such review.
    """
    reason = _reason(remark)
    review = _locked(review_id)
    review.remark = reason
    _judge(review, ReviewState.REJECTED, by=by)
    return review


@transaction.atomic
def answer(review_id: int, *, text: str, by: str) -> Review:
    """Say something below a review; empty text takes it back.

    Raises:
        InvalidInput: it is too long.
        NotFound: there is no such review.
    """
    words = clean_text(text, field="text", longest=MAX_ANSWER)
    review = _locked(review_id)
    review.answer = words
    review.answered_at, review.answered_by = (clock.now(), by) if words else (None, "")
    review.save(update_fields=("answer", "answered_at", "answered_by"))
    return review


@transaction.atomic
def take_down(review_id: int, *, remark: str, by: str) -> None:
    """Delete a review with its pictures for good: what must not even be kept, or what its author takes back.

    The log keeps the reason. In a shop that keeps a copy, the copy is taken from the page; to delete it is the shop's.
    Until then an empty row stays here, so that the words do not come back from there.

    Raises:
        InvalidInput: there is no reason.
        NotFound: there is no such review.
    """
    reason = _reason(remark)
    review = _locked(review_id)
    if review.native_ref:
        _judge(review, ReviewState.REJECTED, by=by)
        empty([review.pk])
    else:
        remove([review])
    logger.info("crm: review %s of product %s deleted by %s: %s", review_id, review.product_id, by, reason)


def remove(reviews: list[Review]) -> None:
    """Delete reviews that the caller has locked, with what they count and their files."""
    ratings.recount([(ratings.counted(review), None) for review in reviews])
    keys = [review.pk for review in reviews]
    pictures.drop_on_commit(_files_of(keys))
    Review.objects.filter(pk__in=keys).delete()


def empty(review_ids: list[int]) -> None:
    """Leave nothing of reviews but the stars: no words, no pictures, nobody whose they are."""
    pictures.drop_on_commit(_files_of(review_ids))
    ReviewPicture.objects.filter(review_id__in=review_ids).delete()
    Review.objects.filter(pk__in=review_ids).update(
        contact=None, order_ref="", title="", body="", author="", answer="", answered_at=None, answered_by="", remark=""
    )


def _files_of(review_ids: list[int]) -> list[str]:
    return list(ReviewPicture.objects.filter(review_id__in=review_ids).values_list("file", flat=True))


def _judge(review: Review, state: ReviewState, *, by: str) -> None:
    before = ratings.counted(review)
    review.state = state
    review.moderated_at, review.moderated_by = clock.now(), by
    if state == ReviewState.PUBLISHED and review.published_at is None:
        review.published_at = review.moderated_at
    review.save(update_fields=("state", "remark", "moderated_at", "moderated_by", "published_at"))
    if review.native_ref:  # before the rating: a shop locks its product, and so does everybody who writes a review
        shop.current().judge_review(review.native_ref, is_published=state == ReviewState.PUBLISHED)
    ratings.recount([(before, ratings.counted(review))])


def _locked(review_id: int) -> Review:
    found = Review.objects.select_for_update().filter(pk=review_id).first()
    if found is None:
        raise NotFound("There is no such review.")
    return found


def _reason(remark: str) -> str:
    reason = clean_line(remark, field="remark", longest=MAX_REMARK)
    if not reason:
        raise InvalidInput("Say why: a reason that does not depend on the stars.", field="remark", code="REQUIRED")
    return reason
