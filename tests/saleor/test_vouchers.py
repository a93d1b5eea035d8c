"""Vouchers and stock of a real Saleor become waves: told by its hooks, found by reconcile and by the watch."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from saleor.account.models import User
from saleor.discount.models import Voucher, VoucherCode

from crm_plugin import activity, clock, contacts, shop
from crm_plugin.activity import WaveKind
from crm_plugin.models import Inbox, PriceWatch, Restock, VoucherProduct
from crm_plugin.shop import FactKind, ProductRef
from tests.saleor import asking
from tests.saleor.world import SaleorWorld

pytestmark = [pytest.mark.saleor, pytest.mark.django_db]

CREATE = """
mutation($input: VoucherInput!) { voucherCreate(input: $input) { voucher { id } errors { field code message } } }
"""
LIST = """
mutation($id: ID!, $input: VoucherChannelListingInput!) {
  voucherChannelListingUpdate(id: $id, input: $input) { errors { field code message } } }
"""


@pytest.fixture
def mug(world: SaleorWorld) -> ProductRef:
    return world.make_product(prices=[Decimal(80)], stocks=[0], name="Blue Mug")[0]


@pytest.fixture
def fan(world: SaleorWorld, mug: ProductRef) -> User:
    """A shopper who likes the mug."""
    user = User.objects.get(pk=world.make_customer(email="ann@example.com"))
    world.shop.like(str(user.pk), ProductRef(mug.product_id, mug.shop_channel))
    drain()
    return user


def drain() -> tuple[int, ...]:
    """Do what the drain does; returns the waves of vouchers that began."""
    with shop.current().writable(), transaction.atomic():
        batch = activity.claim(1_000)
        if batch is None:
            return ()
        people = activity.people_in(batch)
        contacts.resolve(people, seen_before=batch.oldest_at)
        activity.project(batch, people)
        return activity.voucher_waves(batch)


def look(world: SaleorWorld) -> list[WaveKind | None]:
    """Look at everything now; returns the kinds of the waves."""
    with world.shop.writable(), transaction.atomic():
        PriceWatch.objects.update(due_at=clock.now())
        return [activity.kind_of(wave) for wave in activity.look(1_000).waves]


def covered(world: SaleorWorld, voucher: str, *refs: ProductRef) -> set[str] | None:
    found = world.shop.vouchers([voucher], among=[ref.product_id for ref in refs])[voucher].product_ids
    return None if found is None else set(found)


def test_a_voucher_that_staff_make_is_told_once_it_is_valid_in_a_channel(
    world: SaleorWorld, fan: User, mug: ProductRef
) -> None:
    manager = asking.staff("manage_discounts")
    made = asking.ask(
        manager,
        CREATE,
        input={
            "type": "SPECIFIC_PRODUCT",
            "name": "Mugs",
            "code": "MUG10",
            "discountValueType": "PERCENTAGE",
            "products": [asking.gid("Product", mug.product_id)],
        },
    )
    told = list(Inbox.objects.values_list("kind", "subject"))
    nowhere = drain()

    listing = {"channelId": asking.gid("Channel", world.channel.pk), "discountValue": 10}
    asking.ask(manager, LIST, id=made["voucher"]["id"], input={"addChannels": [listing]})
    waves = drain()

    ref = str(Voucher.objects.get().pk)
    assert told == [(FactKind.VOUCHER_CREATED, ref)]
    assert nowhere == ()
    assert len(waves) == 1
    row = VoucherProduct.objects.get()
    assert (row.voucher_ref, row.code, row.product_id, row.shop_channel) == (
        ref,
        "MUG10",
        mug.product_id,
        mug.shop_channel,
    )


def test_a_voucher_that_names_no_goods_yet_is_valid_for_none(world: SaleorWorld, mug: ProductRef) -> None:
    ref = world.make_voucher("SPRING", mug)
    Voucher.objects.get(pk=ref).products.clear()

    assert covered(world, ref, mug) == set()


def test_a_variant_covers_its_product_and_a_category_not_what_is_below_it(world: SaleorWorld, mug: ProductRef) -> None:
    bowl = world.make_product(prices=[Decimal(5), Decimal(9)], stocks=[1, 1], name="Bowl")[1]
    above = world.make_category("Above")
    world.put_in(mug, world.make_category("Below", parent=above))
    ref = world.make_voucher("SPRING", group=above)
    before = covered(world, ref, mug, bowl)

    Voucher.objects.get(pk=ref).variants.add(bowl.variant_id)

    assert (before, covered(world, ref, mug, bowl)) == (set(), {bowl.product_id})


def test_several_codes_are_handed_out_apart_and_a_voucher_of_staff_is_nobody_s(world: SaleorWorld) -> None:
    ref, theirs = world.make_voucher("SPRING"), world.make_voucher("STAFF")
    VoucherCode.objects.create(voucher_id=ref, code="SPRING2")
    Voucher.objects.filter(pk=theirs).update(only_for_staff=True)

    found = world.shop.vouchers([ref, theirs], among=[])

    assert {key: voucher.code for key, voucher in found.items()} == {ref: ""}


def test_what_no_hook_told_reconcile_tells_when_it_begins(world: SaleorWorld, fan: User) -> None:
    with world.shop.writable(), transaction.atomic():
        activity.step("vouchers", purpose=activity.Purpose.RECONCILE)
    world.make_voucher("LATER", starts_at=clock.now() + timedelta(days=1))
    waves = []
    for hours in (23, 25):
        with clock.travel(by=timedelta(hours=hours)):
            with world.shop.writable(), transaction.atomic():
                activity.step("vouchers", purpose=activity.Purpose.RECONCILE)
            waves.append(len(drain()))

    assert waves == [0, 1]


def test_the_watch_sees_stock_come_back_without_any_hook(world: SaleorWorld, fan: User, mug: ProductRef) -> None:
    first = look(world)

    world.set_stock(mug, 7)

    assert (first, look(world)) == ([], [WaveKind.BACK_IN_STOCK])
    row = Restock.objects.get()
    assert (row.product_id, row.variant_id, row.shop_channel, row.available) == (
        mug.product_id,
        mug.variant_id,
        mug.shop_channel,
        7,
    )
