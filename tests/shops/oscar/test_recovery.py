"""The link in a reminder: who gets which basket by it, and what merely looking at it changes."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.core.signing import Signer
from django.test import Client
from django.urls import reverse
from oscar.core.loading import get_model

from crm_plugin import clock
from crm_plugin.ids import sign
from crm_plugin.models import Inbox
from crm_plugin.shop import ProductRef
from crm_plugin.shops.oscar import site
from tests.shops.oscar.world import OscarWorld, User

Basket = get_model("basket", "Basket")
Line = get_model("basket", "Line")
COOKIE = settings.OSCAR_BASKET_COOKIE_OPEN


@pytest.fixture
def refs(world: OscarWorld) -> list[ProductRef]:
    return [world.make_product(prices=[Decimal(10)], stocks=[9], name=name)[0] for name in ("Celadon bowl", "Moon jar")]


def link(world: OscarWorld, cart_ref: str) -> str:
    """The path of the link that a reminder about this basket has."""
    url = world.shop.carts([cart_ref])[cart_ref].recovery_url
    assert url.startswith(site.url())
    return urlsplit(url).path


def basket_page(client: Client) -> str:
    return client.get(reverse("basket:summary")).content.decode()


def baskets() -> list[tuple[Any, ...]]:
    lines = [tuple(row) for row in Line.objects.order_by("pk").values_list("basket", "product", "quantity")]
    return [*Basket.objects.order_by("pk").values_list("pk", "owner", "status"), *lines]


def a_guests_basket(client: Client, ref: ProductRef) -> str:
    """Let this browser put the product into a basket of its own."""
    client.post(reverse("basket:add", kwargs={"pk": ref.variant_id}), {"quantity": 1})
    return str(Signer().unsign(client.cookies[COOKIE].value))


def test_a_guest_gets_the_basket_back_on_another_device(world: OscarWorld, refs: list[ProductRef]) -> None:
    cart_ref = world.make_cart([(refs[0], 2)])
    phone = Client()

    response = phone.get(link(world, cart_ref))

    assert (response.status_code, response["Location"]) == (302, reverse("basket:summary"))
    assert "Celadon bowl" in basket_page(phone)


def test_looking_at_the_link_changes_no_basket_and_tells_nothing(world: OscarWorld, refs: list[ProductRef]) -> None:
    cart_ref = world.make_cart([(refs[0], 2)])
    path = link(world, cart_ref)
    before, _told = baskets(), Inbox.objects.all().delete()

    for _ in range(2):
        Client().get(path)
        response = Client().head(path)

    assert COOKIE not in response.cookies
    assert baskets() == before
    assert not Inbox.objects.exists()


def test_a_browser_with_a_basket_of_its_own_keeps_it_and_gets_the_other(
    world: OscarWorld, refs: list[ProductRef], client: Client
) -> None:
    cart_ref = world.make_cart([(refs[0], 1)])
    own = a_guests_basket(client, refs[1])

    for path in (link(world, cart_ref), link(world, own)):
        client.get(path)

    page = basket_page(client)
    assert "Celadon bowl" in page
    assert "Moon jar" in page
    assert str(Signer().unsign(client.cookies[COOKIE].value)) == own
    assert Basket.objects.get(pk=cart_ref).status == Basket.MERGED


def test_a_cookie_that_leads_nowhere_gives_way(world: OscarWorld, refs: list[ProductRef], client: Client) -> None:
    cart_ref = world.make_cart([(refs[0], 1)])
    client.cookies[COOKIE] = "forged"

    client.get(link(world, cart_ref))

    assert "Celadon bowl" in basket_page(client)


def test_who_is_signed_in_gets_the_guests_basket_into_their_own(
    world: OscarWorld, refs: list[ProductRef], client: Client
) -> None:
    cart_ref = world.make_cart([(refs[0], 1)])
    user = User.objects.get(pk=world.make_customer(email="ann@example.com"))
    client.force_login(user)

    client.get(link(world, cart_ref))

    assert "Celadon bowl" in basket_page(client)
    assert Line.objects.get(product_id=refs[0].variant_id).basket.owner == user


def test_the_owner_of_an_accounts_basket_sees_it_after_signing_in(
    world: OscarWorld, refs: list[ProductRef], client: Client
) -> None:
    customer_id = world.make_customer(email="ann@example.com")
    path = link(world, world.make_cart([(refs[0], 1)], customer_id=customer_id))

    asked = client.get(path)
    client.force_login(User.objects.get(pk=customer_id))
    shown = client.get(path)

    assert asked["Location"].startswith(reverse("customer:login"))
    assert "next=" in asked["Location"]
    assert COOKIE not in asked.cookies
    assert shown["Location"] == reverse("basket:summary")
    assert "Celadon bowl" in basket_page(client)


def test_a_stranger_never_gets_into_an_account(world: OscarWorld, refs: list[ProductRef]) -> None:
    path = link(world, world.make_cart([(refs[0], 1)], customer_id=world.make_customer(email="ann@example.com")))
    bob = User.objects.get(pk=world.make_customer(email="bob@example.com"))
    stranger, other = Client(), Client()
    other.force_login(bob)
    before = baskets()

    for browser in (stranger, other):
        response = browser.get(path)
        assert COOKIE not in response.cookies
        assert "sessionid" not in response.cookies
        assert "Celadon bowl" not in basket_page(browser)

    assert "_auth_user_id" not in stranger.session
    assert [row for row in baskets() if row in before] == before


@pytest.mark.parametrize(
    "spoil", [lambda token: token[:-2], lambda _token: sign("click", "1.20990101"), lambda _t: "1"]
)
def test_a_forged_link_is_not_found(world: OscarWorld, refs: list[ProductRef], client: Client, spoil: Any) -> None:
    token = link(world, world.make_cart([(refs[0], 1)])).rstrip("/").rpartition("/")[2]

    response = client.get(reverse("crm-cart", args=[spoil(token)]))

    assert response.status_code == 404
    assert COOKIE not in response.cookies


@pytest.mark.parametrize(("days", "cookies"), [(30, {COOKIE}), (31, set())])
def test_a_link_holds_for_thirty_days(
    world: OscarWorld, refs: list[ProductRef], client: Client, days: int, cookies: set[str]
) -> None:
    path = link(world, world.make_cart([(refs[0], 1)]))

    with clock.travel(by=timedelta(days=days)):
        response = client.get(path)

    assert response["Location"] == reverse("basket:summary")
    assert set(response.cookies) & {COOKIE} == cookies


def test_a_basket_that_became_an_order_or_is_gone_is_not_given(
    world: OscarWorld, refs: list[ProductRef], client: Client
) -> None:
    bought, gone = world.make_cart([(refs[0], 1)]), world.make_cart([(refs[1], 1)])
    paths = [link(world, cart_ref) for cart_ref in (bought, gone)]
    world.place_order([], email="guest@example.com", cart_ref=bought)
    Basket.objects.get(pk=gone).delete()

    for path in paths:
        response = client.get(path)

        assert response["Location"] == reverse("basket:summary")
        assert COOKIE not in response.cookies


def test_the_link_is_the_same_all_day(world: OscarWorld, refs: list[ProductRef]) -> None:
    cart_ref = world.make_cart([(refs[0], 1)])

    with clock.travel(to=clock.now().replace(hour=1)):
        first = link(world, cart_ref)
    with clock.travel(to=clock.now().replace(hour=23)):
        assert link(world, cart_ref) == first


def test_nothing_is_given_while_the_crm_is_off(
    world: OscarWorld, refs: list[ProductRef], client: Client, settings: Any
) -> None:
    path = link(world, world.make_cart([(refs[0], 1)]))
    settings.CRM_ENABLED = False

    assert COOKIE not in client.get(path).cookies


def test_where_the_addresses_are_not_mounted_owners_are_led_to_their_basket(
    world: OscarWorld, refs: list[ProductRef], settings: Any
) -> None:
    settings.ROOT_URLCONF = "tests.shops.oscar.plain_urls"
    owned = world.make_cart([(refs[0], 1)], customer_id=world.make_customer(email="ann@example.com"))
    guests = world.make_cart([(refs[1], 1)])

    found = world.shop.carts([owned, guests])

    assert found[owned].recovery_url == site.url().removesuffix("/") + reverse("basket:summary")
    assert found[guests].recovery_url == ""
