"""Oscar's own reviews behind the port: written on its pages, judged in its dashboard, kept for the CRM."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from oscar.core.loading import get_model

from crm_plugin import clock, pipeline
from crm_plugin.models import Inbox, Review
from crm_plugin.reviews.models import ReviewState
from crm_plugin.shop import FactKind, NewReview, Position, ProductRef
from tests.shops.oscar.world import PASSWORD, OscarWorld, User

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

Product = get_model("catalogue", "Product")
ProductReview = get_model("reviews", "ProductReview")

Told = Callable[..., list[Inbox]]

pytestmark = pytest.mark.django_db


@pytest.fixture
def ref(world: OscarWorld) -> ProductRef:
    return world.make_product(prices=[Decimal("48.00")], stocks=[20], name="Celadon bowl")[0]


@pytest.fixture
def ann(world: OscarWorld) -> Any:
    return User.objects.get(pk=world.make_customer(email="ann@example.com", first_name="Ann", last_name="Lee"))


@pytest.fixture
def shopper(ann: Any) -> Client:
    client = Client()
    client.force_login(ann)
    return client


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("boss", "boss@example.com", PASSWORD))
    return client


def write(shopper: Client, ref: ProductRef, *, score: int = 4) -> Any:
    """Write a review on the product's page."""
    product = Product.objects.get(pk=ref.product_id)
    path = reverse("catalogue:reviews-add", kwargs={"product_slug": product.slug, "product_pk": product.pk})
    shopper.post(path, {"title": "Lovely", "score": str(score), "body": "Good glaze."})
    return ProductReview.objects.get()


def judge(staff: Client, row: Any, status: int) -> None:
    """Decide in the dashboard."""
    path = reverse("dashboard:reviews-update", kwargs={"pk": row.pk})
    staff.post(path, {"title": row.title, "body": row.body, "score": row.score, "status": status})
    row.refresh_from_db()
    assert row.status == status


def new_review(ref: ProductRef, user: Any, **more: Any) -> NewReview:
    return replace(
        NewReview(
            product_id=ref.product_id,
            variant_id="",
            rating=4,
            title="Good",
            body="Holds what it promises.",
            author="Ann L.",
            customer_id=str(user.pk) if user else "",
            email=user.email if user else "guest@example.com",
            is_published=True,
        ),
        **more,
    )


def test_a_review_is_told_by_its_key_when_it_is_written(
    world: OscarWorld, shopper: Client, ann: Any, ref: ProductRef, told: Told
) -> None:
    told()

    row = write(shopper, ref)

    (fact,) = told(kind=FactKind.REVIEWED)
    assert (fact.subject, fact.source_key) == (str(row.pk), f"review:{row.pk}")
    assert (fact.customer_id, fact.product_id, fact.data) == (str(ann.pk), ref.product_id, {"score": 4})
    start = Position(clock.now() - timedelta(minutes=5))
    assert [one.source_key for one in world.shop.changed_since("reviews", start, limit=9).facts] == [fact.source_key]


def test_what_staff_decide_is_told_and_names_nobody(
    shopper: Client, staff: Client, ref: ProductRef, told: Told
) -> None:
    row = write(shopper, ref)
    told()

    judge(staff, row, ProductReview.APPROVED)
    judge(staff, row, ProductReview.REJECTED)

    facts = told()
    assert [(fact.kind, fact.subject, fact.customer_id, fact.email) for fact in facts] == [
        (FactKind.REVIEW_CHANGED, str(row.pk), "", "")
    ] * 2
    assert len({fact.source_key for fact in facts}) == 2


def test_a_review_that_is_deleted_is_told(shopper: Client, staff: Client, ref: ProductRef, told: Told) -> None:
    row = write(shopper, ref)
    told()

    staff.post(reverse("dashboard:reviews-delete", kwargs={"pk": row.pk}))

    (fact,) = told()
    assert (fact.kind, fact.subject) == (FactKind.REVIEW_CHANGED, str(row.pk))


def test_reviews_that_go_with_their_author_or_their_product_are_told(
    world: OscarWorld, shopper: Client, ann: Any, ref: ProductRef, told: Told
) -> None:
    mug = world.make_product(prices=[Decimal(5)], stocks=[5], name="Mug")[0]
    first = write(shopper, ref)
    second = world.make_review(mug, rating=1, customer_id=str(ann.pk), title="Meh")
    told()

    world.delete_product(ref)
    of_product = told(kind=FactKind.REVIEW_CHANGED)
    world.delete_customer(str(ann.pk))
    of_author = told(kind=FactKind.REVIEW_CHANGED)

    assert [fact.subject for fact in of_product] == [str(first.pk)]
    assert [(fact.subject, fact.customer_id) for fact in of_author] == [(second, "")]


