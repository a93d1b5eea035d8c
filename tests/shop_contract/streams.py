"""The contract: ``changed_since``: what reconcile and backfill read."""

from __future__ import annotations

import pytest

from crm_plugin.models import Inbox
from crm_plugin.shop import FactKind
from tests.shop_contract.asking import all_facts, find_facts, keys, make_ref, pages
from tests.shop_contract.world import World

#: What the shop did, to no person.
_OF_NOBODY = (FactKind.CATALOGUE_CHANGED, FactKind.VOUCHER_CREATED, FactKind.COUPON_LET_GO)


@pytest.mark.django_db
class StreamContract:
    """``changed_since``: what reconcile and backfill read."""

    @pytest.fixture
    def busy_world(self, world: World) -> World:
        refs = [make_ref(world, name=f"Mug {number}") for number in range(2)]
        for number in range(5):
            customer_id = world.make_customer(email=f"customer{number}@example.com")
            world.place_order([(refs[0], 1)], customer_id=customer_id)
            world.place_order([(refs[1], 1)], email=f"guest{number}@example.com")
            world.make_cart([(refs[0], 1)], customer_id=customer_id)
            world.shop.like(customer_id, refs[number % 2])
            world.make_voucher(f"CODE{number}")
        return world

    @pytest.mark.parametrize("limit", [1, 2, 3, 7])
    def test_every_limit_reads_the_same_facts_once_and_in_the_same_order(self, busy_world: World, limit: int) -> None:
        for stream in busy_world.shop.streams():
            everything = keys(busy_world.shop, stream, limit=1_000)

            assert keys(busy_world.shop, stream, limit=limit) == everything
            assert len(set(everything)) == len(everything)

    def test_the_streams_have_customers_orders_and_likes(self, busy_world: World) -> None:
        assert len(find_facts(busy_world.shop, FactKind.SIGNED_UP)) == 5
        assert len(find_facts(busy_world.shop, FactKind.ORDERED)) == 10
        assert len(find_facts(busy_world.shop, FactKind.LIKED)) == 5

    def test_the_end_of_a_stream_is_an_empty_last_page(self, busy_world: World) -> None:
        for stream in busy_world.shop.streams():
            *_, last = pages(busy_world.shop, stream, limit=3)

            beyond = busy_world.shop.changed_since(stream, last.position, limit=3)

            assert (beyond.facts, beyond.is_last, beyond.position) == ((), True, last.position)

    def test_what_comes_later_is_found_from_the_end(self, busy_world: World) -> None:
        shop = busy_world.shop
        ends = {stream: list(pages(shop, stream, limit=100))[-1].position for stream in shop.streams()}

        order_ref = busy_world.place_order([(make_ref(busy_world), 1)], email="late@example.com")

        late = [
            fact for stream in ends for page in pages(shop, stream, limit=2, start=ends[stream]) for fact in page.facts
        ]
        assert order_ref in {fact.order_ref for fact in late if fact.kind is FactKind.ORDERED}

    def test_facts_carry_who_what_and_when(self, busy_world: World) -> None:
        for fact in all_facts(busy_world.shop):
            assert len(fact.source_key) <= 200
            assert fact.occurred_at is not None
            assert fact.occurred_at.tzinfo is not None
            assert fact.customer_id or fact.email or fact.cart_ref or fact.kind in _OF_NOBODY

    def test_an_order_in_the_stream_names_its_buyer(self, busy_world: World) -> None:
        ordered = find_facts(busy_world.shop, FactKind.ORDERED)

        orders = busy_world.shop.orders([fact.order_ref for fact in ordered])
        assert {fact.order_ref for fact in ordered} == set(orders)
        for fact in ordered:
            assert (fact.customer_id, fact.email) == (orders[fact.order_ref].customer_id, orders[fact.order_ref].email)

    def test_a_like_has_the_same_key_told_and_streamed(self, busy_world: World) -> None:
        told = set(Inbox.objects.filter(kind=FactKind.LIKED).values_list("source_key", flat=True))

        assert {fact.source_key for fact in find_facts(busy_world.shop, FactKind.LIKED)} == told
