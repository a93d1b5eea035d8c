"""The contract: vouchers, and the stream that tells of them when they begin."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm_plugin import clock
from crm_plugin.shop import FactKind, Voucher
from tests.shop_contract.asking import NOWHERE, find_facts, make_ref
from tests.shop_contract.world import World


@pytest.mark.django_db
class VoucherContract:
    """Vouchers."""

    def test_a_voucher_has_its_code_and_where_and_when_it_is_valid(self, world: World) -> None:
        ref = world.make_voucher("SPRING")

        voucher = world.shop.vouchers([ref], among=[])[ref]

        now = clock.now()
        assert (voucher.voucher_ref, voucher.code) == (ref, "SPRING")
        assert world.shop.channels()[0].slug in voucher.shop_channels
        assert voucher.is_valid_at(now)
        assert not voucher.is_valid_at(voucher.starts_at - timedelta(seconds=1))
        assert voucher.made_at <= now

    def test_a_voucher_for_everything_names_no_products(self, world: World) -> None:
        ref, mug = world.make_voucher("SPRING"), make_ref(world)

        assert world.shop.vouchers([ref], among=[mug.product_id])[ref].product_ids is None

    def test_a_voucher_for_products_covers_these_of_those_asked_about(self, world: World) -> None:
        mug, bowl, vase = (make_ref(world, name=name) for name in ("Mug", "Bowl", "Vase"))
        ref = world.make_voucher("SPRING", mug, bowl)

        assert _covered(world, ref, mug.product_id, vase.product_id, NOWHERE, "x", "") == {mug.product_id}
        assert _covered(world, ref) == set()

    def test_a_voucher_for_a_category_covers_what_is_in_it(self, world: World) -> None:
        scents, mug, rose = world.make_category("Scents"), make_ref(world, name="Mug"), make_ref(world, name="Rose")
        world.put_in(rose, scents)

        ref = world.make_voucher("SPRING", group=scents)

        assert _covered(world, ref, mug.product_id, rose.product_id) == {rose.product_id}

    def test_a_voucher_for_a_collection_covers_what_is_in_it(self, world: World) -> None:
        summer = world.make_collection("Summer")
        if not summer:
            pytest.skip("this shop has no collections")
        mug, rose = make_ref(world, name="Mug"), make_ref(world, name="Rose")
        world.put_in(rose, summer)

        ref = world.make_voucher("SPRING", group=summer)

        assert _covered(world, ref, mug.product_id, rose.product_id) == {rose.product_id}

    def test_a_voucher_that_one_person_uses_up_has_no_code_for_everybody(self, world: World) -> None:
        ref = world.make_voucher("MINE", is_personal=True)

        found = world.shop.vouchers([ref], among=[])

        assert {voucher.code for voucher in found.values()} <= {""}

    def test_unknown_and_deleted_vouchers_are_left_out(self, world: World) -> None:
        ref, gone = world.make_voucher("SPRING"), world.make_voucher("GONE")
        world.delete_voucher(gone)

        assert set(world.shop.vouchers([ref, gone, NOWHERE, "x", ""], among=[])) == {ref}
        assert not world.shop.vouchers([], among=[])

    def test_the_stream_tells_of_a_voucher_when_it_begins(self, world: World) -> None:
        now, later = world.make_voucher("NOW"), world.make_voucher("LATER", starts_at=clock.now() + timedelta(days=1))

        told = {fact.subject for fact in find_facts(world.shop, FactKind.VOUCHER_CREATED)}
        with clock.travel(by=timedelta(days=1, seconds=1)):
            told_later = {fact.subject for fact in find_facts(world.shop, FactKind.VOUCHER_CREATED)}

        assert (told, told_later) == ({now}, {now, later})

    def test_the_number_of_queries_does_not_grow_with_the_products(self, world: World) -> None:
        refs = [make_ref(world, name=f"Mug {number}") for number in range(6)]
        voucher, products = world.make_voucher("SPRING", *refs), [ref.product_id for ref in refs]
        one = _queries(world, [voucher], products[:1])

        assert _queries(world, [voucher], products) == one


def _covered(world: World, ref: str, *product_ids: str) -> set[str]:
    voucher: Voucher = world.shop.vouchers([ref], among=product_ids)[ref]
    assert voucher.product_ids is not None
    return set(voucher.product_ids)


def _queries(world: World, refs: list[str], product_ids: list[str]) -> int:
    with CaptureQueriesContext(connection) as seen:
        assert len(world.shop.vouchers(refs, among=product_ids)) == len(refs)
    return len(seen)
