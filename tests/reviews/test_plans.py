"""The queries of the reviews find their index on filled tables, however deep a page is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm_plugin import reviews
from crm_plugin.models import Review
from crm_plugin.reviews import ReviewState, Shelf, Sort, Span
from crm_plugin.reviews.reading import newest_of

if TYPE_CHECKING:
    from pytest_django import DjangoDbBlocker

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_filled")]

#: Two products with thousands of reviews each, as a shop has after years, and some that wait.
_FILL = """
INSERT INTO crm_plugin_review (product_id, variant_id, shop_channel, order_ref, rating, title, body, author, language,
    state, is_verified, native_ref, source, written_at, published_at, moderated_by, remark, answer, answered_by)
SELECT n % 20, '', 'default', '', n % 5 + 1, '', '', '', CASE WHEN n % 3 = 0 THEN 'ko' ELSE 'en' END,
    CASE WHEN n % 50 = 0 THEN 'pending' WHEN n % 51 = 0 THEN 'rejected' ELSE 'published' END, n % 2 = 0, '', 'shop',
    now() - make_interval(mins => n), now() - make_interval(mins => n), '', '', '', ''
FROM generate_series(1, 20000) n;
INSERT INTO crm_plugin_rating (product_id, stars_1, stars_2, stars_3, stars_4, stars_5)
SELECT n, 1, 2, 3, 4, 5 FROM generate_series(1, 3000) n;
"""


@pytest.fixture(scope="module")
def _filled(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(_FILL)
        cursor.execute("ANALYZE crm_plugin_review, crm_plugin_rating")
    yield
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("TRUNCATE crm_plugin_review, crm_plugin_rating CASCADE")


def plan_of(work) -> str:
    with CaptureQueriesContext(connection) as seen:
        work()
    (query,) = [one["sql"] for one in seen.captured_queries if "FROM crm_plugin_review" in one["sql"]]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {query}")
        return "\n".join(line for (line,) in cursor.fetchall())


@pytest.mark.parametrize("sort", list(Sort))
@pytest.mark.parametrize("wanted", [{}, {"rating": 3}, {"language": "ko", "is_verified": True}], ids=str)
def test_a_page_however_deep_is_read_from_its_index(sort, wanted):
    deep = {
        "published_at": Review.objects.order_by("published_at")[10_000].published_at,
        "rating": 3,
        "id": 5,
    }
    span = Span(limit=21, after=tuple(deep[column] for column in sort.columns))

    plan = plan_of(lambda: reviews.published(Shelf(product_id="7", **wanted), sort=sort, span=span))

    # With the stars given, the index by stars is in the order of time too; and is narrower.
    expected = {"crm_review_by_stars"} if len(sort.columns) == 3 else {"crm_review_of_product"}
    if "rating" in wanted:
        expected.add("crm_review_by_stars")
    assert any(name in plan for name in expected), plan
    assert "Sort" not in plan
    assert "Index Cond" in plan


@pytest.mark.parametrize("state", [ReviewState.PENDING, ReviewState.REJECTED])
def test_the_queue_is_read_from_its_index(state):
    plan = plan_of(lambda: reviews.queue(state, span=Span(limit=21)))

    assert "crm_review_queue" in plan
    assert "Sort" not in plan


def test_the_newest_of_many_products_are_read_from_their_index():
    plan = plan_of(lambda: newest_of([str(number) for number in range(20)], limit=5))

    assert "crm_review_of_product" in plan
