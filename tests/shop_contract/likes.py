"""The contract: what a customer keeps on a list."""

from __future__ import annotations

import pytest

from crm_plugin.models import Inbox
from crm_plugin.shop import FactKind
from tests.shop_contract.asking import NOWHERE, make_ref
from tests.shop_contract.world import World


@pytest.mark.django_db
class LikesContract:
    """What a customer keeps on a list."""

    def test_likes_are_newest_first_and_twice_is_once(self, world: World) -> None:
        customer_id = world.make_customer(email="ann@example.com")
        refs = [make_ref(world, name=f"Mug {number}") for number in range(3)]

        for ref in (*refs, refs[0]):
            world.shop.like(customer_id, ref)

        likes = world.shop.likes(customer_id)
        assert [like.ref.product_id for like in likes] == [ref.product_id for ref in reversed(refs)]
        assert all(like.liked_at.tzinfo is not None for like in likes)

    def test_the_engine_is_told_of_a_like_once(self, world: World) -> None:
        customer_id = world.make_customer(email="ann@example.com")
        ref = make_ref(world)

        world.shop.like(customer_id, ref)
        world.shop.like(customer_id, ref)

        told = Inbox.objects.get(kind=FactKind.LIKED)
        assert (told.customer_id, told.product_id) == (customer_id, ref.product_id)

    def test_an_unliked_product_is_off_the_list_and_the_engine_is_told(self, world: World) -> None:
        customer_id = world.make_customer(email="ann@example.com")
        ref = make_ref(world)
        world.shop.like(customer_id, ref)

        world.shop.unlike(customer_id, ref)
        world.shop.unlike(customer_id, ref)

        assert not world.shop.likes(customer_id)
        assert Inbox.objects.get(kind=FactKind.UNLIKED).product_id == ref.product_id

    def test_a_second_like_after_an_unlike_is_told_again(self, world: World) -> None:
        customer_id = world.make_customer(email="ann@example.com")
        ref = make_ref(world)

        world.shop.like(customer_id, ref)
        world.shop.unlike(customer_id, ref)
        world.shop.like(customer_id, ref)

        assert len(set(Inbox.objects.filter(kind=FactKind.LIKED).values_list("source_key", flat=True))) == 2

    def test_likes_are_ones_own(self, world: World) -> None:
        ann, bob = (world.make_customer(email=f"{name}@example.com") for name in ("ann", "bob"))

        world.shop.like(ann, make_ref(world))

        assert not world.shop.likes(bob)
        assert not world.shop.likes(NOWHERE)
