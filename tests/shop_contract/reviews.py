"""The contract: reviews, in a shop that keeps any itself."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm_plugin.shop import FactKind, NewReview, ProductRef
from tests.shop_contract.asking import A_UUID, NOWHERE, find_facts, make_ref, whole
from tests.shop_contract.world import World


@pytest.mark.django_db
class ReviewContract:
    """Reviews."""

    @pytest.fixture(autouse=True)
    def _only_where_there_are_any(self, request: pytest.FixtureRequest, world: World) -> None:
        name = request.node.originalname  # the fixture is of every class that this one is a base of
        asks_for_some = name in vars(ReviewContract) and name != "test_a_shop_without_reviews_keeps_none"
        if asks_for_some and not world.keeps_reviews:
            pytest.skip("this shop has no reviews")

    @pytest.fixture
    def ann(self, world: World) -> str:
        return world.make_customer(email="ann@example.com", first_name="Ann", last_name="Lee")

    def test_a_shop_without_reviews_keeps_none(self, world: World, ann: str) -> None:
        if world.keeps_reviews:
            pytest.skip("this shop has reviews")

        assert world.shop.keep_review(written_by(ann, make_ref(world))) == ""
        assert not world.shop.reviews([NOWHERE, A_UUID, "x", ""])
        world.shop.judge_review(NOWHERE, is_published=True)

    def test_what_is_kept_can_be_read_again(self, world: World, ann: str) -> None:
        mug = make_ref(world)

        ref = world.shop.keep_review(written_by(ann, mug))

        review = world.shop.reviews([ref, NOWHERE, A_UUID, "x", ""])[ref]
        assert (review.review_ref, review.product_id, review.rating) == (ref, mug.product_id, 4)
        assert (review.title, review.body, review.author) == ("Good", "Holds what it promises.", "Ann L.")
        assert (review.customer_id, review.email) == (ann, "ann@example.com")
        assert review.is_published is True
        assert review.written_at.tzinfo is not None

    def test_a_review_may_have_neither_title_nor_text(self, world: World, ann: str) -> None:
        for number, body in enumerate(("", "A long text. " * 50)):
            mug = make_ref(world, name=f"Mug {number}")

            ref = world.shop.keep_review(replace(written_by(ann, mug), title="", body=body))

            review = world.shop.reviews([ref])[ref]
            assert (review.title, review.body) == ("", body)

    def test_a_guests_review_has_their_name_and_address(self, world: World) -> None:
        ref = world.shop.keep_review(
            replace(written_by("", make_ref(world)), email="guest@example.com", author="A guest", is_published=False)
        )

        review = world.shop.reviews([ref])[ref]
        assert (review.customer_id, review.email, review.author) == ("", "guest@example.com", "A guest")
        assert review.is_published is None

    def test_a_review_is_published_and_taken_back(self, world: World, ann: str) -> None:
        ref = world.shop.keep_review(replace(written_by(ann, make_ref(world)), is_published=False))

        states = []
        for is_published in (True, False, True):
            world.shop.judge_review(ref, is_published=is_published)
            states.append(world.shop.reviews([ref])[ref].is_published)

        assert states == [True, False, True]

    def test_a_deleted_review_is_left_out_and_judging_it_is_no_error(self, world: World, ann: str) -> None:
        ref = world.make_review(make_ref(world), rating=2, customer_id=ann, title="Meh", body="So so.")
        world.delete_review(ref)

        for gone in (ref, NOWHERE, "x", ""):
            world.shop.judge_review(gone, is_published=True)

        assert not world.shop.reviews([ref])

    def test_the_streams_tell_of_a_review_and_name_it(self, world: World, ann: str) -> None:
        mug = make_ref(world)
        native = world.make_review(mug, rating=2, customer_id=ann, title="Meh", body="So so.")
        kept = world.shop.keep_review(replace(written_by("", mug), email="guest@example.com", author="A guest"))

        told = {fact.subject: fact for fact in find_facts(world.shop, FactKind.REVIEWED)}

        assert set(told) == {native, kept}
        assert {fact.source_key for fact in told.values()} == {f"review:{native}", f"review:{kept}"}
        assert (told[native].customer_id, told[native].product_id) == (ann, mug.product_id)
        assert told[kept].email == "guest@example.com"
        assert told[native].data["score"] == 2

    def test_what_was_written_in_the_shop_waits_until_staff_decide(self, world: World, ann: str) -> None:
        ref = world.make_review(make_ref(world), rating=5, customer_id=ann, title="Great", body="I love it.")

        review = world.shop.reviews([ref])[ref]

        assert (review.rating, review.title, review.body, review.customer_id) == (5, "Great", "I love it.", ann)
        assert review.is_published is None

    def test_the_number_of_queries_does_not_grow_with_the_reviews(self, world: World, ann: str) -> None:
        refs = [world.shop.keep_review(written_by(ann, make_ref(world, name=f"Mug {number}"))) for number in range(5)]

        counts = []
        for ask in (partial(world.shop.reviews, refs[:1]), partial(world.shop.reviews, refs)):
            with CaptureQueriesContext(connection) as seen:
                ask()
            counts.append(len(seen))

        assert counts[0] == counts[1]


def written_by(customer_id: str, ref: ProductRef) -> NewReview:
    """Return a review of the whole product."""
    return NewReview(
        product_id=whole(ref).product_id,
        variant_id="",
        rating=4,
        title="Good",
        body="Holds what it promises.",
        author="Ann L.",
        customer_id=customer_id,
        email="ann@example.com",
        is_published=True,
    )
