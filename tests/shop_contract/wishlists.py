"""The contract: a customer's named lists, and what is on them."""

from __future__ import annotations

from functools import partial

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm_plugin.errors import NotFound
from crm_plugin.models import Inbox
from crm_plugin.shop import FactKind, ProductRef
from tests.shop_contract.asking import NOWHERE, PRICE, make_ref, whole
from tests.shop_contract.world import World


@pytest.mark.django_db
class WishlistContract:
    """Wishlists."""

    @pytest.fixture
    def ann(self, world: World) -> str:
        return world.make_customer(email="ann@example.com")

    def test_everybody_has_a_default_list(self, world: World, ann: str) -> None:
        (default,) = world.shop.wishlists(ann)

        assert (default.list_ref, default.customer_id, default.is_public) == ("", ann, False)

    def test_what_is_liked_without_naming_a_list_is_on_the_default_one(self, world: World, ann: str) -> None:
        mug = make_ref(world)

        world.shop.like(ann, mug)

        assert [like.ref.product_id for like in world.shop.likes(ann, list_ref="")] == [mug.product_id]
        assert [row.list_ref for row in world.shop.wishlists(ann)] == [""]

    def test_further_lists_come_after_the_default_one(self, world: World, ann: str) -> None:
        made = [world.shop.make_wishlist(ann, name=name) for name in ("Birthday", "Home")]

        default, *others = world.shop.wishlists(ann)

        assert default.list_ref == ""
        assert [(row.list_ref, row.name) for row in others] == [(row.list_ref, row.name) for row in made]
        assert [row.name for row in others] == ["Birthday", "Home"]
        assert len({row.list_ref for row in others}) == len({row.key for row in others}) == 2

    def test_a_product_can_be_on_several_lists(self, world: World, ann: str) -> None:
        mug, bowl = make_ref(world, name="Mug"), make_ref(world, name="Bowl")
        birthday = world.shop.make_wishlist(ann, name="Birthday")

        world.shop.like(ann, mug)
        for ref in (mug, bowl, bowl):
            world.shop.like(ann, ref, list_ref=birthday.list_ref)

        everywhere = {(like.list_ref, like.ref.product_id) for like in world.shop.likes(ann)}
        there = {like.ref.product_id for like in world.shop.likes(ann, list_ref=birthday.list_ref)}
        assert everywhere == {
            ("", mug.product_id),
            (birthday.list_ref, mug.product_id),
            (birthday.list_ref, bowl.product_id),
        }
        assert len(world.shop.likes(ann)) == 3
        assert there == {mug.product_id, bowl.product_id}

    def test_the_engine_hears_of_an_unlike_when_the_product_is_on_no_list_any_more(
        self, world: World, ann: str
    ) -> None:
        mug, birthday = make_ref(world), world.shop.make_wishlist(ann, name="Birthday")
        world.shop.like(ann, mug)
        world.shop.like(ann, mug, list_ref=birthday.list_ref)

        world.shop.unlike(ann, mug, list_ref="")
        told_first = Inbox.objects.filter(kind=FactKind.UNLIKED).count()
        world.shop.unlike(ann, mug, list_ref=birthday.list_ref)

        assert told_first == 0
        told = Inbox.objects.get(kind=FactKind.UNLIKED)
        assert (told.customer_id, told.product_id) == (ann, mug.product_id)
        assert not world.shop.likes(ann)

    def test_an_unlike_that_names_no_list_takes_it_off_all_and_is_told_once(self, world: World, ann: str) -> None:
        mug, birthday = make_ref(world), world.shop.make_wishlist(ann, name="Birthday")
        world.shop.like(ann, mug)
        world.shop.like(ann, mug, list_ref=birthday.list_ref)

        world.shop.unlike(ann, mug)

        assert not world.shop.likes(ann)
        assert Inbox.objects.filter(kind=FactKind.UNLIKED).count() == 1

    def test_a_product_stays_liked_while_another_variant_of_it_is(self, world: World, ann: str) -> None:
        small, large = world.make_product(prices=[PRICE, PRICE], stocks=[5, 5], name="Shirt")
        world.shop.like(ann, small)
        world.shop.like(ann, large)

        world.shop.unlike(ann, small)
        told_first = Inbox.objects.filter(kind=FactKind.UNLIKED).count()
        world.shop.unlike(ann, large)

        assert told_first == 0
        assert Inbox.objects.get(kind=FactKind.UNLIKED).product_id == small.product_id

    def test_a_dropped_list_is_gone_and_what_was_on_it_alone_is_unliked(self, world: World, ann: str) -> None:
        mug, bowl = make_ref(world, name="Mug"), make_ref(world, name="Bowl")
        birthday = world.shop.make_wishlist(ann, name="Birthday")
        world.shop.like(ann, mug)
        for ref in (mug, bowl):
            world.shop.like(ann, ref, list_ref=birthday.list_ref)

        world.shop.drop_wishlist(ann, birthday.list_ref)

        assert [row.list_ref for row in world.shop.wishlists(ann)] == [""]
        assert {like.ref.product_id for like in world.shop.likes(ann)} == {mug.product_id}
        told = Inbox.objects.filter(kind=FactKind.UNLIKED).values_list("product_id", flat=True)
        assert list(told) == [bowl.product_id]

    def test_the_default_list_is_emptied_and_stays(self, world: World, ann: str) -> None:
        mug, birthday = make_ref(world), world.shop.make_wishlist(ann, name="Birthday")
        world.shop.like(ann, mug)

        world.shop.drop_wishlist(ann, "")
        world.shop.like(ann, mug)

        assert [row.list_ref for row in world.shop.wishlists(ann)] == ["", birthday.list_ref]
        assert [like.list_ref for like in world.shop.likes(ann)] == [""]

    def test_only_a_public_list_is_found_by_its_key(self, world: World, ann: str) -> None:
        birthday = world.shop.make_wishlist(ann, name="Birthday")
        private = world.shop.public_wishlist(birthday.key)

        shown = world.shop.change_wishlist(ann, birthday.list_ref, name="My 30th", is_public=True)
        found = world.shop.public_wishlist(shown.key)
        hidden = world.shop.change_wishlist(ann, birthday.list_ref, is_public=False)

        assert private is None
        assert found is not None
        assert (found.list_ref, found.customer_id, found.name) == (birthday.list_ref, ann, "My 30th")
        assert (hidden.name, hidden.is_public) == ("My 30th", False)
        assert world.shop.public_wishlist(shown.key) is None
        assert world.shop.public_wishlist("") is None

    def test_a_default_list_that_nobody_made_can_be_made_public(self, world: World, ann: str) -> None:
        changed = world.shop.change_wishlist(ann, "", is_public=True)

        found = world.shop.public_wishlist(changed.key)
        assert found is not None
        assert (found.list_ref, found.customer_id) == ("", ann)

    def test_a_list_is_its_owners(self, world: World, ann: str) -> None:
        bob, mug = world.make_customer(email="bob@example.com"), make_ref(world)
        birthday = world.shop.make_wishlist(ann, name="Birthday")

        for list_ref in (birthday.list_ref, NOWHERE, "x"):
            for ask in (
                partial(world.shop.like, bob, mug),
                partial(world.shop.unlike, bob, mug),
                partial(world.shop.change_wishlist, bob, name="Mine now"),
                partial(world.shop.drop_wishlist, bob),
            ):
                with pytest.raises(NotFound):
                    ask(list_ref=list_ref)

        assert not world.shop.likes(bob)
        assert [row.name for row in world.shop.wishlists(ann)][1:] == ["Birthday"]

    def test_what_no_channel_offers_cannot_be_liked(self, world: World, ann: str) -> None:
        mug = make_ref(world)

        for ref in (ProductRef(NOWHERE, mug.shop_channel), ProductRef(mug.product_id, "nowhere", mug.variant_id)):
            with pytest.raises(NotFound):
                world.shop.like(ann, ref)

        assert not world.shop.likes(ann)
        assert not Inbox.objects.filter(kind=FactKind.LIKED).exists()

    def test_a_grid_of_products_learns_in_one_query_which_are_liked(self, world: World, ann: str) -> None:
        bob = world.make_customer(email="bob@example.com")
        small, _large = world.make_product(prices=[PRICE, PRICE], stocks=[5, 5], name="Shirt")
        mug, bowl, vase = (make_ref(world, name=name) for name in ("Mug", "Bowl", "Vase"))
        birthday = world.shop.make_wishlist(ann, name="Birthday")
        for ref, list_ref in ((small, ""), (mug, ""), (mug, birthday.list_ref), (bowl, birthday.list_ref)):
            world.shop.like(ann, ref, list_ref=list_ref)
        world.shop.like(bob, vase)
        asked = [ref.product_id for ref in (small, mug, vase)] + [NOWHERE, "x", ""]

        with CaptureQueriesContext(connection) as seen:
            found = world.shop.liked(ann, asked, shop_channel=mug.shop_channel)

        assert found == {small.product_id, mug.product_id}
        assert len(seen) <= 1
        assert not world.shop.liked(ann, asked, shop_channel="nowhere")
        assert not world.shop.liked("", asked, shop_channel=mug.shop_channel)

    def test_a_grid_of_products_learns_in_one_query_how_many_like_each(self, world: World, ann: str) -> None:
        bob = world.make_customer(email="bob@example.com")
        small, large = world.make_product(prices=[PRICE, PRICE], stocks=[5, 5], name="Shirt")
        mug, bowl = make_ref(world, name="Mug"), make_ref(world, name="Bowl")
        birthday = world.shop.make_wishlist(ann, name="Birthday")
        for who, ref, list_ref in (
            (ann, small, ""),
            (ann, large, birthday.list_ref),
            (ann, whole(mug), ""),
            (bob, mug, ""),
        ):
            world.shop.like(who, ref, list_ref=list_ref)
        asked = [ref.product_id for ref in (small, mug, bowl)] + [NOWHERE, "x", ""]

        with CaptureQueriesContext(connection) as seen:
            counts = dict(world.shop.like_counts(asked, shop_channel=mug.shop_channel))

        assert counts == {small.product_id: 1, mug.product_id: 2}
        assert len(seen) <= 1
        assert not world.shop.like_counts(asked, shop_channel="nowhere")
