from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_plugin import reviews
from crm_plugin.activity.models import Activity, Inbox
from crm_plugin.errors import InvalidInput, NotFound
from crm_plugin.models import Rating, Review
from tests.reviews.conftest import drain, files_in, picture, ratings_kept, ratings_recounted
from tests.together import together

pytestmark = pytest.mark.django_db

BOSS = "user:92"


def test_a_published_one_counts_and_is_told_once(submit, ann):
    review = submit(rating=4)

    reviews.publish(review.pk, by=BOSS)
    reviews.publish(review.pk, by=BOSS)
    drain()

    row = Review.objects.get()
    assert (row.state, row.moderated_by) == ("published", BOSS)
    assert row.published_at is not None
    assert ratings_kept() == {review.product_id: (0, 0, 0, 1, 0)}
    activity = Activity.objects.get(kind="review_published")
    assert (activity.contact_id, activity.product_id, activity.source_key) == (
        ann.pk,
        review.product_id,
        f"crm_review:{review.pk}:published",
    )


def test_a_rejected_one_counts_no_longer(submit, unmoderated):
    review = submit()

    reviews.reject(review.pk, remark="names a person", by=BOSS)

    row = Review.objects.get()
    assert (row.state, row.remark) == ("rejected", "names a person")
    assert ratings_kept() == {}


def test_a_rejected_one_can_be_published_and_keeps_its_date(submit, unmoderated):
    review = submit()
    reviews.reject(review.pk, remark="by mistake", by=BOSS)

    again = reviews.publish(review.pk, by=BOSS)

    assert (again.published_at, again.remark) == (review.published_at, "")
    assert ratings_kept() == ratings_recounted() == {review.product_id: (0, 0, 0, 0, 1)}


def test_a_review_is_rejected_for_a_reason(submit):
    review = submit(rating=1)

    with pytest.raises(InvalidInput) as refused:
        reviews.reject(review.pk, remark=" \n", by=BOSS)

    assert (refused.value.field, refused.value.code) == ("remark", "REQUIRED")
    assert Review.objects.get().state == "pending"


def test_an_answer_stands_below_until_it_is_taken_back(submit):
    review = submit()

    answered = reviews.answer(review.pk, text="Thank you!\n<b>Come again</b>", by=BOSS)
    assert (answered.answer, answered.answered_by) == ("Thank you!\n<b>Come again</b>", BOSS)
    assert answered.answered_at is not None

    taken_back = reviews.answer(review.pk, text=" ", by=BOSS)
    assert (taken_back.answer, taken_back.answered_at, taken_back.answered_by) == ("", None, "")


def test_what_is_taken_down_is_gone_with_its_files(
    submit, unmoderated, media, django_capture_on_commit_callbacks, caplog
):
    review = submit(pictures=[picture(), picture()])
    assert len(files_in(media)) == 2

    with caplog.at_level("INFO", logger="crm_plugin"), django_capture_on_commit_callbacks(execute=True):
        reviews.take_down(review.pk, remark="shows a stranger", by=BOSS)

    assert not Review.objects.exists()
    assert files_in(media) == []
    assert ratings_kept() == {}
    assert "shows a stranger" in caplog.text


def test_the_files_stay_when_taking_down_fails(submit, media, monkeypatch, django_capture_on_commit_callbacks):
    review = submit(pictures=[picture()])
    monkeypatch.setattr("crm_plugin.reviews.moderation.logger.info", lambda *_: 1 / 0)

    with pytest.raises(ZeroDivisionError), django_capture_on_commit_callbacks(execute=True):
        reviews.take_down(review.pk, remark="shows a stranger", by=BOSS)

    assert Review.objects.exists()
    assert len(files_in(media)) == 1


@pytest.mark.parametrize(
    "act",
    [
        lambda pk: reviews.publish(pk, by=BOSS),
        lambda pk: reviews.reject(pk, remark="x", by=BOSS),
        lambda pk: reviews.answer(pk, text="x", by=BOSS),
        lambda pk: reviews.take_down(pk, remark="x", by=BOSS),
    ],
    ids=["publish", "reject", "answer", "take down"],
)
def test_what_is_not_there_cannot_be_judged(act):
    with pytest.raises(NotFound):
        act(123_456_789)

    assert not Inbox.objects.exists()


def test_the_shop_s_copy_is_judged_with_it(submit, fake_shop):
    fake_shop.keeps_reviews = True
    review = submit()

    reviews.publish(review.pk, by=BOSS)
    assert fake_shop.review_rows[review.native_ref].is_published is True

    reviews.reject(review.pk, remark="an advertisement", by=BOSS)
    assert fake_shop.review_rows[review.native_ref].is_published is False


_DEEDS = st.lists(
    st.tuples(st.sampled_from(["write", "publish", "reject", "take_down"]), st.integers(0, 5), st.integers(1, 5)),
    max_size=25,
)


@given(deeds=_DEEDS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_rating_is_that_of_a_recount_after_any_sequence(submit, unmoderated, deeds):
    for number, (deed, which, stars) in enumerate(deeds):
        rows = list(Review.objects.order_by("pk").values_list("pk", flat=True))
        if deed == "write" or not rows:
            submit(order_ref=f"o{number}", rating=stars, product_id=f"p{which % 2}")
        elif deed == "publish":
            reviews.publish(rows[which % len(rows)], by=BOSS)
        elif deed == "reject":
            reviews.reject(rows[which % len(rows)], remark="x", by=BOSS)
        else:
            reviews.take_down(rows[which % len(rows)], remark="x", by=BOSS)

        assert ratings_kept() == ratings_recounted()
    Review.objects.all().delete()  # the next example's, with the projection that belongs to them
    Rating.objects.all().delete()


@pytest.mark.django_db(transaction=True)
def test_the_rating_is_that_of_a_recount_with_many_hands(submit, unmoderated):
    rows = [submit(order_ref=f"o{n}", rating=n % 5 + 1, product_id=f"p{n % 3}").pk for n in range(12)]
    product_ids = ["p0", "p1", "p2"]

    def judge(seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311 - no secret
        for _ in range(15):
            pk = chance.choice(rows)
            if chance.random() < 0.5:
                reviews.publish(pk, by=BOSS)
            else:
                reviews.reject(pk, remark="x", by=BOSS)

    together(*[lambda seed=seed: judge(seed) for seed in range(4)])

    assert ratings_kept() == ratings_recounted()
    assert {one.product_id for one in reviews.ratings(product_ids).values()} == set(product_ids)
