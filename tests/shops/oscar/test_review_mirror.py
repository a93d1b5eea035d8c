"""Reviews that are kept twice, by Oscar and by the CRM: whoever changes one, both are the same."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from oscar.core.loading import get_model

from crm_plugin import contacts, merchant, pipeline, reviews
from crm_plugin.activity.models import Activity
from crm_plugin.contacts import Contact, Person
from crm_plugin.models import Failure, Rating, Review
from crm_plugin.reviews import Source, Submission
from crm_plugin.shop import ProductRef
from tests.shops.oscar.world import PASSWORD, OscarWorld, User
from tests.together import together

ProductReview = get_model("reviews", "ProductReview")
Product = get_model("catalogue", "Product")

pytestmark = pytest.mark.django_db

BOSS = "user:1"


@pytest.fixture
def bowl(world: OscarWorld) -> ProductRef:
    return world.make_product(prices=[Decimal("48.00")], stocks=[20], name="Celadon bowl")[0]


@pytest.fixture
def ann(world: OscarWorld) -> Contact:
    key = world.make_customer(email="ann@example.com", first_name="Ann", last_name="Lee")
    return contacts.get_or_create(Person(key, "ann@example.com"))


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("boss", "boss@example.com", PASSWORD))
    return client


def written(writer: Contact, ref: ProductRef, **values: Any) -> Review:
    given = {"rating": 4, "title": "Lovely", "body": "Good glaze.", "author": "A. L.", "order_ref": "81", **values}
    return reviews.submit(Submission(contact_id=writer.pk, product_id=ref.product_id, source=Source.LINK, **given))


def both() -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Return what is kept here and there, in the same words."""
    pipeline.pump()
    pipeline.pump()
    row, copy = Review.objects.get(), ProductReview.objects.get()
    state = {0: "pending", 1: "published", 2: "rejected"}[copy.status]
    return (row.state, row.rating, row.title, row.body), (state, copy.score, copy.title, copy.body)


def stars() -> list[int]:
    row = Rating.objects.first()
    return [getattr(row, f"stars_{number}") if row else 0 for number in range(1, 6)]


def decide(staff: Client, status: int, **changes: Any) -> None:
    """Edit and moderate in Oscar's dashboard."""
    copy = ProductReview.objects.get()
    form = {"title": copy.title, "body": copy.body, "score": copy.score, "status": status, **changes}
    staff.post(reverse("dashboard:reviews-update", kwargs={"pk": copy.pk}), form)


def test_one_written_here_waits_there_and_is_published_there(ann: Contact, bowl: ProductRef, staff: Client) -> None:
    written(ann, bowl)
    here, there = both()
    assert here == there == ("pending", 4, "Lovely", "Good glaze.")

    decide(staff, ProductReview.APPROVED)

    here, there = both()
    assert here == there == ("published", 4, "Lovely", "Good glaze.")
    assert stars() == [0, 0, 0, 1, 0]
    assert Review.objects.get().author == "A. L."
    told = Activity.objects.filter(contact=ann, kind__startswith="review").values_list("kind", flat=True)
    assert sorted(told) == ["review_published", "reviewed"]
    assert not Failure.objects.exists()


def test_one_published_here_is_on_the_product_s_page(ann: Contact, bowl: ProductRef) -> None:
    review = written(ann, bowl)

    reviews.publish(review.pk, by=BOSS)

    here, there = both()
    assert here == there == ("published", 4, "Lovely", "Good glaze.")
    page = Client().get(Product.objects.get(pk=bowl.product_id).get_absolute_url()).content.decode()
    assert "Good glaze." in page
    assert Review.objects.get().moderated_by == BOSS


def test_an_edit_there_is_an_edit_here(ann: Contact, bowl: ProductRef, staff: Client) -> None:
    reviews.publish(written(ann, bowl).pk, by=BOSS)

    decide(staff, ProductReview.APPROVED, title="Not so lovely", body="It broke.", score=1)

    here, there = both()
    assert here == there == ("published", 1, "Not so lovely", "It broke.")
    assert stars() == [1, 0, 0, 0, 0]


def test_one_rejected_here_is_off_the_page(ann: Contact, bowl: ProductRef) -> None:
    merchant.update(is_review_moderated=False)
    review = written(ann, bowl)
    assert both()[1][0] == "published"

    reviews.reject(review.pk, remark="names a person", by=BOSS)

    here, there = both()
    assert here[0] == there[0] == "rejected"
    assert Product.objects.get(pk=bowl.product_id).rating is None
    assert stars() == [0] * 5


def test_one_deleted_there_is_gone_here(ann: Contact, bowl: ProductRef, staff: Client) -> None:
    reviews.publish(written(ann, bowl).pk, by=BOSS)
    pipeline.pump()

    staff.post(reverse("dashboard:reviews-delete", kwargs={"pk": ProductReview.objects.get().pk}))
    pipeline.pump()

    assert not Review.objects.exists()
    assert stars() == [0] * 5


def test_words_without_a_title_stay_without_one(ann: Contact, bowl: ProductRef) -> None:
    written(ann, bowl, title="")

    here, there = both()
    assert here == ("pending", 4, "", "Good glaze.")
    assert there[2] == "Good glaze."  # Oscar needs one, to make a link of it


def test_a_guest_s_is_kept_with_the_address(world: OscarWorld, bowl: ProductRef) -> None:
    guest = contacts.get_or_create(Person("", "gus@example.com"))

    written(guest, bowl)

    copy = ProductReview.objects.get()
    assert (copy.user, copy.email, copy.name) == (None, "gus@example.com", "A. L.")
    both()
    assert Review.objects.get().contact_id == guest.pk


def test_of_a_second_order_there_is_one_here_and_none_there(ann: Contact, bowl: ProductRef) -> None:
    written(ann, bowl)
    second = written(ann, bowl, order_ref="82")

    pipeline.pump()

    assert (second.native_ref, Review.objects.count(), ProductReview.objects.count()) == ("", 2, 1)


def test_the_backfill_takes_over_what_was_there_before(world: OscarWorld, bowl: ProductRef) -> None:
    key = world.make_customer(email="bob@example.com", first_name="Bob", last_name="Lee")
    ProductReview.objects.bulk_create(
        [ProductReview(product_id=bowl.product_id, user_id=key, score=5, title="Old", body="Words", status=1)]
    )

    pipeline.backfill(lambda *_: None)

    row = Review.objects.get()
    assert (row.title, row.state, row.source, row.author) == ("Old", "published", "shop", "Bob Lee")
    assert stars() == [0, 0, 0, 0, 1]


@pytest.mark.django_db(transaction=True)
def test_judging_and_writing_at_the_same_time_ends(world: OscarWorld, bowl: ProductRef, settings: Any) -> None:
    merchant.update(is_review_moderated=False)
    people = [contacts.get_or_create(Person("", f"p{number}@example.com")) for number in range(12)]
    first = [written(person, bowl) for person in people[:4]]

    def write() -> None:
        for person in people[4:]:
            written(person, bowl)

    def judge() -> None:
        for review in first * 2:
            reviews.reject(review.pk, remark="x", by=BOSS)
            reviews.publish(review.pk, by=BOSS)

    def hear() -> None:
        for _ in range(6):
            pipeline.pump()

    together(write, judge, hear)
    pipeline.pump()

    assert stars() == [0, 0, 0, 12, 0]
    assert Product.objects.get(pk=bowl.product_id).reviews.filter(status=1).count() == 12


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = str(tmp_path)
