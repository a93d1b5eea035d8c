"""Reviews that the shop keeps itself: what was written, edited, judged or deleted there is so here.

The copy of the shop is right: what is heard is not what the fact said but what the shop says now, so facts may come
twice, late and in any order. Why there is a copy at all: ``docs/decisions/reviews-are-mirrored.md``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from crm_plugin import activity, clock, shop
from crm_plugin.reviews import moderation, ratings, telling
from crm_plugin.reviews.models import Review, ReviewState
from crm_plugin.reviews.submitting import Source
from crm_plugin.reviews.texts import clean_line, clean_text
from crm_plugin.shop import ShopReview

#: What fits; a shop's own form may take more.
_LONGEST_LINE: Final = 255
_LONGEST_BODY: Final = 20_000
_HEARD: Final = (
    *("contact_id", "rating", "title", "body", "author", "state", "published_at", "moderated_at", "moderated_by"),
    "is_verified",
)
_BY_SHOP: Final = "shop"


def hear(review_refs: Collection[str]) -> None:
    """Make the reviews what the shop says that they are now. Must run in a transaction, after the facts of them.

    One that names somebody is taken over only when it is known as something that this person did: of people who were
    erased nothing comes back.

    Args:
        review_refs: the shop's ids; empty ones are passed over.
    """
    refs = sorted(set(review_refs) - {""})
    if not refs:
        return
    fresh = _take_over(refs)
    rows = list(Review.objects.select_for_update(of=("self",)).filter(native_ref__in=refs).order_by("pk"))
    told = shop.current().reviews(refs)  # behind the lock: who judges one here has told the shop by now
    if gone := [row for row in rows if row.native_ref not in told]:
        moderation.remove(gone)
    _mirror([row for row in rows if row.native_ref in told], told, fresh=fresh)


def _take_over(refs: list[str]) -> set[str]:
    """Make rows of the reviews that are new, not published yet; return which those are."""
    known = set(Review.objects.filter(native_ref__in=refs).values_list("native_ref", flat=True))
    missing = [ref for ref in refs if ref not in known]
    told = shop.current().reviews(missing) if missing else {}
    writers = _writers(told)
    fresh = {ref: said for ref, said in told.items() if ref in writers or not (said.customer_id or said.email)}
    Review.objects.bulk_create(
        [_row(ref, said, writer=writers.get(ref)) for ref, said in sorted(fresh.items())],
        ignore_conflicts=True,  # another worker may be as fast
    )
    return set(fresh)


def _row(ref: str, said: ShopReview, *, writer: int | None) -> Review:
    row = Review(
        contact_id=writer,
        product_id=said.product_id,
        variant_id=said.variant_id,
        state=ReviewState.PENDING,
        native_ref=ref,
        source=Source.SHOP.value,
        written_at=said.written_at,
    )
    _write_words(row, said)
    return row


def _writers(refs: Collection[str]) -> dict[str, int]:
    """Return who wrote the reviews, as far as they are known as something that somebody did."""
    keys = {telling.written_key(ref): ref for ref in refs}
    return {keys[key]: contact_id for key, contact_id in activity.doers_of(keys).items()} if keys else {}


def _mirror(rows: list[Review], told: Mapping[str, ShopReview], *, fresh: set[str]) -> None:
    writers = _writers([row.native_ref for row in rows if row.contact_id is None])
    before = {row.pk: (ratings.counted(row), row.state, _heard(row)) for row in rows}
    for row in rows:
        said = told[row.native_ref]
        if not _is_emptied(row):
            row.contact_id = row.contact_id or writers.get(row.native_ref)
            _write_words(row, said)
        _write_state(row, said, is_fresh=row.native_ref in fresh)
    bought = activity.bought_among([(row.contact_id, row.product_id) for row in rows if row.contact_id is not None])
    for row in rows:
        row.is_verified = row.is_verified or (row.contact_id, row.product_id) in bought
    changed = [row for row in rows if _heard(row) != before[row.pk][2]]
    Review.objects.bulk_update(changed, [name.removesuffix("_id") for name in _HEARD], batch_size=500)
    ratings.recount([(before[row.pk][0], ratings.counted(row)) for row in changed])
    telling.tell_published([row for row in changed if before[row.pk][1] != ReviewState.PUBLISHED])


def _heard(row: Review) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in _HEARD)


def _is_emptied(row: Review) -> bool:
    """Whether it is of somebody who was erased: the stars count, the words do not come back."""
    return row.contact_id is None and not (row.title or row.body or row.author)


def _write_words(row: Review, said: ShopReview) -> None:
    row.title = clean_line(said.title[:_LONGEST_LINE], field="title", longest=_LONGEST_LINE)
    row.body = clean_text(said.body[:_LONGEST_BODY], field="body", longest=_LONGEST_BODY)
    if row.source == Source.SHOP.value:  # in our own form people choose the name that is shown; a shop has its own
        row.author = clean_line(said.author[:_LONGEST_LINE], field="author", longest=_LONGEST_LINE)
    row.rating = min(max(said.rating, 1), 5)


def _write_state(row: Review, said: ShopReview, *, is_fresh: bool) -> None:
    state = _state(said)
    if state == row.state:
        return
    row.state = state
    if state == ReviewState.PUBLISHED and row.published_at is None:
        row.published_at = row.written_at if is_fresh else clock.now()
    if not is_fresh:
        row.moderated_at, row.moderated_by = clock.now(), _BY_SHOP


def _state(said: ShopReview) -> ReviewState:
    if said.is_published is None:
        return ReviewState.PENDING
    return ReviewState.PUBLISHED if said.is_published else ReviewState.REJECTED
