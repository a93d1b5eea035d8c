"""Vouchers of an Oscar shop: what is told of them, and for which goods its ranges make them good."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from oscar.core.loading import get_model

from crm_plugin import clock
from crm_plugin.models import Inbox
from crm_plugin.shop import Fact, FactKind, ProductRef
from tests.shop_contract.asking import find_facts
from tests.shops.oscar.world import OscarWorld

Benefit = get_model("offer", "Benefit")
ConditionalOffer = get_model("offer", "ConditionalOffer")
ProductClass = get_model("catalogue", "ProductClass")
Range = get_model("offer", "Range")
Voucher = get_model("voucher", "Voucher")
VoucherSet = get_model("voucher", "VoucherSet")

Told = Callable[..., list[Inbox]]

pytestmark = pytest.mark.django_db


def make_products(world: OscarWorld, *names: str) -> list[ProductRef]:
    return [world.make_product(prices=[Decimal(20)], stocks=[5], name=name)[0] for name in names]


def covered(world: OscarWorld, voucher: str, *refs: ProductRef) -> set[str] | None:
    found = world.shop.vouchers([voucher], among=[ref.product_id for ref in refs])[voucher].product_ids
    return None if found is None else set(found)


def goods_of(voucher: str) -> Any:
    return Voucher.objects.get(pk=voucher).offers.get().benefit.range


def test_a_voucher_is_told_when_it_gets_its_offer(world: OscarWorld, told: Told) -> None:
    ref = world.make_voucher("SPRING")

    (row,) = told(kind=FactKind.VOUCHER_CREATED)

    assert (row.subject, row.source_key, row.customer_id) == (ref, f"voucher:{ref}", "")
    assert {fact.source_key for fact in _stream(world)} == {row.source_key}


@pytest.mark.parametrize("case", ["personal", "set"])
def test_a_voucher_for_one_person_is_not_told(world: OscarWorld, told: Told, case: str) -> None:
    ref = world.make_voucher("MINE", is_personal=case == "personal")
    if case == "set":
        told()
        now = clock.now()
        pool = VoucherSet.objects.create(
            name="Pool", count=1, code_length=8, start_datetime=now, end_datetime=now + timedelta(days=1)
        )
        voucher = Voucher.objects.get(pk=ref)
        voucher.voucher_set = pool
        voucher.save()
        voucher.offers.set([])
        voucher.offers.set(ConditionalOffer.objects.all())

    assert told(kind=FactKind.VOUCHER_CREATED) == []
    assert _stream(world) == []
    assert world.shop.vouchers([ref], among=[])[ref].code == ""


def test_using_or_saving_a_voucher_tells_nothing(world: OscarWorld, told: Told) -> None:
    ref = world.make_voucher("SPRING")
    told()

    voucher = Voucher.objects.get(pk=ref)
    voucher.num_orders += 1
    voucher.save()

    assert told() == []


def test_what_a_range_leaves_out_is_not_covered(world: OscarWorld) -> None:
    mug, bowl = make_products(world, "Mug", "Bowl")
    voucher = world.make_voucher("SPRING")
    goods_of(voucher).excluded_products.add(bowl.product_id)

    assert covered(world, voucher, mug, bowl) == {mug.product_id}


def test_a_range_of_one_child_covers_its_product(world: OscarWorld) -> None:
    small, _large = world.make_product(prices=[Decimal(5), Decimal(9)], stocks=[1, 1], name="Shirt")
    (mug,) = make_products(world, "Mug")
    voucher = world.make_voucher("SPRING", mug)
    goods_of(voucher).add_product(get_model("catalogue", "Product").objects.get(pk=small.variant_id))

    assert covered(world, voucher, small, mug) == {small.product_id, mug.product_id}


def test_a_range_of_a_product_class_covers_what_is_of_it(world: OscarWorld) -> None:
    mug, bowl = make_products(world, "Mug", "Bowl")
    voucher = world.make_voucher("SPRING", bowl)
    before = covered(world, voucher, mug)

    goods_of(voucher).classes.add(ProductClass.objects.get())

    assert (before, covered(world, voucher, mug)) == (set(), {mug.product_id})


class Cheap:
    """A range of the shop's own."""

    name = "Cheap"

    def contains_product(self, product: Any) -> bool:
        """Whether it is called so."""
        return product.title == "Cheap"


def test_a_range_of_the_shop_s_own_is_asked_for_each_product(world: OscarWorld) -> None:
    cheap, dear = make_products(world, "Cheap", "Dear")
    voucher = world.make_voucher("SPRING", dear)
    Range.objects.filter(pk=goods_of(voucher).pk).update(proxy_class=f"{__name__}.Cheap")

    assert covered(world, voucher, cheap, dear) == {cheap.product_id}


def test_several_offers_cover_what_any_of_them_covers_and_a_suspended_one_nothing(world: OscarWorld) -> None:
    mug, bowl = make_products(world, "Mug", "Bowl")
    first, second = world.make_voucher("FIRST", mug), world.make_voucher("SECOND", bowl)
    offers = Voucher.objects.get(pk=second).offers
    Voucher.objects.get(pk=first).offers.add(*offers.all())
    both = covered(world, first, mug, bowl)

    ConditionalOffer.objects.filter(pk__in=offers.values("pk")).update(status=ConditionalOffer.SUSPENDED)

    assert both == {mug.product_id, bowl.product_id}
    assert covered(world, first, mug, bowl) == {mug.product_id}


def test_free_shipping_is_good_for_every_product(world: OscarWorld) -> None:
    (mug,) = make_products(world, "Mug")
    voucher = world.make_voucher("SHIP")
    shipping = Benefit.objects.create(type=Benefit.SHIPPING_FIXED_PRICE, value=0)
    offer = Voucher.objects.get(pk=voucher).offers.get()
    ConditionalOffer.objects.filter(pk=offer.pk).update(benefit=shipping)

    assert covered(world, voucher, mug) is None


def _stream(world: OscarWorld) -> list[Fact]:

    return find_facts(world.shop, FactKind.VOUCHER_CREATED)
