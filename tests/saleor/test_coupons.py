"""Coupons in a real Saleor: what they take off, who used them, and what becomes of them when the order does not stand.

The room issues each code, and a storefront redeems it by ``checkoutComplete``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from saleor.channel.models import Channel
from saleor.checkout.models import Checkout, CheckoutLine
from saleor.discount.models import Voucher, VoucherChannelListing, VoucherCode, VoucherCustomer
from saleor.order.models import Order
from saleor.order.tasks import expire_orders_task
from saleor.product.models import Collection as SaleorCollection
from saleor.product.models import Product
from saleor.shipping.models import ShippingMethodChannelListing

from crm_plugin import contacts, coupons
from crm_plugin.contacts import Person
from crm_plugin.models import Activity, Coupon, Failure, Inbox
from crm_plugin.shop import FactKind, ProductRef
from tests.saleor import asking, checkout, engine
from tests.saleor.sale import put_on_sale
from tests.saleor.world import SaleorWorld

pytestmark = [pytest.mark.saleor, pytest.mark.django_db]

CANCEL = "mutation($id: ID!) { orderCancel(id: $id) { order { id } errors { field code message } } }"
DELETE_CODES = "mutation($ids: [ID!]!) { voucherCodeBulkDelete(ids: $ids) { count errors { path message } } }"
DELETE_CATEGORY = "mutation($id: ID!) { categoryDelete(id: $id) { errors { field code message } } }"
DELETE_COLLECTION = "mutation($id: ID!) { collectionDelete(id: $id) { errors { field code message } } }"
COLLECTIONS = "query($channel: String!) { collections(first: 5, channel: $channel) { totalCount } }"
DELETE_PRODUCT = "mutation($id: ID!) { productDelete(id: $id) { errors { field code message } } }"
TENTH = {"kind": "percent", "percent": "10"}
GUS = "gus@example.com"


@pytest.fixture
def mug(world: SaleorWorld) -> ProductRef:
    world.channel.allow_unpaid_orders = True
    world.channel.save()
    return world.make_product(prices=[Decimal(80)], stocks=[50], name="Blue Mug")[0]


@pytest.fixture
def bowl(world: SaleorWorld) -> ProductRef:
    return world.make_product(prices=[Decimal(20)], stocks=[50], name="Bowl")[0]


@pytest.fixture
def give(world: SaleorWorld) -> Callable[..., str]:
    """Give Gus a coupon of these terms, or somebody else; returns the code."""

    def give(terms: Mapping[str, Any], *, email: str = GUS, **template: Any) -> str:
        with world.shop.writable(), transaction.atomic():
            contact = contacts.get_or_create(Person("", email))
            row = coupons.create_template("For you", terms=terms, expires_in_days=7, **template)
            request = coupons.Request("key", contact.pk, f"campaign:{row.pk}/gift")
            issued = coupons.issue(row.pk, [request])["key"]
        assert isinstance(issued, coupons.Issued)
        return issued.code

    return give


def buy(*refs: ProductRef, code: str, email: str = GUS, **how: Any) -> str:
    """Order with a code; returns the order's id."""
    return _pk(checkout.buy(asking.anybody(), *refs, email=email, codes=[code], **how))


def refused(ref: ProductRef, code: str) -> str:
    """Return why Saleor refuses a code in a cart with the product."""
    return checkout.refused(asking.anybody(), checkout.start(asking.anybody(), ref, email=GUS), code)


def paid(order: str) -> Decimal:
    total: Decimal = Order.objects.get(pk=order).total_gross_amount
    return total


def state(world: SaleorWorld, code: str) -> tuple[bool, bool]:
    """Whether the code is usable, and whether it is used."""
    found = world.shop.coupons([code])[code]
    return found.is_usable, found.is_used


def _pk(key: str) -> str:
    from graphene import Node  # noqa: PLC0415 - Saleor's

    return str(Node.from_global_id(key)[1])


# What they take off


