"""Taking up a review: one of a person about a product of an order, however often the form is sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from django.db import transaction

from crm_plugin import activity, clock, contacts, merchant, shop
from crm_plugin.contacts import Contact
from crm_plugin.errors import CRMError, InvalidInput, NotFound
from crm_plugin.reviews import pictures, ratings, telling
from crm_plugin.reviews.models import Review, ReviewPicture, ReviewState
from crm_plugin.reviews.texts import clean_language, clean_line, clean_text
from crm_plugin.shop import NewReview, OrderState

MAX_TITLE: Final = 120
MAX_BODY: Final = 5_000
MAX_AUTHOR: Final = 60


class Source(StrEnum):
    """Where a review was written."""

    LINK = "link"  #: in the form that a request leads to
    ACCOUNT = "account"  #: in the storefront, by a customer who has signed in
    SHOP = "shop"  #: in a form of the shop's own, which tells of it


class AlreadyReviewed(CRMError):
    """The person has written a review of this product of this order."""

    code = "UNIQUE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What somebody sent, as it came: nothing of it has been looked at.

    Attributes:
        order_ref: the order that it is about; empty: none. The caller vouches that it is one of the person's.
        rating: 1 to 5 stars.
        author: the name to show; empty: none is shown.
        language: of the form.
        pictures: files, at most 4 of at most 5 MB.
    """

    contact_id: int
    product_id: str
    rating: int
    source: Source
    variant_id: str = ""
    order_ref: str = ""
    shop_channel: str = ""
    title: str = ""
    body: str = ""
    author: str = ""
    language: str = ""
    pictures: Sequence[bytes] = ()


def submit(given: Submission) -> Review:
    """Keep a review, published at once or waiting for somebody to look at it, as the merchant has it.

    A shop with reviews of its own gets a copy. Nothing is left of one that was refused, no file either.

    Raises:
        AlreadyReviewed: there is one of this person about this product of this order.
        InvalidInput: naming the field; of a picture ``pictures.0``, ``pictures.1`` …
        NotFound: there is no such person (any more).
    """
    draft = _draft(given)
    _refuse_second(draft)  # once more below, where nobody comes between; here before anything is decoded
    images = pictures.read_pictures(given.pictures)
    files: list[str] = []
    try:
        with transaction.atomic():
            _keep(draft)
            pictures.keep(images, files)
            ReviewPicture.objects.bulk_create(
                ReviewPicture(review=draft, position=place, file=name, width=image.width, height=image.height)
                for place, (name, image) in enumerate(zip(files, images, strict=True))
            )
    except BaseException:
        pictures.drop(files)
        raise
    return draft


def has_reviewed(contact_id: int, product_id: str, *, order_ref: str = "") -> bool:
    """Whether a review of this person about this product of this order is there."""
    return Review.objects.filter(contact_id=contact_id, product_id=product_id, order_ref=order_ref).exists()


def _draft(given: Submission) -> Review:
    if isinstance(given.rating, bool) or given.rating not in range(1, 6):
        raise InvalidInput("One to five stars.", field="rating")
    return Review(
        contact_id=given.contact_id,
        product_id=given.product_id,
        variant_id=given.variant_id,
        shop_channel=given.shop_channel,
        order_ref=given.order_ref,
        rating=given.rating,
        title=clean_line(given.title, field="title", longest=MAX_TITLE),
        body=clean_text(given.body, field="body", longest=MAX_BODY),
        author=clean_line(given.author, field="author", longest=MAX_AUTHOR),
        language=clean_language(given.language),
        source=given.source.value,
    )


def _keep(draft: Review) -> None:
    writer = _locked(draft.contact_id)
    _refuse_second(draft)
    draft.written_at = clock.now()
    draft.state = ReviewState.PENDING if merchant.load().is_review_moderated else ReviewState.PUBLISHED
    if draft.state == ReviewState.PUBLISHED:
        draft.published_at = draft.written_at
    draft.is_verified = _is_verified(draft)
    draft.native_ref = _copy_to_shop(draft, writer)
    draft.save()
    ratings.recount([(None, ratings.counted(draft))])
    telling.tell_written(draft)
    telling.tell_published([draft])


def _locked(contact_id: int | None) -> Contact:
    """Return who writes, locked: everything that the person sends at the same time waits here."""
    contacts.lock([contact_id] if contact_id is not None else [])
    found = contacts.rows_of([contact_id] if contact_id is not None else []).first()
    if found is None or found.erased_at is not None:
        raise NotFound("Nobody is known by this link any more.")
    return found


def _refuse_second(draft: Review) -> None:
    if has_reviewed(draft.contact_id or 0, draft.product_id, order_ref=draft.order_ref):
        raise AlreadyReviewed("You have reviewed this already.")


def _is_verified(draft: Review) -> bool:
    """Whether the person bought the product: in the order that the review is about, or in any other that stands."""
    pair = (draft.contact_id or 0, draft.product_id)
    return pair in activity.bought_among([pair]) or _is_of_order(draft)


def _is_of_order(draft: Review) -> bool:
    order = shop.current().orders([draft.order_ref]).get(draft.order_ref) if draft.order_ref else None
    if order is None or order.state is OrderState.CANCELLED:
        return False
    return any(line.product_id == draft.product_id for line in order.lines)


def _copy_to_shop(draft: Review, writer: Contact) -> str:
    """Write the review among the shop's own; where there are any, a person has one of a product, of whatever order."""
    theirs = Review.objects.filter(contact_id=writer.pk, product_id=draft.product_id).exclude(native_ref="")
    if theirs.exists():
        return ""
    return shop.current().keep_review(
        NewReview(
            product_id=draft.product_id,
            variant_id=draft.variant_id,
            rating=draft.rating,
            title=draft.title,
            body=draft.body,
            author=draft.author,
            customer_id=writer.customer_id or "",
            email=writer.email or "",
            is_published=draft.state == ReviewState.PUBLISHED,
        )
    )
