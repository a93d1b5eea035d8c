"""A heart clicked in the storefront is a like in the CRM's API, for the person who clicked it and nobody else."""

from __future__ import annotations

from decimal import Decimal

import pytest

from crm_plugin import ids
from tests.shops.oscar.world import PASSWORD, OscarWorld

QUERY = "{ crmMe { email likes(first: 10) { edges { node { productId } } } } }"
ASK = """query => fetch("/crm/graphql/", {
    method: "POST",
    headers: {
        "Content-Type": "application/json",
        "X-CSRFToken": document.querySelector("[name=csrfmiddlewaretoken]").value,
    },
    body: JSON.stringify({query}),
    signal: AbortSignal.timeout(15_000),
}).then(answer => answer.json())"""


@pytest.fixture
def world(transactional_db) -> OscarWorld:
    """An empty Oscar shop whose rows the live server sees."""
    return OscarWorld()


def sign_in(page, email: str) -> None:
    page.locator("#id_login-username").fill(email)
    page.locator("#id_login-password").fill(PASSWORD)
    page.locator("[name=login_submit]").click()
    page.wait_for_url("**/")


def me(page) -> dict:
    answer = page.evaluate(ASK, QUERY)
    assert "errors" not in answer
    return {
        "email": answer["data"]["crmMe"]["email"],
        "likes": [edge["node"]["productId"] for edge in answer["data"]["crmMe"]["likes"]["edges"]],
    }


def test_a_like_in_the_storefront_is_a_like_in_the_api(live_server, world, open_page):
    product_id = world.make_product(prices=[Decimal("48.00")], stocks=[20], name="Celadon bowl")[0].product_id
    for email in ("ann@example.com", "ben@example.com"):
        world.make_customer(email=email)
    page, other = (open_page(f"{live_server.url}/accounts/login/") for _ in range(2))
    sign_in(page, "ann@example.com")
    sign_in(other, "ben@example.com")

    page.goto(f"{live_server.url}/catalogue/celadon-bowl_{product_id}/")
    page.get_by_role("button", name="Add to wish list").click()
    page.get_by_text("Celadon bowl").first.wait_for()
    page.goto(f"{live_server.url}/catalogue/")

    assert me(page) == {"email": "ann@example.com", "likes": [ids.to_global("Product", product_id)]}
    other.goto(f"{live_server.url}/catalogue/")
    assert me(other) == {"email": "ben@example.com", "likes": []}
