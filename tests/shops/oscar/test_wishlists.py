"""Oscar's own wishlists behind the port: what its pages do and what the CRM does are one."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from oscar.core.loading import get_model

from crm_plugin.errors import InvalidInput, NotFound
from crm_plugin.models import Inbox
from crm_plugin.shop import FactKind, ProductRef
from crm_plugin.shops.oscar import wishlists
from tests.shop_contract.asking import NOWHERE
from tests.shops.oscar.world import OscarWorld, User
from tests.together import together

Product = get_model("catalogue", "Product")
WishLine = get_model("wishlists", "Line")
WishList = get_model("wishlists", "WishList")

Told = Callable[..., list[Inbox]]

pytestmark = pytest.mark.django_db


@pytest.fixture
def ref(world: OscarWorld) -> ProductRef:
    return world.make_product(prices=[Decimal("48.00")], stocks=[20], name="Celadon bowl")[0]


@pytest.fixture
def ann(world: OscarWorld) -> Any:
    return User.objects.get(pk=world.make_customer(email="ann@example.com"))


@pytest.fixture
def shopper(ann: Any, client: Client) -> Client:
    client.force_login(ann)
    return client


def test_the_shop_s_own_button_likes_onto_the_default_list(
    world: OscarWorld, shopper: Client, ann: Any, ref: ProductRef
) -> None:
    first = WishList.objects.create(owner=ann, name="First")
    WishList.objects.create(owner=ann, name="Second")

    shopper.post(reverse("customer:wishlists-add-product", kwargs={"product_pk": ref.product_id}))

    assert [like.list_ref for like in world.shop.likes(str(ann.pk))] == [""]
    assert [row.name for row in world.shop.wishlists(str(ann.pk))] == ["First", "Second"]
    assert first.lines.count() == 1


def test_a_like_says_which_list_it_is_on(world: OscarWorld, ann: Any, ref: ProductRef) -> None:
    WishList.objects.create(owner=ann, name="First")
    second = WishList.objects.create(owner=ann, name="Second")

    second.add(Product.objects.get(pk=ref.product_id))

    assert [like.list_ref for like in world.shop.likes(str(ann.pk))] == [str(second.pk)]
    assert world.shop.likes(str(ann.pk), list_ref="") == []


def test_what_is_taken_off_one_of_two_lists_in_the_shop_is_liked_still(
    world: OscarWorld, shopper: Client, ann: Any, ref: ProductRef, told: Told
) -> None:
    lists = [WishList.objects.create(owner=ann, name=name) for name in ("First", "Second")]
    for row in lists:
        row.add(Product.objects.get(pk=ref.product_id))
    told()

    facts = []
    for row in lists:
        path = reverse("customer:wishlists-remove-product", kwargs={"key": row.key, "product_pk": ref.product_id})
        shopper.post(path)
        facts.append([one.product_id for one in told(kind=FactKind.UNLIKED)])

    assert facts == [[], [ref.product_id]]


def test_a_list_that_is_deleted_in_the_shop_unlikes_what_was_on_it_alone(
    world: OscarWorld, shopper: Client, ann: Any, ref: ProductRef, told: Told
) -> None:
    both = world.make_product(prices=[Decimal(5)], stocks=[5], name="Mug")[0]
    keep, drop = (WishList.objects.create(owner=ann, name=name) for name in ("Keep", "Drop"))
    keep.add(Product.objects.get(pk=both.product_id))
    for product_id in (ref.product_id, both.product_id):
        drop.add(Product.objects.get(pk=product_id))
    told()

    shopper.post(reverse("customer:wishlists-delete", kwargs={"key": drop.key}))

    assert [row.product_id for row in told(kind=FactKind.UNLIKED)] == [ref.product_id]
    assert [like.ref.product_id for like in world.shop.likes(str(ann.pk))] == [both.product_id]


def test_when_the_default_list_is_deleted_in_the_shop_the_next_one_is(world: OscarWorld, ann: Any) -> None:
    first = WishList.objects.create(owner=ann, name="First")
    second = world.shop.make_wishlist(str(ann.pk), name="Second")

    first.delete()
    renamed = world.shop.change_wishlist(str(ann.pk), second.list_ref, name="Mine")

    assert (renamed.list_ref, renamed.name) == ("", "Mine")
    assert [(row.list_ref, row.name) for row in world.shop.wishlists(str(ann.pk))] == [("", "Mine")]


def test_a_list_shared_with_some_is_not_public_and_stays_shared(world: OscarWorld, ann: Any) -> None:
    row = WishList.objects.create(owner=ann, name="Shared", visibility=WishList.SHARED)

    world.shop.change_wishlist(str(ann.pk), "", name="Still shared", is_public=False)

    row.refresh_from_db()
    assert (row.name, row.visibility) == ("Still shared", WishList.SHARED)
    assert world.shop.public_wishlist(row.key) is None


def test_the_public_list_of_who_was_switched_off_is_not_shown(world: OscarWorld, ann: Any) -> None:
    row = WishList.objects.create(owner=ann, name="Mine", visibility=WishList.PUBLIC)
    shown = world.shop.public_wishlist(row.key)

    User.objects.filter(pk=ann.pk).update(is_active=False)

    assert shown is not None
    assert world.shop.public_wishlist(row.key) is None


def test_a_public_list_can_be_read_on_the_shop_s_own_page(world: OscarWorld, ann: Any, ref: ProductRef) -> None:
    world.shop.like(str(ann.pk), ref)
    row = world.shop.change_wishlist(str(ann.pk), "", is_public=True)

    page = Client().get(reverse("wishlists:detail", kwargs={"key": row.key}))

    assert page.status_code == 200
    assert "Celadon bowl" in page.content.decode()


def test_who_is_no_customer_has_no_lists(world: OscarWorld, ref: ProductRef) -> None:
    for customer_id in (NOWHERE, "x", ""):
        for ask in (
            partial(world.shop.like, customer_id, ref),
            partial(world.shop.make_wishlist, customer_id, name="Mine"),
            partial(world.shop.change_wishlist, customer_id, "", is_public=True),
            partial(world.shop.drop_wishlist, customer_id, ""),
        ):
            with pytest.raises(NotFound):
                ask()

    assert not WishList.objects.exists()


def test_neither_lists_nor_what_is_on_them_grow_without_end(
    world: OscarWorld, ann: Any, ref: ProductRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    mug = world.make_product(prices=[Decimal(5)], stocks=[5], name="Mug")[0]
    monkeypatch.setattr(wishlists, "MAX_LISTS", 2)
    monkeypatch.setattr(wishlists, "MAX_LIKES", 1)
    world.shop.make_wishlist(str(ann.pk), name="Second")
    world.shop.like(str(ann.pk), ref)

    for ask in (
        partial(world.shop.make_wishlist, str(ann.pk), name="Third"),
        partial(world.shop.like, str(ann.pk), mug),
    ):
        with pytest.raises(InvalidInput) as refused:
            ask()
        assert refused.value.code == "LIMIT"

    world.shop.like(str(ann.pk), ref)
    assert (WishList.objects.count(), WishLine.objects.count()) == (2, 1)


@pytest.mark.django_db(transaction=True)
def test_two_first_likes_at_once_make_one_default_list(world: OscarWorld, ann: Any, ref: ProductRef) -> None:
    mug = world.make_product(prices=[Decimal(5)], stocks=[5], name="Mug")[0]

    together(*(partial(world.shop.like, str(ann.pk), one) for one in (ref, mug)))

    assert WishList.objects.filter(owner=ann).count() == 1
    assert WishLine.objects.count() == 2