@pytest.mark.feature(71)
def test_a_tenth_off_comes_on_top_of_a_promotion(world: SaleorWorld, mug: ProductRef, give: Callable[..., str]) -> None:
    put_on_sale(world, mug, percent=25)
    (offer,) = world.shop.offers([mug.product_id], shop_channel=mug.shop_channel)

    order = buy(mug, code=give(TENTH), quantity=2)

    assert offer.price.amount == 60
    assert paid(order) == 2 * 60 * Decimal("0.9")


def test_free_shipping_takes_off_what_delivery_costs(mug: ProductRef, give: Callable[..., str]) -> None:
    ShippingMethodChannelListing.objects.update(price_amount=7)
    without = _pk(checkout.buy(asking.anybody(), mug, email=GUS))

    order = buy(mug, code=give({"kind": "free_shipping"}))

    assert (paid(without), paid(order)) == (87, 80)


def test_an_amount_off_needs_the_minimum_to_be_spent(
    mug: ProductRef, bowl: ProductRef, give: Callable[..., str]
) -> None:
    code = give({"kind": "fixed", "amounts": {"main": "12.50"}, "min_spend": {"main": "50"}})

    assert refused(bowl, code) == "VOUCHER_NOT_APPLICABLE"
    assert paid(buy(mug, code=code)) == Decimal("67.50")


def test_a_coupon_for_some_products_leaves_the_others_as_they_are(
    mug: ProductRef, bowl: ProductRef, give: Callable[..., str]
) -> None:
    code = give({"kind": "percent", "percent": "50", "product_ids": [bowl.product_id]})

    assert refused(mug, code) == "VOUCHER_NOT_APPLICABLE"
    assert paid(buy(mug, bowl, code=code, quantity=2)) == 2 * 80 + 2 * 10


def test_an_amount_off_some_products_is_taken_off_once(
    mug: ProductRef, bowl: ProductRef, give: Callable[..., str]
) -> None:
    code = give({"kind": "fixed", "amounts": {"main": "5"}, "product_ids": [bowl.product_id, mug.product_id]})

    assert paid(buy(mug, bowl, code=code, quantity=2)) == 2 * 80 + 2 * 20 - 5


def test_a_coupon_for_a_category_is_good_for_what_is_below_it(
    world: SaleorWorld, mug: ProductRef, give: Callable[..., str]
) -> None:
    above = world.make_category("Above")
    world.put_in(mug, world.make_category("Below", parent=above))

    assert paid(buy(mug, code=give({"kind": "percent", "percent": "50", "group_keys": [above]}))) == 40


# Where they are good


def test_a_coupon_is_refused_in_a_channel_that_it_has_no_amount_for(
    world: SaleorWorld, mug: ProductRef, give: Callable[..., str]
) -> None:
    korea = Channel.objects.create(slug="kr", name="KR", currency_code="KRW", default_country="KR", is_active=True)
    code = give({"kind": "fixed", "amounts": {"kr": "7000"}})

    listing = VoucherChannelListing.objects.get()
    assert (listing.channel_id, listing.currency, listing.discount_value) == (korea.pk, "KRW", 7000)
    assert refused(mug, code) == "INVALID"


def test_a_coupon_whose_channel_staff_take_away_is_not_sent(
    world: SaleorWorld, mug: ProductRef, give: Callable[..., str]
) -> None:
    code = give(TENTH)
    pk = Coupon.objects.get().pk
    before = coupons.still_good([pk])

    VoucherChannelListing.objects.all().delete()

    assert (before, coupons.still_good([pk])) == ({pk}, frozenset())
    assert refused(mug, code) == "INVALID"


