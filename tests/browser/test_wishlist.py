"""A heart clicked in the storefront is a like in the CRM's API, for the person who clicked it and nobody else."""

from __future__ import annotations

from decimal import Decimal

import pytest

from crm_plugin import ids, pipeline
from crm_plugin.http import shopfront
from crm_plugin.models import OwnLike
from tests.http.collecting import CHROME
from tests.shops.oscar.world import PASSWORD, OscarWorld

#: Without this, a browser that runs without a window says so, and has no list.
CHROMIUM_ARGUMENTS = (f"--user-agent={CHROME}",)
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


# Before they sign in: the script keeps a list for the browser


@pytest.fixture
def bowl(world) -> str:
    return world.make_product(prices=[Decimal("48.00")], stocks=[20], name="Celadon bowl")[0].product_id


@pytest.fixture
def own_origin(live_server, settings):
    """The live server's pages may tell it something."""
    settings.CRM_COLLECT_ORIGINS = (live_server.url,)
    shopfront.forget()
    yield
    shopfront.forget()


def names(found) -> list[str]:
    return [one["product"] for one in found]


@pytest.mark.usefixtures("own_origin")
def test_without_consent_there_is_no_list_and_no_request(live_server, bowl, open_page):
    page = open_page(f"{live_server.url}/catalogue/")
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "/likes/" in request.url else None)

    found = page.evaluate(f"async () => [await crm.like('{bowl}'), await crm.likes(), await crm.unlike('{bowl}')]")

    assert (found, asked) == ([None, None, None], [])
    assert not OwnLike.objects.exists()


@pytest.mark.usefixtures("own_origin")
def test_a_guest_keeps_a_list_across_pages_and_finds_it_after_signing_in(live_server, world, bowl, open_page):
    world.make_customer(email="ann@example.com")
    page = open_page(f"{live_server.url}/catalogue/")
    page.evaluate("crm.consent(true)")

    liked = page.evaluate(f"crm.like('{bowl}')")
    page.goto(f"{live_server.url}/")
    again = page.evaluate("crm.likes()")
    assert names(liked) == names(again) == [bowl]
    assert OwnLike.objects.get().visitor_id == page.evaluate("crm.visitorId()")
    pipeline.pump()

    page.goto(f"{live_server.url}/accounts/login/")
    sign_in(page, "ann@example.com")
    pipeline.pump()

    page.goto(f"{live_server.url}/catalogue/")
    assert me(page) == {"email": "ann@example.com", "likes": [ids.to_global("Product", bowl)]}
    assert page.evaluate("crm.likes()") == []


@pytest.mark.usefixtures("own_origin")
def test_what_is_refused_is_null_and_the_page_goes_on(live_server, bowl, open_page):
    page = open_page(f"{live_server.url}/catalogue/")
    page.evaluate("crm.consent(true)")

    unknown = page.evaluate("crm.like('999999')")
    wrong = page.evaluate("async () => [await crm.like(), await crm.like('1', null), await crm.push(['like', '1; x'])]")
    page.context.set_offline(True)
    offline = page.evaluate(f"crm.like('{bowl}')")
    page.context.set_offline(False)
    liked = page.evaluate(f"crm.push(['like', '{bowl}'])")
    gone = page.evaluate(f"crm.unlike('{bowl}')")

    assert (unknown, wrong, offline) == (None, [None, None, None], None)
    assert (names(liked), gone) == ([bowl], [])
