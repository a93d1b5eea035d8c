"""The same API on Oscar's own wishlists: its lists, its lines, its signals."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from oscar.core.loading import get_model

from crm_plugin import activity, contacts, ids, pipeline
from crm_plugin.http import shopfront
from crm_plugin.models import Inbox, Interest, OwnLike, OwnWishlist
from crm_plugin.shop import Fact, FactKind
from tests.http.collecting import CHROME, VISITOR
from tests.shops.oscar.world import PASSWORD, OscarWorld

pytestmark = pytest.mark.django_db

URL = "/crm/graphql/"
LISTS = """{ crmMe { wishlists { id name isDefault isPublic key likesCount likes(first: 20) { edges { node {
  productId priceThen { amount } priceNow { amount currency } isInStock } } } } } }"""
CREATE = """mutation($name: String!, $isPublic: Boolean) { crmWishlistCreate(name: $name, isPublic: $isPublic) {
  wishlist { id name key } errors { field code } } }"""
UPDATE = """mutation($id: ID!, $name: String, $isPublic: Boolean) {
  crmWishlistUpdate(id: $id, name: $name, isPublic: $isPublic) { wishlist { name key } errors { field code } } }"""
DELETE = "mutation($id: ID!) { crmWishlistDelete(id: $id) { errors { field code } } }"
LIKE = """mutation($product: ID!, $wishlist: ID) { crmProductLike(productId: $product, wishlist: $wishlist) {
  isLiked errors { field code } } }"""
UNLIKE = """mutation($product: ID!, $wishlist: ID) { crmProductUnlike(productId: $product, wishlist: $wishlist) {
  isLiked errors { field code } } }"""
SHARED = (
    """query($key: String!) { crmWishlist(key: $key) { name likes(first: 20) { edges { node { productId } } } } }"""
)
GRID = "query($ids: [ID!]!) { crmLikes(productIds: $ids) { isLiked count } }"

Post = Callable[..., Any]


@pytest.fixture
def world() -> OscarWorld:
    """An empty Oscar shop."""
    return OscarWorld()


def _post(client: Client, query: str, **variables: Any) -> Any:
    body = json.dumps({"query": query, "variables": variables})
    answer = client.post(URL, body, content_type="application/json").json()
    assert "errors" not in answer, answer
    (found,) = answer["data"].values()
    return found


@pytest.fixture
def visitor() -> Post:
    """A browser in which nobody signed in."""
    return lambda query, **variables: _post(Client(), query, **variables)


@pytest.fixture
def sign_in(world: OscarWorld) -> Callable[[str], Post]:
    """Make a customer and return how their browser asks."""

    def sign_in(email: str) -> Post:
        world.make_customer(email=email)
        client = Client()
        assert client.login(username=email, password=PASSWORD)
        return lambda query, **variables: _post(client, query, **variables)

    return sign_in


@pytest.fixture
def tea(world: OscarWorld) -> str:
    (ref,) = world.make_product(prices=[Decimal(10)], stocks=[5], name="Tea")
    return ids.to_global("Product", ref.product_id)


@pytest.fixture
def pot(world: OscarWorld) -> str:
    (ref,) = world.make_product(prices=[Decimal(30)], stocks=[0], name="Pot")
    return ids.to_global("Product", ref.product_id)


def _lists(post: Post) -> list[list[str]]:
    return [[edge["node"]["productId"] for edge in one["likes"]["edges"]] for one in post(LISTS)["wishlists"]]


def test_a_shoppers_lists_are_oscars(sign_in: Callable[[str], Post], tea: str, pot: str) -> None:
    ann = sign_in("ann@example.com")
    party = ann(CREATE, name="Party")["wishlist"]["id"]
    for product, wishlist in ((tea, None), (tea, party), (pot, party)):
        assert ann(LIKE, product=product, wishlist=wishlist) == {"isLiked": True, "errors": []}

    rows = ann(LISTS)["wishlists"]

    assert [(one["isDefault"], one["isPublic"], one["key"], one["likesCount"]) for one in rows] == [
        (True, False, None, 1),
        (False, False, None, 2),
    ]
    assert _lists(ann) == [[tea], [pot, tea]]
    assert sorted(get_model("wishlists", "WishList").objects.values_list("lines__product__title", flat=True)) == [
        "Pot",
        "Tea",
        "Tea",
    ]
    assert not OwnLike.objects.exists()
    assert not OwnWishlist.objects.exists()


def test_taken_off_list_by_list_it_is_told_once(sign_in: Callable[[str], Post], tea: str) -> None:
    ann = sign_in("ann@example.com")
    party = ann(CREATE, name="Party")["wishlist"]["id"]
    for wishlist in (None, party):
        ann(LIKE, product=tea, wishlist=wishlist)

    first = ann(UNLIKE, product=tea, wishlist=party)
    between = Inbox.objects.filter(kind="unliked").count()
    second = ann(UNLIKE, product=tea)

    assert (first["isLiked"], between, second["isLiked"]) == (True, 0, False)
    assert Inbox.objects.filter(kind="unliked").count() == 1


def test_price_and_stock_since_it_was_liked(
    sign_in: Callable[[str], Post], world: OscarWorld, tea: str, pot: str
) -> None:
    ann = sign_in("ann@example.com")
    for product in (tea, pot):
        ann(LIKE, product=product)
    pipeline.pump()
    get_model("partner", "StockRecord").objects.filter(product__title="Tea").update(price=Decimal(8))

    (default,) = ann(LISTS)["wishlists"]

    currency = default["likes"]["edges"][0]["node"]["priceNow"]["currency"]
    assert [edge["node"] for edge in default["likes"]["edges"]] == [
        {
            "productId": pot,
            "priceThen": {"amount": 30.0},
            "priceNow": {"amount": 30.0, "currency": currency},
            "isInStock": False,
        },
        {
            "productId": tea,
            "priceThen": {"amount": 10.0},
            "priceNow": {"amount": 8.0, "currency": currency},
            "isInStock": True,
        },
    ]


def test_a_public_list_and_who_may_read_it(sign_in: Callable[[str], Post], visitor: Post, tea: str) -> None:
    ann, ben = sign_in("ann@example.com"), sign_in("ben@example.com")
    made = ann(CREATE, name="Party", isPublic=True)["wishlist"]
    ann(LIKE, product=tea, wishlist=made["id"])

    shown = [post(SHARED, key=made["key"]) for post in (ann, ben, visitor)]
    touched = ben(UPDATE, id=made["id"], name="Ben's"), ben(DELETE, id=made["id"])
    ann(UPDATE, id=made["id"], isPublic=False)

    assert shown == [{"name": "Party", "likes": {"edges": [{"node": {"productId": tea}}]}}] * 3
    assert [answer["errors"] for answer in touched] == [[{"field": "id", "code": "NOT_FOUND"}]] * 2
    assert [post(SHARED, key=made["key"]) for post in (ann, visitor)] == [None, None]


def test_a_grid_asks_oscar_once_for_liked_and_once_for_counts(
    sign_in: Callable[[str], Post], visitor: Post, tea: str, pot: str
) -> None:
    ann, ben = sign_in("ann@example.com"), sign_in("ben@example.com")
    for post, product in ((ann, tea), (ben, tea), (ben, pot)):
        post(LIKE, product=product)
    others = [ids.to_global("Product", 900_000 + number) for number in range(98)]

    found = {}
    for who, post in (("ann", ann), ("visitor", visitor)):
        with CaptureQueriesContext(connection) as captured:
            found[who] = [(row["isLiked"], row["count"]) for row in post(GRID, ids=[tea, pot, *others])]
        asked = [one for one in captured if "wishlists_" in one["sql"]]
        assert len(asked) == (2 if who == "ann" else 1)

    assert found["ann"] == [(True, 2), (False, 1)] + [(False, 0)] * 98
    assert found["visitor"] == [(False, 2), (False, 1)] + [(False, 0)] * 98


def test_a_guests_list_becomes_lines_of_oscars(
    sign_in: Callable[[str], Post], world: OscarWorld, settings: Any, tea: str, pot: str
) -> None:
    settings.CRM_COLLECT_ORIGINS = ("https://shop.example",)
    shopfront.forget()
    ann = sign_in("ann@example.com")
    ann(LIKE, product=pot)
    body = json.dumps({"visitor": VISITOR, "like": {"product": tea}})
    headers = {"origin": "https://shop.example", "user-agent": CHROME}
    answer = Client().post("/crm/likes/", body, content_type="text/plain", headers=headers)
    assert answer.status_code == 200, answer.content
    pipeline.pump()
    get_model("partner", "StockRecord").objects.filter(product__title="Tea").update(price=Decimal(8))

    customer_id = get_model("wishlists", "WishList").objects.get().owner_id
    activity.record(Fact(kind=FactKind.LOGGED_IN, source_key="login", customer_id=str(customer_id), visitor_id=VISITOR))
    pipeline.pump()
    pipeline.pump()

    assert _lists(ann) == [[tea, pot]]
    assert not OwnLike.objects.exists()
    contact = contacts.find(customer_id=str(customer_id))
    interest = Interest.objects.get(contact=contact, product_id=ids.from_global("Product", tea))
    assert (interest.baseline_price, interest.liked_at is not None) == (Decimal(10), True)
    assert ann(LISTS)["wishlists"][0]["likes"]["edges"][0]["node"]["priceThen"] == {"amount": 10.0}
    shopfront.forget()
