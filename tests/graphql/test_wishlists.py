"""Wishlists by the API: a customer's own, public ones, and product grids."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm_plugin import clock, ids, pipeline
from crm_plugin.activity.models import Inbox
from crm_plugin.shop import Actor
from tests.fake_shop import FakeShop
from tests.graphql.conftest import APP, CUSTOMER, NOBODY, NOON, STAFF, Ask

pytestmark = pytest.mark.django_db

OTHER = Actor(customer_id="8", email="ben@example.com")
DEFAULT = ids.to_global("CrmWishlist", "default")

LISTS = """query($first: Int = 10) { crmMe { wishlists { id name isDefault isPublic key likesCount
  likes(first: $first) { pageInfo { hasNextPage } edges { node { productId variantId channel likedAt
    priceThen { amount currency } priceNow { amount currency } isInStock } } } } } }"""
CREATE = """mutation($name: String!, $isPublic: Boolean) { crmWishlistCreate(name: $name, isPublic: $isPublic) {
  wishlist { id name isPublic key } errors { field code } } }"""
UPDATE = """mutation($id: ID!, $name: String, $isPublic: Boolean) {
  crmWishlistUpdate(id: $id, name: $name, isPublic: $isPublic) { wishlist { id name isPublic key }
  errors { field code } } }"""
DELETE = "mutation($id: ID!) { crmWishlistDelete(id: $id) { errors { field code } } }"
LIKE = """mutation($product: ID!, $variant: ID, $wishlist: ID) {
  crmProductLike(productId: $product, variantId: $variant, wishlist: $wishlist) { isLiked errors { field code } } }"""
UNLIKE = """mutation($product: ID!, $wishlist: ID) {
  crmProductUnlike(productId: $product, wishlist: $wishlist) { isLiked errors { field code } } }"""
SHARED = """query($key: String!, $first: Int = 10, $after: String) { crmWishlist(key: $key) { name
  likes(first: $first, after: $after) { pageInfo { hasNextPage endCursor }
    edges { node { productId variantId channel isInStock priceNow { amount } } } } } }"""
GRID = """query($ids: [ID!]!, $channel: String) { crmLikes(productIds: $ids, channel: $channel) {
  productId isLiked count } }"""


def _product(pk: str) -> str:
    return ids.to_global("Product", pk)


@pytest.fixture
def customers(shop: FakeShop) -> None:
    """The callers are customers of the shop."""
    for caller in (CUSTOMER, OTHER):
        shop.add_customer(customer_id=caller.customer_id, email=caller.email)


@pytest.fixture
def make_list(ask: Ask) -> Callable[..., str]:
    def make(name: str, *, caller: Actor = CUSTOMER, **more: Any) -> str:
        answer = ask(CREATE, caller=caller, name=name, **more).data["crmWishlistCreate"]
        assert answer["errors"] == []
        made: str = answer["wishlist"]["id"]
        return made

    return make


def _lists(ask: Ask, caller: Actor = CUSTOMER) -> list[tuple[str, list[str]]]:
    answer = ask(LISTS, caller=caller)
    assert answer.errors == []
    return [
        (one["name"], [edge["node"]["productId"] for edge in one["likes"]["edges"]])
        for one in answer.data["crmMe"]["wishlists"]
    ]


# A customer's own lists


def test_everybody_has_a_default_list(ask: Ask) -> None:
    (only,) = ask(LISTS, caller=CUSTOMER).data["crmMe"]["wishlists"]

    assert (only["id"], only["name"], only["isDefault"], only["isPublic"], only["key"]) == (
        DEFAULT,
        "",
        True,
        False,
        None,
    )
    assert (only["likesCount"], only["likes"]["edges"]) == (0, [])


def test_lists_are_made_renamed_filled_and_deleted(ask: Ask, shop: FakeShop, make_list: Callable[..., str]) -> None:
    mug, pot = (shop.add_product().product_id for _ in range(2))
    party = make_list("  Party ")
    for product, wishlist in ((mug, None), (pot, party), (mug, party)):
        ask(LIKE, caller=CUSTOMER, product=_product(product), wishlist=wishlist)
    assert _lists(ask) == [("", [_product(mug)]), ("Party", [_product(mug), _product(pot)])]

    renamed = ask(UPDATE, caller=CUSTOMER, id=party, name="Feast").data["crmWishlistUpdate"]
    still = ask(UNLIKE, caller=CUSTOMER, product=_product(mug), wishlist=party).data["crmProductUnlike"]
    assert (renamed["wishlist"]["name"], still) == ("Feast", {"isLiked": True, "errors": []})
    assert not Inbox.objects.filter(kind="unliked").exists()
    assert _lists(ask) == [("", [_product(mug)]), ("Feast", [_product(pot)])]

    assert ask(DELETE, caller=CUSTOMER, id=party).data["crmWishlistDelete"]["errors"] == []
    assert _lists(ask) == [("", [_product(mug)])]
    assert Inbox.objects.get(kind="unliked").product_id == pot


def test_unliking_without_a_list_is_off_all_of_them(ask: Ask, shop: FakeShop, make_list: Callable[..., str]) -> None:
    mug = shop.add_product().product_id
    for wishlist in (None, make_list("Party")):
        ask(LIKE, caller=CUSTOMER, product=_product(mug), wishlist=wishlist)

    answer = ask(UNLIKE, caller=CUSTOMER, product=_product(mug)).data["crmProductUnlike"]

    assert answer == {"isLiked": False, "errors": []}
    assert _lists(ask) == [("", []), ("Party", [])]
    assert Inbox.objects.filter(kind="unliked").count() == 1


def test_what_is_on_two_lists_is_among_the_likes_once(ask: Ask, shop: FakeShop, make_list: Callable[..., str]) -> None:
    mug = shop.add_product().product_id
    for wishlist in (None, make_list("Party")):
        ask(LIKE, caller=CUSTOMER, product=_product(mug), wishlist=wishlist)

    edges = ask("{ crmMe { likes(first: 9) { edges { node { productId } } } } }", caller=CUSTOMER).data["crmMe"]

    assert edges["likes"]["edges"] == [{"node": {"productId": _product(mug)}}]


@pytest.mark.parametrize("name", ["", "   ", "x" * 81, "two\nlines", "nul\0"])
def test_a_name_that_is_none_is_refused(ask: Ask, make_list: Callable[..., str], name: str) -> None:
    party = make_list("Party")

    made = ask(CREATE, caller=CUSTOMER, name=name).data["crmWishlistCreate"]
    changed = ask(UPDATE, caller=CUSTOMER, id=party, name=name).data["crmWishlistUpdate"]

    code = "CHARACTER" if "\0" in name else "INVALID"
    refused = {"wishlist": None, "errors": [{"field": "name", "code": code}]}
    assert (made, changed) == (refused, refused)
    assert [one for one, _likes in _lists(ask)] == ["", "Party"]


@pytest.mark.parametrize("wishlist", ["nonsense", ids.to_global("Product", 1), ids.to_global("CrmWishlist", "404")])
def test_what_is_none_of_the_callers_lists_is_refused(ask: Ask, shop: FakeShop, wishlist: str) -> None:
    mug = _product(shop.add_product().product_id)
    code = "NOT_FOUND" if wishlist == ids.to_global("CrmWishlist", "404") else "GRAPHQL_ERROR"

    answers = [
        ask(UPDATE, caller=CUSTOMER, id=wishlist, name="X").data["crmWishlistUpdate"]["errors"],
        ask(DELETE, caller=CUSTOMER, id=wishlist).data["crmWishlistDelete"]["errors"],
        ask(LIKE, caller=CUSTOMER, product=mug, wishlist=wishlist).data["crmProductLike"]["errors"],
        ask(UNLIKE, caller=CUSTOMER, product=mug, wishlist=wishlist).data["crmProductUnlike"]["errors"],
    ]

    assert answers == [[{"field": field, "code": code}] for field in ("id", "id", "wishlist", "wishlist")]
    assert not Inbox.objects.exists()


def test_nobody_touches_the_lists_of_others(ask: Ask, shop: FakeShop, make_list: Callable[..., str]) -> None:
    mug = _product(shop.add_product().product_id)
    anns = make_list("Ann's")
    ask(LIKE, caller=CUSTOMER, product=mug, wishlist=anns)

    answers = [
        ask(UPDATE, caller=OTHER, id=anns, isPublic=True).data["crmWishlistUpdate"]["errors"],
        ask(DELETE, caller=OTHER, id=anns).data["crmWishlistDelete"]["errors"],
        ask(LIKE, caller=OTHER, product=mug, wishlist=anns).data["crmProductLike"]["errors"],
        ask(UNLIKE, caller=OTHER, product=mug, wishlist=anns).data["crmProductUnlike"]["errors"],
    ]

    assert [errors[0]["code"] for errors in answers] == ["NOT_FOUND"] * 4
    assert _lists(ask) == [("", []), ("Ann's", [mug])]
    assert _lists(ask, OTHER) == [("", [])]


@pytest.mark.parametrize("caller", [NOBODY, APP])
def test_lists_are_for_people_with_an_account(ask: Ask, caller: Actor) -> None:
    for query, more in ((CREATE, {"name": "X"}), (UPDATE, {"id": DEFAULT}), (DELETE, {"id": DEFAULT}), (LISTS, {})):
        assert ask(query, caller=caller, **more).codes == ["PermissionDenied"]


# Price and stock since


def test_the_price_of_that_time_and_of_now_stand_beside_each_other(ask: Ask, shop: FakeShop, customers: None) -> None:
    mug, pot = (shop.add_product(price=price) for price in (90, 50))
    for product in (mug, pot):
        shop.like(CUSTOMER.customer_id, product.whole)
    pipeline.pump()
    shop.set_price(mug.whole, 80)
    shop.set_stock(pot.whole, 0)

    nodes = [edge["node"] for edge in ask(LISTS, caller=CUSTOMER).data["crmMe"]["wishlists"][0]["likes"]["edges"]]

    found = {node["productId"]: (node["priceThen"], node["priceNow"], node["isInStock"]) for node in nodes}
    assert found == {
        _product(mug.product_id): (_euros(90), _euros(80), True),
        _product(pot.product_id): (_euros(50), _euros(50), False),
    }


def test_what_is_sold_no_longer_has_no_price(ask: Ask, shop: FakeShop, customers: None) -> None:
    shop.like(CUSTOMER.customer_id, shop.add_product(price=90).whole)
    shop.products.clear()

    (edge,) = ask(LISTS, caller=CUSTOMER).data["crmMe"]["wishlists"][0]["likes"]["edges"]

    assert (edge["node"]["priceThen"], edge["node"]["priceNow"], edge["node"]["isInStock"]) == (None, None, False)


def _euros(amount: int) -> dict[str, Any]:
    return {"amount": float(amount), "currency": "EUR"}


def test_the_number_of_questions_does_not_grow_with_the_lists(
    ask: Ask, shop: FakeShop, customers: None, make_list: Callable[..., str]
) -> None:
    counts = []
    for lists, products in ((1, 1), (4, 8)):
        for number in range(lists):
            wishlist = make_list(f"List {number}")
            for _ in range(products):
                ask(LIKE, caller=CUSTOMER, product=_product(shop.add_product().product_id), wishlist=wishlist)
        pipeline.pump()
        with CaptureQueriesContext(connection) as captured, patch.object(shop, "offers", wraps=shop.offers) as offers:
            assert ask(LISTS, caller=CUSTOMER).errors == []
        counts.append((len(captured), offers.call_count))

    assert counts[0] == counts[1]
    assert counts[0][1] == 1


# Public lists


def test_a_public_list_is_read_by_anybody_and_never_says_whose_it_is(
    ask: Ask, shop: FakeShop, make_list: Callable[..., str]
) -> None:
    product = shop.add_product(price=90)
    party = make_list("Party", isPublic=True)
    ask(
        LIKE,
        caller=CUSTOMER,
        product=_product(product.product_id),
        variant=ids.to_global("ProductVariant", product.variant_id),
        wishlist=party,
    )
    key = ask(LISTS, caller=CUSTOMER).data["crmMe"]["wishlists"][1]["key"]

    answers = [ask(SHARED, caller=caller, key=key) for caller in (NOBODY, CUSTOMER, OTHER, STAFF, APP)]

    node = {
        "productId": _product(product.product_id),
        "variantId": ids.to_global("ProductVariant", product.variant_id),
        "channel": "default",
        "isInStock": True,
        "priceNow": {"amount": 90.0},
    }
    for answer in answers:
        assert answer.errors == []
        assert answer.data["crmWishlist"]["name"] == "Party"
        assert answer.data["crmWishlist"]["likes"]["edges"] == [{"node": node}]


def test_of_a_public_list_nothing_about_its_owner_can_even_be_asked(ask: Ask, shop: FakeShop) -> None:
    from crm_plugin.graphql import build_schema  # noqa: PLC0415 - its scalars are those of the shop

    schema = build_schema()
    fields = {name: set(schema.get_type(name).fields) for name in ("CrmSharedWishlist", "CrmSharedLike")}

    assert fields == {
        "CrmSharedWishlist": {"name", "likes"},
        "CrmSharedLike": {"productId", "variantId", "channel", "priceNow", "isInStock"},
    }


def test_a_list_that_is_private_or_none_is_not_found(ask: Ask, make_list: Callable[..., str]) -> None:
    party = make_list("Party", isPublic=True)
    key = ask(UPDATE, caller=CUSTOMER, id=party, name="P").data["crmWishlistUpdate"]["wishlist"]["key"]
    hidden = ask(UPDATE, caller=CUSTOMER, id=party, isPublic=False).data["crmWishlistUpdate"]["wishlist"]
    assert (len(key) >= 22, hidden["key"], hidden["isPublic"]) == (True, None, False)

    found = [
        ask(SHARED, key=wrong).data["crmWishlist"] for wrong in (key, "", "x", "x" * 5000, "nul\0", "1' OR '1'='1")
    ]

    assert found == [None] * 6


def test_a_public_list_is_paged(ask: Ask, shop: FakeShop, make_list: Callable[..., str]) -> None:
    party = make_list("Party", isPublic=True)
    for second in range(3):
        with clock.travel(to=NOON + timedelta(seconds=second)):
            ask(LIKE, caller=CUSTOMER, product=_product(shop.add_product().product_id), wishlist=party)
    key = ask(LISTS, caller=CUSTOMER).data["crmMe"]["wishlists"][1]["key"]

    first = ask(SHARED, key=key, first=2).data["crmWishlist"]["likes"]
    second_page = ask(SHARED, key=key, first=2, after=first["pageInfo"]["endCursor"]).data["crmWishlist"]["likes"]

    assert [edge["node"]["productId"] for edge in first["edges"]] == [_product("3"), _product("2")]
    assert [edge["node"]["productId"] for edge in second_page["edges"]] == [_product("1")]
    assert second_page["pageInfo"]["hasNextPage"] is False


# A product grid


def test_a_grid_knows_what_the_caller_likes_and_how_many_do(ask: Ask, shop: FakeShop) -> None:
    mug, pot, cup = (shop.add_product() for _ in range(3))
    for customer_id, ref in (("7", mug.whole), ("8", mug.ref), ("8", mug.whole), ("8", pot.whole)):
        shop.like(customer_id, ref)
    wanted = [_product(one.product_id) for one in (cup, mug, pot)]

    mine, others, nobodys, apps = (
        [(row["isLiked"], row["count"]) for row in ask(GRID, caller=caller, ids=wanted).data["crmLikes"]]
        for caller in (CUSTOMER, OTHER, NOBODY, APP)
    )

    assert mine == [(False, 0), (True, 2), (False, 1)]
    assert others == [(False, 0), (True, 2), (True, 1)]
    assert nobodys == apps == [(False, 0), (False, 2), (False, 1)]
    assert [row["productId"] for row in ask(GRID, ids=wanted).data["crmLikes"]] == wanted


def test_a_grid_of_a_hundred_asks_the_shop_twice(ask: Ask, shop: FakeShop) -> None:
    wanted = [_product(str(number)) for number in range(1, 101)]

    with (
        patch.object(shop, "liked", wraps=shop.liked) as liked,
        patch.object(shop, "like_counts", wraps=shop.like_counts) as counts,
    ):
        answer = ask(GRID, caller=CUSTOMER, ids=wanted)

    assert len(answer.data["crmLikes"]) == 100
    assert (liked.call_count, counts.call_count) == (1, 1)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"ids": [_product(str(number)) for number in range(101)]}, "At most 100"),
        ({"ids": ["nonsense"]}, "is not the id of a Product"),
        ({"ids": [_product("1")], "channel": "mars"}, "There is no channel"),
    ],
)
def test_a_grid_that_is_none_is_refused(ask: Ask, arguments: dict[str, Any], word: str) -> None:
    answer = ask(GRID, caller=CUSTOMER, **arguments)

    assert word in answer.messages[0]
    assert answer.data["crmLikes"] is None


def test_an_empty_grid_is_empty(ask: Ask) -> None:
    assert ask(GRID, ids=[]).data["crmLikes"] == []
