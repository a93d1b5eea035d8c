"""What people do in a real Oscar storefront, through its own views, is told once each."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from oscar.core.loading import get_model

from crm_plugin.models import Inbox
from crm_plugin.shop import FactKind, ProductRef
from tests.shops.oscar.world import PASSWORD, OscarWorld, User

Told = Callable[..., list[Inbox]]
Basket = get_model("basket", "Basket")
Country = get_model("address", "Country")
Order = get_model("order", "Order")
Product = get_model("catalogue", "Product")


@pytest.fixture
def ref(world: OscarWorld) -> ProductRef:
    return world.make_product(prices=[Decimal("48.00")], stocks=[20], name="Celadon bowl")[0]


@pytest.fixture
def ann(world: OscarWorld) -> Any:
    return User.objects.get(pk=world.make_customer(email="ann@example.com", first_name="Ann"))


@pytest.fixture
def shopper(ann: Any, client: Client, told: Told) -> Client:
    """Ann's browser, signed in; what that told is forgotten."""
    client.force_login(ann)
    told()
    return client


def kinds(rows: list[Inbox]) -> list[str]:
    return [row.kind for row in rows]


def add_to_basket(browser: Client, ref: ProductRef) -> None:
    answer = browser.post(reverse("basket:add", kwargs={"pk": ref.product_id}), {"quantity": "1"})
    assert answer.status_code == 302


def test_a_registration_is_a_sign_up(world: OscarWorld, client: Client, told: Told) -> None:
    form = {
        "registration-email": "new@example.com",
        "registration-password1": PASSWORD,
        "registration-password2": PASSWORD,
        "registration_submit": "Register",
    }

    client.post(reverse("customer:register"), {name.removeprefix("registration-"): v for name, v in form.items()})

    user = User.objects.get(email="new@example.com")
    rows = told()
    assert sorted(kinds(rows)) == [FactKind.LOGGED_IN, FactKind.SIGNED_UP]
    (signed_up,) = (row for row in rows if row.kind == FactKind.SIGNED_UP)
    assert (signed_up.customer_id, signed_up.email) == (str(user.pk), "new@example.com")
    assert signed_up.source_key == f"customer:{user.pk}:signed_up"


def test_a_login_is_told_once_though_oscar_and_django_both_signal_it(ann: Any, client: Client, told: Told) -> None:
    form = {"login-username": "ann@example.com", "login-password": PASSWORD, "login_submit": "Log In"}

    client.post(reverse("customer:login"), form)

    (row,) = told()
    assert (row.kind, row.customer_id) == (FactKind.LOGGED_IN, str(ann.pk))


def test_a_viewed_product_is_told_of_a_customer(shopper: Client, ann: Any, ref: ProductRef, told: Told) -> None:
    told()

    shopper.get(Product.objects.get(pk=ref.product_id).get_absolute_url())

    (row,) = told()
    assert (row.kind, row.customer_id, row.product_id, row.variant_id) == (
        FactKind.VIEWED,
        str(ann.pk),
        ref.product_id,
        "",
    )


def test_what_an_anonymous_visitor_looks_at_leaves_no_row(client: Client, ref: ProductRef, told: Told) -> None:
    told()

    client.get(Product.objects.get(pk=ref.product_id).get_absolute_url())
    client.get(reverse("search:search"), {"q": "bowl"})

    assert told() == []


def test_a_search_is_told_with_its_words(shopper: Client, told: Told) -> None:
    shopper.get(reverse("search:search"), {"q": "  celadon bowl "})

    (row,) = told()
    assert (row.kind, row.subject) == (FactKind.SEARCHED, "celadon bowl")


def test_a_like_carries_the_price_that_was_seen(shopper: Client, ann: Any, ref: ProductRef, told: Told) -> None:
    told()

    shopper.post(reverse("customer:wishlists-add-product", kwargs={"product_pk": ref.product_id}))

    (row,) = told()
    assert (row.kind, row.customer_id, row.product_id) == (FactKind.LIKED, str(ann.pk), ref.product_id)
    assert (row.amount, row.currency) == (Decimal("48.00"), "EUR")


