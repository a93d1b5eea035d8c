"""The API inside a real Oscar shop: its sessions, its permissions, its wishlists."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Permission as DjangoPermission
from django.test import Client
from oscar.core.compat import get_user_model
from oscar.core.loading import get_model

from crm_plugin import ids, shop
from crm_plugin.activity.models import Inbox
from tests.shops.oscar.world import PASSWORD, OscarWorld

pytestmark = pytest.mark.django_db

URL = "/crm/graphql/"
LIKE = "mutation($id: ID!) { crmProductLike(productId: $id) { isLiked errors { field code } } }"
CAMPAIGNS = "{ crmCampaigns(first: 1) { edges { cursor } } }"

Post = Callable[..., Any]


@pytest.fixture
def world() -> OscarWorld:
    """An empty Oscar shop."""
    return OscarWorld()


@pytest.fixture
def browser(world: OscarWorld) -> Callable[..., Post]:
    """Sign somebody in and return how their browser posts."""

    def sign_in(*, is_staff: bool = False, permission: str = "") -> Post:
        key = world.make_customer(email="ann@example.com")
        user = get_user_model().objects.get(pk=key)
        user.is_staff = is_staff
        user.save()
        if permission:
            user.user_permissions.add(DjangoPermission.objects.get(codename=permission))
        client = Client(enforce_csrf_checks=True)
        assert client.login(username="ann@example.com", password=PASSWORD)
        client.cookies["csrftoken"] = "t" * 32

        def post(query: str, *, token: str = "t" * 32, **variables: Any) -> Any:
            body = json.dumps({"query": query, "variables": variables})
            return client.post(URL, body, content_type="application/json", headers={"X-CSRFToken": token})

        return post

    return sign_in


def test_a_shopper_likes_a_product_and_it_is_on_oscars_wishlist(
    world: OscarWorld, browser: Callable[..., Post]
) -> None:
    (ref,) = world.make_product(prices=[Decimal(10)], stocks=[5], name="Tea")
    post = browser()

    liked = post(LIKE, id=ids.to_global("Product", ref.product_id)).json()
    listed = post("{ crmMe { email likes(first: 5) { edges { node { productId channel } } } } }").json()

    assert liked == {"data": {"crmProductLike": {"isLiked": True, "errors": []}}}
    node = {"productId": ids.to_global("Product", ref.product_id), "channel": shop.current().channels()[0].slug}
    assert listed["data"]["crmMe"] == {"email": "ann@example.com", "likes": {"edges": [{"node": node}]}}
    assert get_model("wishlists", "Line").objects.get().product_id == int(ref.product_id)
    assert Inbox.objects.filter(kind="liked", product_id=ref.product_id).count() == 1


@pytest.mark.parametrize("key", ["404", "x", "99999999999999999999", "1; drop"])
def test_what_oscar_does_not_know_is_not_found(browser: Callable[..., Post], key: str) -> None:
    answer = browser()(LIKE, id=ids.to_global("Product", key)).json()

    assert answer["data"]["crmProductLike"] == {
        "isLiked": None,
        "errors": [{"field": "productId", "code": "NOT_FOUND"}],
    }
    assert not Inbox.objects.filter(kind="liked").exists()


@pytest.mark.parametrize(
    ("caller", "codes"),
    [
        ({}, ["PermissionDenied"]),
        ({"is_staff": True}, ["PermissionDenied"]),
        ({"is_staff": True, "permission": "view_crm"}, []),
        ({"is_staff": True, "permission": "manage_crm"}, []),
    ],
)
def test_oscars_permissions_decide(browser: Callable[..., Post], caller: dict[str, Any], codes: list[str]) -> None:
    answer = browser(**caller)(CAMPAIGNS).json()

    assert [error["extensions"]["exception"]["code"] for error in answer.get("errors", [])] == codes


def test_a_visitor_is_refused(client: Client, world: OscarWorld) -> None:
    answer = client.post(URL, json.dumps({"query": CAMPAIGNS}), content_type="application/json").json()

    assert answer["errors"][0]["message"] == "Sign in first."


def test_a_post_from_elsewhere_is_refused(world: OscarWorld, browser: Callable[..., Post]) -> None:
    (ref,) = world.make_product(prices=[Decimal(10)], stocks=[5], name="Tea")

    response = browser()(LIKE, token="", id=ids.to_global("Product", ref.product_id))

    assert response.status_code == 403
    assert not get_model("wishlists", "Line").objects.exists()
