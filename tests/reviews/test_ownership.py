from __future__ import annotations

import pytest

from crm_plugin import contacts, persons, reviews
from crm_plugin.contacts import Merge, Person
from crm_plugin.models import Review, ReviewPicture, ReviewRequest
from crm_plugin.reviews import Source
from tests.reviews.conftest import files_in, picture, ratings_kept, ratings_recounted

pytestmark = pytest.mark.django_db


@pytest.fixture
def guest(fake_shop):
    return contacts.get_or_create(Person("", "guest@example.com"))


def merge(guest, ann):
    reviews.absorb(Merge(guest.pk, ann.pk))


def test_reviews_move_to_the_target(submit, guest, ann):
    review = submit(contact_id=guest.pk)

    merge(guest, ann)

    assert Review.objects.get().contact_id == ann.pk
    assert Review.objects.get().pk == review.pk


def test_of_what_both_reviewed_the_target_s_stays(submit, guest, ann, mug, unmoderated):
    mine = submit(rating=1)
    submit(contact_id=guest.pk, rating=5)
    other = submit(contact_id=guest.pk, order_ref="82", rating=4)

    merge(guest, ann)

    assert set(Review.objects.values_list("pk", "contact_id")) == {(mine.pk, ann.pk), (other.pk, ann.pk)}
    assert ratings_kept() == {mug.product_id: (1, 0, 0, 1, 0)} == ratings_recounted()


def test_the_newest_request_stays(guest, ann):
    reviews.mark_asked([(ann.pk, "1", 1), (ann.pk, "2", 1)])
    reviews.mark_asked([(guest.pk, "1", 2), (guest.pk, "3", 2)])

    merge(guest, ann)

    assert set(ReviewRequest.objects.values_list("contact_id", "product_id", "enrollment_id")) == {
        (ann.pk, "1", 2),
        (ann.pk, "2", 1),
        (ann.pk, "3", 2),
    }


def test_of_somebody_who_was_erased_only_the_stars_are_left(
    submit, ann, mug, unmoderated, media, django_capture_on_commit_callbacks
):
    submit(rating=2, title="By Ann", body="Of 1 Street, Town", author="Ann Lee", pictures=[picture()])
    reviews.mark_asked([(ann.pk, "1", 1)])

    with django_capture_on_commit_callbacks(execute=True):
        persons.erase(customer_id="7")

    row = Review.objects.get()
    assert (row.contact_id, row.order_ref, row.title, row.body, row.author) == (None, "", "", "", "")
    assert (row.rating, row.state) == (2, "published")
    assert ratings_kept() == {mug.product_id: (0, 1, 0, 0, 0)} == ratings_recounted()
    assert files_in(media) == []
    assert not ReviewPicture.objects.exists()
    assert not ReviewRequest.objects.exists()


def test_what_was_never_published_goes_whole(submit, ann, media, django_capture_on_commit_callbacks):
    submit(pictures=[picture()])
    rejected = submit(order_ref="", source=Source.ACCOUNT)
    reviews.reject(rejected.pk, remark="x", by="user:1")

    with django_capture_on_commit_callbacks(execute=True):
        persons.erase(customer_id="7")

    assert not Review.objects.exists()
    assert files_in(media) == []


def test_others_keep_theirs(submit, guest):
    submit(contact_id=guest.pk, body="Mine")

    persons.erase(customer_id="7")

    assert Review.objects.get().body == "Mine"