def test_a_liked_parent_carries_the_lowest_price_of_its_children(
    world: OscarWorld, shopper: Client, told: Told
) -> None:
    refs = world.make_product(prices=[Decimal(30), Decimal(20)], stocks=[3, 3], name="Throw")
    told()

    shopper.post(reverse("customer:wishlists-add-product", kwargs={"product_pk": refs[0].product_id}))

    (row,) = told()
    assert (row.product_id, row.variant_id, row.amount) == (refs[0].product_id, "", Decimal(20))


def test_a_product_taken_off_the_wishlist_is_unliked(shopper: Client, ann: Any, ref: ProductRef, told: Told) -> None:
    shopper.post(reverse("customer:wishlists-add-product", kwargs={"product_pk": ref.product_id}))
    key = ann.wishlists.get().key
    told()

    path = reverse("customer:wishlists-remove-product", kwargs={"key": key, "product_pk": ref.product_id})
    shopper.post(path)

    (row,) = told()
    assert (row.kind, row.product_id) == (FactKind.UNLIKED, ref.product_id)


def test_each_change_of_a_basket_is_told_with_the_cart(shopper: Client, ann: Any, ref: ProductRef, told: Told) -> None:
    told()

    add_to_basket(shopper, ref)
    add_to_basket(shopper, ref)
    Basket.objects.get(owner=ann).lines.get().delete()

    rows = told()
    assert kinds(rows) == [FactKind.CART_CHANGED] * 3
    assert {row.cart_ref for row in rows} == {str(Basket.objects.get(owner=ann).pk)}
    assert len({row.source_key for row in rows}) == 3


def test_a_visitors_basket_that_becomes_a_customers_is_told_of_the_customer(
    client: Client, ann: Any, ref: ProductRef, told: Told
) -> None:
    add_to_basket(client, ref)
    client.force_login(ann)
    told()

    client.get(reverse("basket:summary"))

    (row,) = told(kind=FactKind.CART_CHANGED)
    assert row.customer_id == str(ann.pk)


def test_a_guest_is_known_from_the_checkout_on_and_orders(
    world: OscarWorld, client: Client, ref: ProductRef, told: Told
) -> None:
    Country.objects.create(iso_3166_1_a2="KR", printable_name="Korea", name="Korea", is_shipping_country=True)
    add_to_basket(client, ref)
    told()

    client.post(reverse("checkout:index"), {"username": "guest@example.com", "options": "anonymous"})
    address = {"first_name": "G", "last_name": "H", "line1": "1 Way", "line4": "Seoul", "postcode": "03035"}
    client.post(reverse("checkout:shipping-address"), {**address, "country": "KR"})
    client.get(reverse("checkout:shipping-method"))
    answer = client.post(reverse("checkout:preview"), {"action": "place_order"})

    assert answer.headers["Location"] == reverse("checkout:thank-you")
    order = Order.objects.get()
    rows = {row.kind: row for row in told()}
    assert rows[FactKind.CHECKOUT_STARTED].email == "guest@example.com"
    assert rows[FactKind.CHECKOUT_STARTED].cart_ref == str(order.basket_id)
    ordered = rows[FactKind.ORDERED]
    assert (ordered.customer_id, ordered.email, ordered.order_ref) == ("", "guest@example.com", str(order.pk))
    assert ordered.source_key == f"order:{order.number}:placed"
    assert (ordered.amount, ordered.currency) == (order.total_incl_tax, "EUR")


def test_a_customer_who_starts_the_checkout_is_told(shopper: Client, ann: Any, ref: ProductRef, told: Told) -> None:
    add_to_basket(shopper, ref)
    told()

    shopper.get(reverse("checkout:index"))

    (row,) = told()
    assert (row.kind, row.customer_id) == (FactKind.CHECKOUT_STARTED, str(ann.pk))
    assert row.cart_ref == str(Basket.objects.get(owner=ann).pk)


