from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from crm_plugin import reviews
from crm_plugin.models import Review
from crm_plugin.reviews import ReviewState, Shelf, Sort, Span
from tests.reviews.conftest import picture

pytestmark = pytest.mark.django_db

DAY = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def shelf(db, fake_shop):
    """Published reviews of a product, one a day: (stars, language, verified)."""

    def fill(*given, product_id="1"):
        rows = [
            Review(
                product_id=product_id,
                rating=stars,
                language=language,
                is_verified=is_verified,
                state="published",
                source="shop",
                author=f"Author {number}",
                written_at=DAY + timedelta(days=number),
                published_at=DAY + timedelta(days=number),
            )
            for number, (stars, language, is_verified) in enumerate(given)
        ]
        return Review.objects.bulk_create(rows)

    return fill


def all_of(product_id="1", *, sort=Sort.NEWEST, size=2, is_backward=False, **wanted):
    """Read a shelf page by page."""
    found, edge = [], None
    while True:
        places = {"before" if is_backward else "after": edge}
        span = Span(limit=size, is_backward=is_backward, **places)
        rows = reviews.published(Shelf(product_id=product_id, **wanted), sort=sort, span=span)
        found += rows
        if len(rows) < size:
            return found
        edge = tuple(getattr(rows[-1], column) for column in sort.columns)


SIX = [(3, "en", True), (5, "ko", False), (3, "ko", True), (1, "en", False), (5, "en", True), (3, "en", True)]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        (Sort.NEWEST, [5, 4, 3, 2, 1, 0]),
        (Sort.OLDEST, [0, 1, 2, 3, 4, 5]),
        (Sort.BEST, [4, 1, 5, 2, 0, 3]),
        (Sort.WORST, [3, 0, 2, 5, 1, 4]),
    ],
)
@pytest.mark.parametrize("is_backward", [False, True])
def test_every_order_is_paged_without_gap_or_repetition(shelf, sort, expected, is_backward):
    rows = shelf(*SIX)
    shelf(*SIX, product_id="2")

    found = all_of(sort=sort, is_backward=is_backward)

    order = expected[::-1] if is_backward else expected
    assert [row.pk for row in found] == [rows[number].pk for number in order]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"rating": 3}, [5, 2, 0]),
        ({"is_verified": False}, [3, 1]),
        ({"language": "ko"}, [2, 1]),
        ({"language": "ko", "rating": 5, "is_verified": False}, [1]),
        ({"shop_channel": "elsewhere"}, []),
    ],
)
def test_a_shelf_can_be_narrowed(shelf, wanted, expected):
    rows = shelf(*SIX)

    assert [row.pk for row in all_of(**wanted)] == [rows[number].pk for number in expected]


def test_those_with_pictures_can_be_asked_for(submit, unmoderated, mug):
    with_one = submit(pictures=[picture()])
    without = submit(order_ref="82")

    def found(*, has_pictures):
        return [row.pk for row in all_of(mug.product_id, has_pictures=has_pictures)]

    assert (found(has_pictures=True), found(has_pictures=False)) == ([with_one.pk], [without.pk])


@pytest.mark.parametrize("state", ["pending", "rejected"])
def test_what_is_not_published_is_not_shown(shelf, state):
    shelf((5, "en", True))
    Review.objects.update(state=state)

    assert all_of() == []


def test_a_page_with_pictures_takes_two_queries(submit, unmoderated, mug, django_assert_num_queries):
    for number in range(5):
        submit(order_ref=str(number), pictures=[picture(), picture()])

    with django_assert_num_queries(2):
        rows = reviews.published(Shelf(product_id=mug.product_id), sort=Sort.NEWEST, span=Span(limit=10))
        assert [len(row.pictures.all()) for row in rows] == [2] * 5


def test_ratings_of_many_products_take_one_query(shelf, submit, unmoderated, mug, django_assert_num_queries):
    for number, stars in enumerate([5, 5, 4]):
        submit(order_ref=str(number), rating=stars)

    with django_assert_num_queries(1):
        found = reviews.ratings([mug.product_id, *map(str, range(100, 199))])

    assert (found[mug.product_id].average, found[mug.product_id].count) == (Decimal("4.67"), 3)
    assert found[mug.product_id].stars == (0, 0, 0, 1, 2)
    assert (found["100"].average, found["100"].count) == (None, 0)


def test_of_the_queue_the_oldest_comes_first_of_others_the_newest(submit):
    rows = [submit(order_ref=str(number)).pk for number in range(3)]

    assert [row.pk for row in reviews.queue(ReviewState.PENDING, span=Span(limit=9))] == rows
    for pk in rows:
        reviews.reject(pk, remark="x", by="user:1")
    assert [row.pk for row in reviews.queue(ReviewState.REJECTED, span=Span(limit=9))] == rows[::-1]


def test_json_ld_is_a_product_with_its_rating_and_reviews(submit, unmoderated, mug):
    for number in range(7):
        submit(order_ref=str(number), rating=4, title=f"Title {number}", body="Good", author="Ann")
    submit(order_ref="nameless", rating=5)

    texts = reviews.json_ld([mug.product_id, "999"], shop_channel="default", language="en")

    assert set(texts) == {mug.product_id}
    found = json.loads(texts[mug.product_id])
    assert (found["@context"], found["@type"], found["name"]) == ("https://schema.org", "Product", "Mug")
    assert found["aggregateRating"] == {
        "@type": "AggregateRating",
        "ratingValue": "4.13",
        "reviewCount": 8,
        "bestRating": 5,
        "worstRating": 1,
    }
    assert [one["name"] for one in found["review"]] == ["Title 6", "Title 5", "Title 4", "Title 3"]
    assert found["review"][0]["reviewRating"]["ratingValue"] == 4
    assert found["review"][0]["author"] == {"@type": "Person", "name": "Ann"}


def test_json_ld_cannot_end_its_script_element(submit, unmoderated, mug):
    nasty = "</script><!-- <script>&amp;\u2028\u2029 '\""
    submit(title="<b>", author="Ann")
    Review.objects.update(body=nasty)  # as an import might write it

    (text,) = reviews.json_ld([mug.product_id], shop_channel="default", language="en").values()

    assert not set(text) & set("<>&\u2028\u2029")
    assert json.loads(text)["review"][0]["reviewBody"] == nasty


def test_json_ld_of_what_the_channel_does_not_show_is_none(submit, unmoderated, mug):
    submit()

    assert reviews.json_ld([mug.product_id], shop_channel="kr", language="ko") == {}
