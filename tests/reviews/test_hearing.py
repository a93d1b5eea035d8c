"""Reviews that the shop keeps itself, by the FakeShop; ``tests/shops/oscar/test_reviews.py`` does it with Oscar's."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crm_plugin import activity, clock, persons, pipeline, reviews
from crm_plugin.activity.models import Activity
from crm_plugin.models import Contact, Inbox, Review
from tests.fake_reviews import review_fact
from tests.reviews.conftest import drain, ratings_kept, ratings_recounted

pytestmark = pytest.mark.django_db

BOSS = "user:92"


@pytest.fixture
def tell(fake_shop, mug):
    """Tell the engine of a review, as a hook does, and let it hear."""
    fake_shop.keeps_reviews = True
    fake_shop.add_customer(customer_id="8", email="bob@example.com")

    def say(review, *, is_new=True):
        activity.record(review_fact(review, is_new=is_new))
        drain()

    return say


@pytest.fixture
def written(fake_shop, mug, tell):
    """A review by Bob, which he wrote in the shop itself a while ago."""

    def write(**more):
        values = {"rating": 4, "title": "Fine", "body": "Keeps warm.", "author": "Bob", "customer_id": "8"} | more
        review = fake_shop.write_review(mug.product_id, **values)
        tell(review)
        return review

    return write


def test_one_written_in_the_shop_is_here(written, mug):
    said = written()

    row = Review.objects.get()
    assert (row.native_ref, row.source, row.state) == (said.review_ref, "shop", "pending")
    assert (row.product_id, row.rating, row.title, row.body, row.author) == (
        mug.product_id,
        4,
        "Fine",
        "Keeps warm.",
        "Bob",
    )
    assert row.contact_id == Contact.objects.get(customer_id="8").pk
    assert ratings_kept() == {}


def test_publication_in_the_shop_is_publication_here(written, tell, fake_shop, mug):
    said = written()

    tell(fake_shop.change_review(said.review_ref, is_published=True), is_new=False)
    drain()

    row = Review.objects.get()
    assert (row.state, row.moderated_by) == ("published", "shop")
    assert ratings_kept() == {mug.product_id: (0, 0, 0, 1, 0)}
    assert Activity.objects.get(kind="review_published").contact_id == row.contact_id


def test_an_edit_in_the_shop_is_an_edit_here(written, tell, fake_shop, mug):
    said = written(is_published=True)

    tell(fake_shop.change_review(said.review_ref, rating=1, body="Broke."), is_new=False)

    row = Review.objects.get()
    assert (row.rating, row.body, row.state) == (1, "Broke.", "published")
    assert ratings_kept() == {mug.product_id: (1, 0, 0, 0, 0)} == ratings_recounted()


def test_one_taken_back_in_the_shop_counts_no_longer(written, tell, fake_shop):
    said = written(is_published=True)

    tell(fake_shop.change_review(said.review_ref, is_published=False), is_new=False)

    assert Review.objects.get().state == "rejected"
    assert ratings_kept() == {}


def test_one_deleted_in_the_shop_is_gone(written, tell, fake_shop):
    said = written(is_published=True)

    del fake_shop.review_rows[said.review_ref]
    tell(said, is_new=False)

    assert not Review.objects.exists()
    assert ratings_kept() == {}


def test_told_twice_and_late_it_is_the_same(written, tell, fake_shop, mug):
    said = written(is_published=True)

    tell(said)
    tell(said, is_new=False)

    assert Review.objects.count() == 1
    assert ratings_kept() == {mug.product_id: (0, 0, 0, 1, 0)} == ratings_recounted()
    assert Activity.objects.filter(kind="review_published").count() == 1


def test_one_published_long_ago_was_published_then(written):
    then = clock.now() - timedelta(days=900)

    written(is_published=True, written_at=then)

    assert Review.objects.get().published_at == then
    drain()
    assert Activity.objects.get(kind="review_published").occurred_at == then


def test_our_own_copy_told_back_changes_nothing(submit, fake_shop, mug):
    fake_shop.keeps_reviews = True
    review = submit(title="Fine", author="The real Ann")
    (copy,) = fake_shop.review_rows.values()
    fake_shop.change_review(copy.review_ref, author="ann@example.com")
    activity.record(review_fact(copy))
    drain()

    (row,) = Review.objects.all()
    assert (row.pk, row.source, row.author, row.order_ref) == (review.pk, "link", "The real Ann", "81")
    assert Activity.objects.filter(kind="reviewed").count() == 1


def test_judged_here_and_told_back_it_stays_judged(submit, fake_shop, mug):
    fake_shop.keeps_reviews = True
    review = submit()
    reviews.publish(review.pk, by=BOSS)
    activity.record(review_fact(fake_shop.review_rows[review.native_ref], is_new=False))
    drain()

    row = Review.objects.get()
    assert (row.state, row.moderated_by) == ("published", BOSS)
    assert ratings_kept() == {mug.product_id: (0, 0, 0, 0, 1)}


def test_who_bought_it_is_verified(fake_shop, mug, written):
    fake_shop.add_customer(customer_id="8", email="bob@example.com")
    fake_shop.place_order(mug, customer_id="8")
    pipeline.reconcile()
    drain()

    written()

    assert Review.objects.get().is_verified


def test_one_of_nobody_is_taken_over(written):
    written(customer_id="", is_published=True)

    row = Review.objects.get()
    assert (row.contact_id, row.state) == (None, "published")


def test_words_of_somebody_who_was_erased_do_not_come_back(written, tell, fake_shop, mug):
    said = written(is_published=True)
    persons.erase(customer_id="8")

    tell(fake_shop.change_review(said.review_ref, body="Bob again"), is_new=False)
    tell(said)

    row = Review.objects.get()
    assert (row.contact_id, row.title, row.body, row.author, row.rating) == (None, "", "", "", 4)
    assert ratings_kept() == {mug.product_id: (0, 0, 0, 1, 0)}


def test_what_was_taken_down_here_does_not_come_back(written, tell, fake_shop, mug):
    said = written(is_published=True)

    reviews.take_down(Review.objects.get().pk, remark="an insult", by=BOSS)
    assert fake_shop.review_rows[said.review_ref].is_published is False
    tell(fake_shop.review_rows[said.review_ref], is_new=False)

    row = Review.objects.get()
    assert (row.contact_id, row.title, row.body, row.author, row.state) == (None, "", "", "", "rejected")
    assert ratings_kept() == {} == ratings_recounted()


def test_a_review_from_before_somebody_was_erased_is_not_taken_over(written, tell, fake_shop, mug):
    fake_shop.keeps_reviews = True
    persons.erase(customer_id="8")
    said = fake_shop.write_review(
        mug.product_id, customer_id="8", body="Old", written_at=clock.now() - timedelta(days=1)
    )

    tell(said)

    assert not Review.objects.exists()


def test_a_fact_without_a_review_of_the_shop_s_makes_none(submit):
    submit()
    drain()

    assert Review.objects.count() == 1
    assert not Inbox.objects.exists()


def test_a_whole_batch_takes_as_many_queries_as_one(fake_shop, mug, ann, django_assert_max_num_queries):
    fake_shop.keeps_reviews = True
    said = [fake_shop.write_review(mug.product_id, customer_id="7", is_published=True) for _ in range(40)]
    activity.record_many(review_fact(one) for one in said)
    drain()
    Review.objects.all().delete()

    with django_assert_max_num_queries(14):
        reviews.hear([one.review_ref for one in said])

    assert Review.objects.filter(state="published").count() == 40