def test_a_review_is_told_with_its_score(shopper: Client, ann: Any, ref: ProductRef, told: Told) -> None:
    told()
    product = Product.objects.get(pk=ref.product_id)
    path = reverse("catalogue:reviews-add", kwargs={"product_slug": product.slug, "product_pk": product.pk})

    shopper.post(path, {"title": "Lovely", "score": "5", "body": "Good glaze."})

    (row,) = told(kind=FactKind.REVIEWED)
    assert (row.customer_id, row.product_id, row.data) == (str(ann.pk), ref.product_id, {"score": 5})


def test_an_account_deleted_in_the_storefront_is_told_once(
    shopper: Client, ann: Any, ref: ProductRef, told: Told
) -> None:
    add_to_basket(shopper, ref)
    shopper.post(reverse("customer:wishlists-add-product", kwargs={"product_pk": ref.product_id}))
    told()

    shopper.post(reverse("customer:profile-delete"), {"password": PASSWORD})

    assert not User.objects.filter(pk=ann.pk).exists()
    (row,) = told()
    assert (row.kind, row.customer_id, row.email) == (FactKind.CUSTOMER_DELETED, str(ann.pk), "ann@example.com")


VISITOR = "v-0123456789_abcdefghi"


@pytest.fixture
def browser(client: Client) -> Client:
    """A browser whose owner agreed to being recognised: it has the cookie of our script."""
    client.cookies["crm_visitor"] = VISITOR
    return client


def test_what_a_recognised_browser_looks_at_and_searches_for_is_told(
    world: OscarWorld, browser: Client, ref: ProductRef, told: Told
) -> None:
    told()

    browser.get(Product.objects.get(pk=ref.product_id).get_absolute_url())
    browser.get(reverse("search:search"), {"q": "Bowl"})

    viewed, searched = told()
    assert (viewed.kind, viewed.visitor_id, viewed.customer_id, viewed.product_id) == (
        FactKind.VIEWED,
        VISITOR,
        "",
        ref.product_id,
    )
    assert (searched.kind, searched.visitor_id, searched.subject) == (FactKind.SEARCHED, VISITOR, "bowl")


@pytest.mark.parametrize(
    "cookie", ["", "short", "x" * 65, "has a space in it, ok", "ünïcödé-0123456789", "a'b;0123456789"]
)
def test_a_cookie_that_our_script_did_not_make_is_none(
    world: OscarWorld, client: Client, ref: ProductRef, told: Told, cookie: str
) -> None:
    told()
    client.cookies["crm_visitor"] = cookie

    client.get(Product.objects.get(pk=ref.product_id).get_absolute_url())

    assert told() == []


def test_who_signs_in_or_up_is_told_with_the_browser(ann: Any, browser: Client, told: Told) -> None:
    form = {"login-username": "ann@example.com", "login-password": PASSWORD, "login_submit": "Log In"}
    browser.post(reverse("customer:login"), form)
    browser.post(reverse("customer:logout"))
    browser.cookies["crm_visitor"] = VISITOR
    browser.post(
        reverse("customer:register"), {"email": "new@example.com", "password1": PASSWORD, "password2": PASSWORD}
    )

    rows = told()
    assert {row.kind for row in rows} == {FactKind.LOGGED_IN, FactKind.SIGNED_UP}
    assert {row.visitor_id for row in rows} == {VISITOR}


def test_a_guest_who_leaves_an_address_at_the_checkout_is_told_with_the_browser(
    world: OscarWorld, browser: Client, ref: ProductRef, told: Told
) -> None:
    add_to_basket(browser, ref)
    told()

    browser.post(reverse("checkout:index"), {"username": "guest@example.com", "options": "anonymous"})

    rows = [row for row in told() if row.kind == FactKind.CHECKOUT_STARTED]
    assert {row.visitor_id for row in rows} == {VISITOR}
    assert "guest@example.com" in {row.email for row in rows}