def test_a_kept_review_stands_on_the_product_s_page_and_counts(world: OscarWorld, ann: Any, ref: ProductRef) -> None:
    world.shop.keep_review(new_review(ref, ann))

    product = Product.objects.get(pk=ref.product_id)
    page = Client().get(product.get_absolute_url()).content.decode()
    assert "Holds what it promises." in page
    assert product.rating == 4


def test_a_kept_review_that_waits_is_neither_shown_nor_counted_until_it_is_published(
    world: OscarWorld, ann: Any, ref: ProductRef
) -> None:
    key = world.shop.keep_review(new_review(ref, ann, is_published=False))
    product = Product.objects.get(pk=ref.product_id)
    before = (product.rating, "Holds what it promises." in Client().get(product.get_absolute_url()).content.decode())

    world.shop.judge_review(key, is_published=True)

    product.refresh_from_db()
    after = (product.rating, "Holds what it promises." in Client().get(product.get_absolute_url()).content.decode())
    assert (before, after) == ((None, False), (4, True))


def test_a_kept_review_tells_nothing(world: OscarWorld, ann: Any, ref: ProductRef, told: Told) -> None:
    told()

    world.shop.keep_review(new_review(ref, ann))
    world.shop.keep_review(new_review(ref, None))

    assert told() == []


def test_a_customer_s_second_review_of_a_product_is_not_kept_here(
    world: OscarWorld, shopper: Client, ann: Any, ref: ProductRef
) -> None:
    row = write(shopper, ref)

    assert world.shop.keep_review(new_review(ref, ann)) == ""
    assert world.shop.reviews([str(row.pk)])[str(row.pk)].title == "Lovely"
    assert ProductReview.objects.count() == 1


def test_guests_may_review_the_same_product(world: OscarWorld, ref: ProductRef) -> None:
    kept = [world.shop.keep_review(new_review(ref, None, author=name)) for name in ("A", "B")]

    assert [world.shop.reviews(kept)[key].author for key in kept] == ["A", "B"]


def test_a_review_of_what_is_gone_is_not_kept(world: OscarWorld, ann: Any, ref: ProductRef) -> None:
    world.delete_product(ref)

    assert world.shop.keep_review(new_review(ref, ann)) == ""


def test_no_stars_at_all_are_one(world: OscarWorld, ann: Any, ref: ProductRef) -> None:
    key = world.make_review(ref, rating=0, customer_id=str(ann.pk), title="Bad")

    assert world.shop.reviews([key])[key].rating == 1


def test_who_chose_no_name_to_show_has_that_of_the_account(world: OscarWorld, ann: Any, ref: ProductRef) -> None:
    key = world.make_review(ref, rating=5, customer_id=str(ann.pk), title="Good")

    assert world.shop.reviews([key])[key].author == "Ann Lee"


def test_a_review_from_the_shop_s_page_is_read_by_the_crm_as_it_is_written_judged_and_deleted(
    shopper: Client, staff: Client, ref: ProductRef, settings: SettingsWrapper
) -> None:
    settings.OSCAR_MODERATE_REVIEWS = True
    row = write(shopper, ref)
    states: list[tuple[str, int, str]] = []

    def look() -> None:
        pipeline.pump()
        states.extend(Review.objects.values_list("state", "rating", "title"))

    look()
    judge(staff, row, ProductReview.APPROVED)
    look()
    judge(staff, row, ProductReview.REJECTED)
    look()
    row.delete()
    look()

    waits, published, rejected = ReviewState.PENDING, ReviewState.PUBLISHED, ReviewState.REJECTED
    assert states == [(state, 4, "Lovely") for state in (waits, published, rejected)]


def test_reviews_loaded_from_a_fixture_tell_nothing(
    world: OscarWorld, ann: Any, ref: ProductRef, told: Told, tmp_path: Any
) -> None:
    world.make_review(ref, rating=5, customer_id=str(ann.pk), title="Good")
    file = tmp_path / "reviews.json"
    call_command("dumpdata", "reviews.ProductReview", output=str(file), verbosity=0)
    told()

    call_command("loaddata", str(file), verbosity=0)

    assert told() == []