@pytest.mark.parametrize("gone", ["product", "category", "collection"])
@pytest.mark.parametrize("terms", [TENTH, {"kind": "fixed", "amounts": {"main": "5"}}], ids=["percent", "fixed"])
def test_a_coupon_whose_goods_were_deleted_is_not_good_for_everything(
    gone: str, terms: Any, world: SaleorWorld, mug: ProductRef, bowl: ProductRef, give: Callable[..., str]
) -> None:
    """Saleor takes a voucher for specific products that names none for one for all of them."""
    only = {"category": world.make_category, "collection": world.make_collection}.get(gone, str)("Only")
    code = give({**terms, "product_ids": [bowl.product_id]} if gone == "product" else {**terms, "group_keys": [only]})
    other = give({**terms, "product_ids": [mug.product_id]})

    manager = asking.staff("manage_products")
    mutation, kind, pk = {
        "product": (DELETE_PRODUCT, "Product", bowl.product_id),
        "category": (DELETE_CATEGORY, "Category", only.partition(":")[2]),
        "collection": (DELETE_COLLECTION, "Collection", only.partition(":")[2]),
    }[gone]
    asking.ask(manager, mutation, id=asking.gid(kind, pk))

    assert state(world, code) == (False, False)
    assert (refused(mug, code), refused(mug, other)) == ("VOUCHER_NOT_APPLICABLE", "")
    assert not Failure.objects.exists()


def test_nor_is_it_when_nobody_is_there_to_hear_of_it(
    world: SaleorWorld, mug: ProductRef, bowl: ProductRef, give: Callable[..., str], configure: Callable[..., None]
) -> None:
    """The plugin is off, or gone, or the goods go by a bulk statement: no hook is called. A cart holds the code."""
    code = give({**TENTH, "product_ids": [bowl.product_id]})
    cart = checkout.deliver(asking.anybody(), mug, bowl, email=GUS)
    asking.ask(asking.anybody(), checkout.ADD_CODE, id=cart["id"], code=code)
    configure(active=False)

    CheckoutLine.objects.filter(variant_id=bowl.variant_id).delete()
    Product.objects.filter(pk=bowl.product_id).delete()
    Checkout.objects.update(price_expiration=timezone.now())

    assert refused(mug, code) == "VOUCHER_NOT_APPLICABLE"
    assert checkout.total(asking.anybody(), cart["id"]) == 80


def test_the_collection_that_keeps_it_so_is_one_for_all_and_is_made_anew(
    world: SaleorWorld, mug: ProductRef, bowl: ProductRef, give: Callable[..., str]
) -> None:
    code, other = (give({**TENTH, "product_ids": [ref.product_id]}) for ref in (bowl, mug))
    whole = give(TENTH)
    (first,) = SaleorCollection.objects.all()
    found_by_shoppers = asking.ask(asking.anybody(), COLLECTIONS, channel=world.channel.slug)["totalCount"]
    found_by_merchants = world.shop.search_groups("Coupons", language="en", limit=5)

    asking.ask(asking.staff("manage_products"), DELETE_COLLECTION, id=asking.gid("Collection", first.pk))
    world.delete_product(bowl)

    (second,) = SaleorCollection.objects.all()
    assert (found_by_shoppers, list(found_by_merchants)) == (0, [])
    assert second.voucher_set.count() == 2
    assert first.pk != second.pk
    assert refused(mug, code) == "VOUCHER_NOT_APPLICABLE"
    assert (refused(mug, other), refused(mug, whole)) == ("", "")


# Once


def test_an_order_uses_a_coupon_up_and_tells_of_it_once(
    world: SaleorWorld, mug: ProductRef, give: Callable[..., str]
) -> None:
    code = give(TENTH)
    before = state(world, code)
    order = buy(mug, code=code)
    engine.drain()

    assert (before, state(world, code)) == ((True, False), (False, True))
    assert refused(mug, code) == "INVALID"
    assert world.shop.orders([order])[order].coupon_codes == (code,)
    used = Activity.objects.filter(kind=FactKind.COUPON_USED).values_list("source_key", "subject", "order_ref")
    assert list(used) == [(f"order:{order}:coupon:{code}", code, order)]
    row = Coupon.objects.get()
    assert (row.state, row.order_ref, row.used_by) == ("used", order, None)


