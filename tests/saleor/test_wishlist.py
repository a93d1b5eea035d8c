"""Wishlists in a shop that has none: through Saleor's own GraphQL, as everybody who could ask."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from saleor.graphql.tests.fixtures import ApiClient

from crm_plugin import activity
from crm_plugin.http import shopfront
from crm_plugin.models import Contact, Enrollment, Failure, Inbox, Interest, OwnLike, OwnWishlist
from crm_plugin.shop import FactKind, ProductRef
from tests.http.collecting import CHROME, VISITOR
from tests.saleor import asking, engine
from tests.saleor.asking import gid
from tests.saleor.world import SaleorWorld
from tests.shop_contract.asking import FIRST

pytestmark = [pytest.mark.saleor, pytest.mark.django_db]

LISTS = """{ crmMe { wishlists { id name isDefault isPublic key likesCount
  likes(first: 20) { edges { node { productId variantId channel likedAt isInStock
    priceThen { amount currency } priceNow { amount currency } } } } } } }"""
CREATE = """mutation($name: String!, $isPublic: Boolean) { crmWishlistCreate(name: $name, isPublic: $isPublic) {
  wishlist { id name isPublic key } errors { field code message } } }"""
UPDATE = """mutation($id: ID!, $name: String, $isPublic: Boolean) {
  crmWishlistUpdate(id: $id, name: $name, isPublic: $isPublic) { wishlist { id name isPublic key }
  errors { field code message } } }"""
DELETE = "mutation($id: ID!) { crmWishlistDelete(id: $id) { errors { field code message } } }"
LIKE = """mutation($product: ID!, $variant: ID, $channel: String, $wishlist: ID) {
  crmProductLike(productId: $product, variantId: $variant, channel: $channel, wishlist: $wishlist) {
    isLiked errors { field code message } } }"""
UNLIKE = """mutation($product: ID!, $variant: ID, $wishlist: ID) {
  crmProductUnlike(productId: $product, variantId: $variant, wishlist: $wishlist) {
    isLiked errors { field code message } } }"""
SHARED = """query($key: String!) { crmWishlist(key: $key) { name likes(first: 20) { edges { node {
  productId variantId channel isInStock priceNow { amount currency } } } } } }"""
GRID = """query($ids: [ID!]!, $channel: String) { crmLikes(productIds: $ids, channel: $channel) {
  productId isLiked count } }"""
MOST = """{ crmMostLiked(limit: 5) { product { id name } likedNow likedEver isSoldOut priceNow { amount } } }"""
FORECAST = """query($product: ID!, $percent: Decimal!) { crmPriceDropForecast(productId: $product, percent: $percent) {
  likersCount prices { variantId priceNow { amount } newPrice { amount } }
  campaigns { campaign { name } peopleCount } } }"""
IDENTIFY = """mutation($visitor: String!) { crmVisitorIdentify(visitorId: $visitor) {
  isIdentified errors { field code message } } }"""
CAMPAIGN = """mutation($input: CrmCampaignCreateInput!) { crmCampaignCreate(input: $input) {
  campaign { id } errors { field code message } } }"""
PUBLISH = """mutation($id: ID!) { crmCampaignPublish(id: $id) { campaign { state } errors { field code message } } }"""


@pytest.fixture
def ann(world: SaleorWorld) -> ApiClient:
    return asking.register(world, "ann@example.com")


@pytest.fixture
def ben(world: SaleorWorld) -> ApiClient:
    return asking.register(world, "ben@example.com")


@pytest.fixture
def mug(world: SaleorWorld) -> ProductRef:
    return world.make_product(prices=[Decimal(80)], stocks=[5], name="Blue Mug")[0]


@pytest.fixture
def pots(world: SaleorWorld) -> list[ProductRef]:
    """A product with two variants."""
    return list(world.make_product(prices=[Decimal(40), Decimal(60)], stocks=[0, 5], name="Pot"))


@pytest.fixture(autouse=True)
def _nothing_failed() -> Iterator[None]:
    shopfront.forget()
    yield
    shopfront.forget()
    assert not Failure.objects.exists()


def product_id(ref: ProductRef) -> str:
    return gid("Product", ref.product_id)


def lists_of(client: ApiClient) -> dict[str, list[dict[str, Any]]]:
    found = asking.ask(client, LISTS)["wishlists"]
    return {one["name"]: [edge["node"] for edge in one["likes"]["edges"]] for one in found}


def make_list(client: ApiClient, name: str, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = asking.ask(client, CREATE, name=name, **more)["wishlist"]
    return made


def refusal(client: ApiClient, query: str, **variables: Any) -> tuple[str | None, str]:
    """Return field and code of the one error of a mutation."""
    answer = asking.post(client, query, **variables)
    assert "errors" not in answer, answer["errors"]
    ((error,),) = (value["errors"] for value in answer["data"].values())
    return error["field"], error["code"]


def codes(answer: dict[str, Any]) -> list[str]:
    return [error["extensions"]["exception"]["code"] for error in answer.get("errors", ())]


def test_a_customer_keeps_several_lists(ann: ApiClient, mug: ProductRef, pots: list[ProductRef]) -> None:
    party = make_list(ann, "Party")
    for ref, more in ((mug, {}), (pots[0], {"wishlist": party["id"]}), (mug, {"wishlist": party["id"]})):
        answer = asking.ask(ann, LIKE, product=product_id(ref), **more)
        assert answer["isLiked"] is True
    asking.ask(ann, LIKE, product=product_id(pots[1]), variant=gid("ProductVariant", pots[1].variant_id))
    engine.drain()

    lists = lists_of(ann)

    assert {name: [node["productId"] for node in nodes] for name, nodes in lists.items()} == {
        "": [product_id(pots[0]), product_id(mug)],
        "Party": [product_id(mug), product_id(pots[0])],
    }
    assert lists[""][0]["variantId"] == gid("ProductVariant", pots[1].variant_id)
    assert lists["Party"][1]["variantId"] is None
    assert OwnWishlist.objects.count() == 1
    assert OwnLike.objects.count() == 4


def test_lists_are_renamed_and_deleted_and_unlikes_are_told_once(ann: ApiClient, mug: ProductRef) -> None:
    party = make_list(ann, "Party")["id"]
    for more in ({}, {"wishlist": party}):
        asking.ask(ann, LIKE, product=product_id(mug), **more)

    asking.ask(ann, UPDATE, id=party, name="Feast")
    still = asking.ask(ann, UNLIKE, product=product_id(mug), wishlist=gid("CrmWishlist", "default"))
    assert (still["isLiked"], list(lists_of(ann))) == (True, ["", "Feast"])
    assert not Inbox.objects.filter(kind=FactKind.UNLIKED).exists()

    asking.ask(ann, DELETE, id=party)
    assert list(lists_of(ann)) == [""]
    assert Inbox.objects.filter(kind=FactKind.UNLIKED, product_id=mug.product_id).count() == 1
    engine.drain()
    assert Interest.objects.get(product_id=mug.product_id).liked_at is None


def test_the_price_since_then_and_the_stock(
    ann: ApiClient, world: SaleorWorld, mug: ProductRef, pots: list[ProductRef]
) -> None:
    for ref in (mug, pots[0]):
        asking.ask(ann, LIKE, product=product_id(ref))
    asking.ask(ann, LIKE, product=product_id(pots[0]), variant=gid("ProductVariant", pots[0].variant_id))
    engine.drain()
    asking.set_price(asking.staff("manage_products"), mug.variant_id, world.channel.pk, "65.5")
    engine.saleor_computes_prices()

    (nodes,) = lists_of(ann).values()

    money = {"currency": world.channel.currency_code}
    assert [(one["priceThen"], one["priceNow"], one["isInStock"]) for one in reversed(nodes)] == [
        ({"amount": 80.0, **money}, {"amount": 65.5, **money}, True),
        ({"amount": 40.0, **money}, {"amount": 60.0, **money}, True),  # the cheaper variant is sold out
        ({"amount": 40.0, **money}, {"amount": 40.0, **money}, False),
    ]


def test_reading_lists_asks_no_more_for_more_of_them(ann: ApiClient, world: SaleorWorld) -> None:
    refs = [world.make_product(prices=[Decimal(9)], stocks=[1], name=f"P{n}")[0] for n in range(6)]
    counts = []
    for part in (refs[:1], refs[1:]):
        wishlist = make_list(ann, f"List of {len(part)}")["id"]
        for ref in part:
            asking.ask(ann, LIKE, product=product_id(ref), wishlist=wishlist)
        engine.drain()
        with CaptureQueriesContext(connection) as captured:
            lists_of(ann)
        counts.append(len(captured))

    assert counts[0] == counts[1]


# Others


def test_another_customer_neither_sees_nor_touches_them(ann: ApiClient, ben: ApiClient, mug: ProductRef) -> None:
    secret = make_list(ann, "Secret")["id"]
    asking.ask(ann, LIKE, product=product_id(mug), wishlist=secret)

    refused = [
        refusal(ben, UPDATE, id=secret, isPublic=True),
        refusal(ben, DELETE, id=secret),
        refusal(ben, LIKE, product=product_id(mug), wishlist=secret),
        refusal(ben, UNLIKE, product=product_id(mug), wishlist=secret),
    ]

    assert refused == [(field, "NOT_FOUND") for field in ("id", "id", "wishlist", "wishlist")]
    assert lists_of(ben) == {"": []}
    assert [node["productId"] for node in lists_of(ann)["Secret"]] == [product_id(mug)]


def test_who_has_no_account_keeps_no_lists(mug: ProductRef) -> None:
    callers = [asking.anybody(), asking.app("manage_crm")]
    calls = [
        (LISTS, {}),
        (CREATE, {"name": "X"}),
        (UPDATE, {"id": gid("CrmWishlist", "default"), "name": "X"}),
        (DELETE, {"id": gid("CrmWishlist", "default")}),
        (LIKE, {"product": product_id(mug)}),
        (UNLIKE, {"product": product_id(mug)}),
    ]

    answers = [codes(asking.post(caller, query, **variables)) for caller in callers for query, variables in calls]

    assert answers == [["PermissionDenied"]] * len(answers)
    assert not OwnWishlist.objects.exists()
    assert not OwnLike.objects.exists()


def test_staff_have_lists_of_their_own_and_see_no_others(ann: ApiClient, mug: ProductRef) -> None:
    asking.ask(ann, LIKE, product=product_id(mug))
    manager = asking.staff("manage_crm", "manage_users")

    assert lists_of(manager) == {"": []}


def test_a_public_list_is_read_by_anybody_until_it_is_private(
    ann: ApiClient, ben: ApiClient, mug: ProductRef, world: SaleorWorld
) -> None:
    party = make_list(ann, "Party", isPublic=True)
    asking.ask(ann, LIKE, product=product_id(mug), wishlist=party["id"])
    callers = [asking.anybody(), ben, asking.staff(), asking.app("manage_crm")]

    seen = [asking.ask(caller, SHARED, key=party["key"]) for caller in callers]
    asking.ask(ann, UPDATE, id=party["id"], isPublic=False)
    hidden = [asking.ask(caller, SHARED, key=party["key"]) for caller in (*callers, ann)]

    node = {
        "productId": product_id(mug),
        "variantId": None,
        "channel": world.channel.slug,
        "isInStock": True,
        "priceNow": {"amount": 80.0, "currency": world.channel.currency_code},
    }
    assert seen == [{"name": "Party", "likes": {"edges": [{"node": node}]}}] * 4
    assert "ann@" not in json.dumps(seen)
    assert hidden == [None] * 5


def test_a_grid_of_a_hundred_costs_one_question_for_liked_and_one_for_counts(
    ann: ApiClient, ben: ApiClient, mug: ProductRef, pots: list[ProductRef]
) -> None:
    asking.ask(ann, LIKE, product=product_id(mug))
    asking.ask(ben, LIKE, product=product_id(mug))
    asking.ask(ben, LIKE, product=product_id(pots[0]), variant=gid("ProductVariant", pots[0].variant_id))
    others = [gid("Product", 900_000 + number) for number in range(98)]
    wanted = [product_id(mug), product_id(pots[0]), *others]

    found = {}
    for who, caller in (("ann", ann), ("ben", ben), ("nobody", asking.anybody()), ("staff", asking.staff())):
        with CaptureQueriesContext(connection) as captured:
            rows = asking.ask(caller, GRID, ids=wanted)
        found[who] = [(row["isLiked"], row["count"]) for row in rows[:2]]
        asked = [one["sql"] for one in captured if "crm_plugin_ownlike" in one["sql"]]
        assert len(asked) == (1 if who == "nobody" else 2)
        assert [row["productId"] for row in rows] == wanted
        assert {(row["isLiked"], row["count"]) for row in rows[2:]} == {(False, 0)}

    assert found == {
        "ann": [(True, 2), (False, 1)],
        "ben": [(True, 2), (True, 1)],
        "nobody": [(False, 2), (False, 1)],
        "staff": [(False, 2), (False, 1)],
    }


# Guests


def post_likes(**body: Any) -> Any:
    headers = {"origin": "https://shop.example", "user-agent": CHROME}
    client = Client(enforce_csrf_checks=True)
    return client.post(
        "/plugins/global/crm/likes/",
        json.dumps({"visitor": VISITOR, **body}),
        content_type="text/plain;charset=UTF-8",
        headers=headers,
    )


def test_a_guests_list_becomes_the_customers_when_they_sign_in(
    ann: ApiClient, world: SaleorWorld, mug: ProductRef, pots: list[ProductRef]
) -> None:
    asking.ask(ann, LIKE, product=product_id(mug))
    engine.drain()
    for ref in (pots[1], mug):
        answer = post_likes(like={"product": product_id(ref), "channel": world.channel.slug})
        assert answer.status_code == 200, answer.content
    assert [one["product"] for one in answer.json()["likes"]] == [mug.product_id, pots[1].product_id]
    engine.drain()
    assert Contact.objects.count() == 2  # a nameless one beside Ann's

    asking.ask(ann, IDENTIFY, visitor=VISITOR)
    engine.drain()
    engine.drain()

    assert [node["productId"] for node in lists_of(ann)[""]] == [product_id(pots[1]), product_id(mug)]
    assert post_likes().json() == {"likes": []}
    (contact,) = Contact.objects.all()
    assert Interest.objects.filter(contact=contact, liked_at__isnull=False).count() == 2
    assert not OwnLike.objects.exclude(visitor_id="").exists()


def test_the_price_that_the_guest_saw_is_the_one_to_compare_with(
    ann: ApiClient, world: SaleorWorld, mug: ProductRef
) -> None:
    post_likes(like={"product": mug.product_id})
    engine.drain()
    asking.set_price(asking.staff("manage_products"), mug.variant_id, world.channel.pk, "60")
    engine.saleor_computes_prices()

    asking.ask(ann, IDENTIFY, visitor=VISITOR)
    engine.drain()
    engine.drain()

    (node,) = lists_of(ann)[""]
    assert (node["priceThen"]["amount"], node["priceNow"]["amount"]) == (80.0, 60.0)
    assert Interest.objects.get().baseline_price == 80


def test_a_guest_likes_nothing_that_no_shopper_sees(world: SaleorWorld, mug: ProductRef) -> None:
    world.unpublish(mug)

    answers = [post_likes(like={"product": mug.product_id}), post_likes(like={"product": "900000"})]

    assert [(answer.status_code, answer.json()["field"]) for answer in answers] == [(422, "like.product")] * 2
    assert not OwnLike.objects.exists()
    assert not Inbox.objects.exists()


# Merchants


def test_merchants_see_what_is_liked_and_what_a_drop_would_set_off(
    ann: ApiClient, ben: ApiClient, world: SaleorWorld, mug: ProductRef, pots: list[ProductRef]
) -> None:
    for client in (ann, ben):
        asking.ask(client, LIKE, product=product_id(mug))
    asking.ask(ann, LIKE, product=product_id(pots[0]))
    engine.drain()
    manager, viewer = asking.staff("manage_crm"), asking.staff("view_crm", email="viewer@example.com")
    definition = {
        "trigger": {"type": "price_drop", "min_percent": 20},
        "steps": [{"type": "wait", "id": "pause", "seconds": 60}],
    }
    made = asking.ask(manager, CAMPAIGN, input={"name": "Drops", "definition": definition})["campaign"]
    asking.ask(manager, PUBLISH, id=made["id"])

    most = asking.ask(viewer, MOST)
    small, large = (asking.ask(viewer, FORECAST, product=product_id(mug), percent=rate) for rate in (10, 25))
    assert not Enrollment.objects.exists()

    assert [(one["product"]["name"], one["likedNow"], one["isSoldOut"]) for one in most] == [
        ("Blue Mug", 2, False),
        ("Pot", 1, False),
    ]
    assert (small["likersCount"], small["campaigns"][0]["peopleCount"]) == (2, 0)
    assert large["campaigns"] == [{"campaign": {"name": "Drops"}, "peopleCount": 2}]
    price = str(large["prices"][0]["newPrice"]["amount"])
    asking.set_price(asking.staff("manage_products", email="p@example.com"), mug.variant_id, world.channel.pk, price)
    engine.saleor_computes_prices()
    engine.run()
    assert Enrollment.objects.count() == 2


@pytest.mark.parametrize("query", [MOST, FORECAST])
def test_only_who_may_look_sees_what_others_like(query: str, ann: ApiClient, mug: ProductRef) -> None:
    callers = [asking.anybody(), ann, asking.staff("manage_products"), asking.app("manage_products")]
    variables = {"product": product_id(mug), "percent": 10} if query == FORECAST else {}

    assert [codes(asking.post(caller, query, **variables)) for caller in callers] == [["PermissionDenied"]] * 4


# The port


def test_a_first_load_reads_customers_likes_and_no_guests(
    crm: Any, ann: ApiClient, mug: ProductRef, pots: list[ProductRef]
) -> None:
    asking.ask(ann, LIKE, product=product_id(mug), wishlist=make_list(ann, "Party")["id"])
    post_likes(like={"product": pots[1].product_id})

    page = crm.changed_since("likes", FIRST, limit=10)

    told = Inbox.objects.get(kind=FactKind.LIKED, customer_id=str(ann.user.pk))
    assert [(fact.source_key, fact.product_id) for fact in page.facts] == [(told.source_key, mug.product_id)]


def test_no_list_of_a_deleted_account_is_left(ann: ApiClient, ben: ApiClient, mug: ProductRef) -> None:
    key = make_list(ann, "Party", isPublic=True)["key"]
    for client in (ann, ben):
        asking.ask(client, LIKE, product=product_id(mug))
    engine.drain()
    manager = asking.staff("manage_users")

    asking.ask(
        manager,
        "mutation($id: ID!) { customerDelete(id: $id) { errors { field code message } } }",
        id=gid("User", ann.user.pk),
    )
    engine.drain()

    assert asking.ask(asking.anybody(), SHARED, key=key) is None
    assert not OwnWishlist.objects.exists()
    assert [like.ref.product_id for like in activity.own_likes(str(ben.user.pk))] == [mug.product_id]
    assert OwnLike.objects.count() == 1