def test_a_cancelled_order_gives_its_coupon_back_for_another_order(
    world: SaleorWorld, mug: ProductRef, give: Callable[..., str]
) -> None:
    code = give(TENTH)
    first = buy(mug, code=code)
    engine.drain()

    asking.ask(asking.staff("manage_orders"), CANCEL, id=asking.gid("Order", first))
    cancelled = state(world, code)
    engine.drain()
    released = state(world, code), Coupon.objects.get().state
    second = buy(mug, code=code)
    engine.drain()

    assert cancelled == (False, True)  # Saleor itself gives nothing back
    assert released == ((True, False), "issued")
    assert paid(second) == 72
    assert (Coupon.objects.get().state, Coupon.objects.get().order_ref) == ("used", second)
    assert not Failure.objects.exists()


def test_a_coupon_is_given_back_once_however_often_that_is_asked(
    world: SaleorWorld, mug: ProductRef, give: Callable[..., str]
) -> None:
    code = give(TENTH)
    first = buy(mug, code=code)
    VoucherCustomer.objects.create(voucher_code=VoucherCode.objects.get(), customer_email=GUS)
    Order.objects.update(status="canceled")
    world.shop.release_coupons([code], order_ref=first)
    left = VoucherCustomer.objects.count()
    buy(mug, code=code)

    world.shop.release_coupons([code], order_ref=first)

    assert left == 0
    assert state(world, code) == (False, True)


@pytest.mark.parametrize("is_told", [True, False])
def test_an_order_that_nobody_paid_in_time_gives_the_crm_s_code_back(
    world: SaleorWorld,
    mug: ProductRef,
    give: Callable[..., str],
    configure: Callable[..., None],
    django_capture_on_commit_callbacks: Any,
    *,
    is_told: bool,
) -> None:
    codes = (give(TENTH), "STAFF")
    world.make_voucher("STAFF", is_personal=True)
    for code in codes:
        buy(mug, code=code, is_paid=False)
    engine.drain()
    Order.objects.update(created_at=timezone.now() - timedelta(hours=2))
    Channel.objects.update(expire_orders_after=60)

    engine.reconcile()
    configure(active=is_told)  # reconcile finds what no hook told
    with django_capture_on_commit_callbacks(execute=True):
        expire_orders_task()
    configure()
    expired = [state(world, code) for code in codes]
    told = Inbox.objects.filter(kind=FactKind.COUPON_LET_GO, subject=codes[0]).count()
    engine.reconcile()
    engine.drain()

    assert (told, expired) == (int(is_told), [(False, True)] * 2)
    assert [state(world, code) for code in codes] == [(True, False), (False, True)]
    assert paid(buy(mug, code=codes[0])) == 72
    assert not Failure.objects.exists()


def test_somebody_else_s_use_of_a_coupon_is_reported(mug: ProductRef, give: Callable[..., str]) -> None:
    code = give(TENTH)

    buy(mug, code=code, email="other@example.com")
    engine.drain()

    row = Coupon.objects.get()
    assert (row.state, row.contact.email, row.used_by.email) == ("used", GUS, "other@example.com")
    assert not Failure.objects.exists()


def test_a_code_that_staff_delete_before_the_message_goes_out_is_void(
    world: SaleorWorld, give: Callable[..., str]
) -> None:
    code = give(TENTH)
    key = asking.gid("VoucherCode", VoucherCode.objects.get(code=code).pk)

    asking.ask(asking.staff("manage_discounts"), DELETE_CODES, ids=[key])

    assert world.shop.coupons([code]) == {}
    assert coupons.still_good([Coupon.objects.get().pk]) == frozenset()
    assert Coupon.objects.get().state == "void"


def test_a_series_that_staff_delete_is_made_anew_for_who_comes_next(
    world: SaleorWorld, mug: ProductRef, give: Callable[..., str]
) -> None:
    first = give(TENTH)
    template = Coupon.objects.get().template_id
    Voucher.objects.all().delete()
    with world.shop.writable(), transaction.atomic():
        other = contacts.get_or_create(Person("", "other@example.com"))
        issued = coupons.issue(template, [coupons.Request("key", other.pk, "campaign:1/gift")])["key"]

    assert isinstance(issued, coupons.Issued)
    assert refused(mug, first) == "INVALID"
    assert paid(buy(mug, code=issued.code, email="other@example.com")) == 72
