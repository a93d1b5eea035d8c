"""Asking to be told of stock without an account: nothing is promised but by the button behind the link of one mail."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.test import Client

from crm_plugin import activity, clock, contacts, ids, pipeline
from crm_plugin.activity import waiting
from crm_plugin.http.wording import wording
from crm_plugin.merchant import Merchant
from crm_plugin.models import Contact, Failure, Message, StockRequest
from demo.services.mailsink import MailSink
from tests.fake_catalogue import FakeProduct
from tests.fake_shop import FakeShop
from tests.http.collecting import CHROME, ORIGIN

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("us")]

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SUBSCRIBE = "/crm/stock/subscribe/"
ANN = "ann@example.com"


@pytest.fixture
def mug(fake_shop: FakeShop) -> FakeProduct:
    """A product that is sold out."""
    return fake_shop.add_product(stock=0, name="Mug", names={"ko": "머그잔"})


def post(body: Any, **headers: Any) -> Any:
    """Send a form as a page of the storefront does; a header that is None is left out."""
    meta = {"HTTP_ORIGIN": ORIGIN, "HTTP_USER_AGENT": CHROME, "CONTENT_TYPE": "application/json", **headers}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    told = {name: value for name, value in meta.items() if value is not None}
    return Client().generic("POST", SUBSCRIBE, content, **told)


def form(product: FakeProduct, /, **changes: Any) -> dict[str, Any]:
    return {"email": ANN, "product": product.product_id, "variant": product.variant_id, "channel": "default"} | changes


def link(kind: str = "confirm") -> str:
    """The address in the newest mail, below the address at which the test project mounts it."""
    data = Message.objects.latest("pk").data
    url: str = data["url" if kind == "confirm" else "cancel_url"]
    return "/crm/" + url.removeprefix("https://shop.example/crm/")


def visit(url: str, method: str = "get", **headers: str) -> Any:
    """Follow a link as somebody without a session does."""
    client = Client(enforce_csrf_checks=True, headers={"User-Agent": CHROME, **headers})
    return getattr(client, method)(url)


def in_line() -> int:
    return StockRequest.objects.filter(state="waiting").count()


def test_the_way_from_the_form_over_the_mail_into_the_line(mug: FakeProduct, smtp: MailSink) -> None:
    with clock.travel(to=NOON):
        answer = post(form(mug))
        pipeline.deliver()
        (letter,) = smtp.letters_to(ANN)
        shown = visit(link())
        before = in_line()
        done = visit(link(), "post")

    assert (answer.status_code, answer.json()) == (202, {"is_available": False})
    assert answer["Access-Control-Allow-Origin"] == ORIGIN
    assert "“Mug”" in letter.text
    leads_to = [visit(f"/crm/click/{token}/")["Location"] for token in re.findall(r"/click/([^/\s]+)/", letter.text)]
    assert [url.partition("/crm/")[2].rpartition("/")[0].rpartition("/")[0] for url in leads_to] == [
        "stock/confirm",
        "stock/cancel",
    ]
    assert (shown.status_code, before) == (200, 0)
    assert re.search(r'<form method="post" action="\?">', shown.content.decode())
    assert (done.status_code, done.cookies, in_line()) == (200, {}, 1)
    assert "We will tell you" in done.content.decode()
    assert [str(one.ref.variant_id) for one in activity.awaited_by(Contact.objects.get(email=ANN).pk)] == [
        mug.variant_id
    ]


def test_relay_ids_and_no_channel_are_fine(mug: FakeProduct) -> None:
    names = {
        "product": ids.to_global("Product", mug.product_id),
        "variant": ids.to_global("ProductVariant", mug.variant_id),
    }
    body = form(mug, **names)
    del body["channel"]

    assert post(body).status_code == 202
    assert StockRequest.objects.values_list("variant_id", "shop_channel", "state").get() == (
        mug.variant_id,
        "default",
        "unconfirmed",
    )


@pytest.mark.parametrize("method", ["get", "head"])
@pytest.mark.parametrize("kind", ["confirm", "cancel"])
def test_reading_a_page_changes_nothing(mug: FakeProduct, method: str, kind: str) -> None:
    post(form(mug))

    assert visit(link(kind), method).status_code == 200
    assert StockRequest.objects.get().state == "unconfirmed"


def test_one_mail_for_each_address_and_variant_and_five_in_a_day(fake_shop: FakeShop, mug: FakeProduct) -> None:
    with clock.travel(to=NOON):
        answers = [post(form(mug, email=email)) for email in (ANN, " Ann@Example.com ", ANN)]
        mails = Message.objects.count()
    with clock.travel(to=NOON + timedelta(minutes=2)):
        answers += [post(form(fake_shop.add_product(stock=0)), REMOTE_ADDR=f"10.0.0.{n}") for n in range(6)]

    assert {(one.status_code, one.content) for one in answers} == {(202, b'{"is_available": false}')}
    assert (mails, Message.objects.count()) == (1, 5)


def test_what_is_there_is_said_and_nothing_is_kept(fake_shop: FakeShop) -> None:
    product = fake_shop.add_product(stock=3)

    answer = post(form(product))

    assert (answer.status_code, answer.json()) == (202, {"is_available": True})
    assert not StockRequest.objects.exists()
    assert not Contact.objects.exists()
    assert not Message.objects.exists()


def test_a_blocked_address_gets_nothing_and_nobody_hears_that_it_is_blocked(mug: FakeProduct) -> None:
    contacts.suppress(ANN, channel="email", reason="complaint")

    answer = post(form(mug))

    assert (answer.status_code, answer.json()) == (202, {"is_available": False})
    assert not StockRequest.objects.exists()
    assert not Contact.objects.exists()
    assert not Message.objects.exists()


def test_nobody_hears_that_somebody_waits_already_or_for_too_much(
    mug: FakeProduct, fake_shop: FakeShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    contact = contacts.get_or_create(contacts.Person(email=ANN))
    activity.ask_for_stock(contact.pk, mug.ref)
    monkeypatch.setattr(waiting, "MOST_REQUESTS", 1)

    answers = [post(form(mug)), post(form(fake_shop.add_product(stock=0)))]

    assert {(one.status_code, one.content) for one in answers} == {(202, b'{"is_available": false}')}
    assert StockRequest.objects.count() == 1
    assert not Message.objects.exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"email": "nobody"}, "email"),
        ({"email": 5}, "email"),
        ({"product": "a b"}, "product"),
        ({"variant": ids.to_global("Product", 1)}, "variant"),
        ({"variant": "999999"}, "variant"),
        ({"channel": "moon"}, "channel"),
        ({"name": "Ann"}, "name"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(mug: FakeProduct, changes: dict[str, Any], field: str) -> None:
    answer = post(form(mug, **changes))

    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert not StockRequest.objects.exists()
    assert not Failure.objects.exists()


def test_what_is_no_form_is_refused(mug: FakeProduct) -> None:
    assert post(b"{").status_code == 400
    assert post(b" " * 5_000).status_code == 413
    assert post(form(mug), HTTP_ORIGIN="https://evil.example").status_code == 403
    assert post(form(mug), CONTENT_TYPE="application/x-www-form-urlencoded").status_code == 415
    assert Client().get(SUBSCRIBE).status_code == 405
    assert not StockRequest.objects.exists()


def test_a_robot_asks_for_nothing(mug: FakeProduct) -> None:
    assert post(form(mug), HTTP_USER_AGENT="Googlebot/2.1").status_code == 202
    assert not StockRequest.objects.exists()


def test_one_client_asks_so_often_at_most(mug: FakeProduct) -> None:
    with clock.travel(to=NOON):
        found = [post(form(mug, email=f"p{number}@example.com")).status_code for number in range(12)]

    assert found[0] == 202
    assert found[-1] == 429


def test_when_something_is_away_the_page_is_told_to_come_again(mug: FakeProduct) -> None:
    with patch.object(activity, "ask_unconfirmed", side_effect=RuntimeError("away")):
        answer = post(form(mug))

    assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
    assert Failure.objects.values_list("door", "count").get() == ("http.stock", 1)
    assert not Message.objects.exists()


def test_the_request_is_taken_back_by_the_other_link_at_any_time(mug: FakeProduct) -> None:
    with clock.travel(to=NOON):
        post(form(mug))
        visit(link(), "post")
    with clock.travel(to=NOON + timedelta(days=100)):
        page, done, again = visit(link("cancel")), visit(link("cancel"), "post"), visit(link("cancel"))

    assert "Take the request back?" in page.content.decode()
    assert [("Nothing will be sent" in one.content.decode(), b"<form" in one.content) for one in (done, again)] == [
        (True, False),
        (True, False),
    ]
    assert in_line() == 0


@pytest.mark.parametrize(
    ("days", "stock", "said"),
    [(8, 0, "This link has expired"), (1, 4, "You can order it now"), (1, 0, "We will tell you")],
)
def test_the_link_holds_for_a_week_and_says_when_it_is_there_by_now(
    fake_shop: FakeShop, mug: FakeProduct, days: int, stock: int, said: str
) -> None:
    with clock.travel(to=NOON):
        post(form(mug))
    fake_shop.set_stock(mug.ref, stock)
    with clock.travel(to=NOON + timedelta(days=days)):
        page = visit(link(), "post").content.decode()

    assert said in page
    assert in_line() == (said == "We will tell you")


def test_a_link_of_another_purpose_or_a_forged_one_is_not_found(mug: FakeProduct) -> None:
    post(form(mug))
    token = link("cancel").rstrip("/").rpartition("/")[2]

    for forged in (f"/crm/stock/confirm/{token}/", "/crm/stock/confirm/1:x/", f"/crm/stock/cancel/{'1' * 200}/"):
        assert visit(forged, "post").status_code == 404

    assert in_line() == 0


def test_a_link_of_what_was_deleted_says_that_there_is_nothing(mug: FakeProduct) -> None:
    post(form(mug))
    url = link()
    StockRequest.objects.all().delete()

    answer = visit(url, "post")

    assert (answer.status_code, "nothing to confirm" in answer.content.decode()) == (200, True)


def test_the_pages_are_in_the_readers_language_with_the_products_name(mug: FakeProduct, us: Merchant) -> None:
    post(form(mug))
    Contact.objects.update(language="ko")

    page = visit(link()).content.decode()

    assert '<html lang="ko">' in page
    assert "머그잔" in page
    assert wording("ko").stock.confirm.button in page


def test_the_name_of_a_product_is_no_markup(fake_shop: FakeShop) -> None:
    product = fake_shop.add_product(stock=0, name="<b>{sender}</b>")
    post(form(product))

    page = visit(link()).content.decode()

    assert "&lt;b&gt;{sender}&lt;/b&gt;" in page


def test_housekeeping_deletes_what_nobody_confirmed(mug: FakeProduct, make_contact: Callable[..., Contact]) -> None:
    with clock.travel(to=NOON):
        post(form(mug))
    with clock.travel(to=NOON + timedelta(days=8)):
        pipeline.housekeep()

    assert not StockRequest.objects.exists()


def test_nothing_is_served_while_the_crm_is_off(fake_shop: FakeShop, mug: FakeProduct) -> None:
    post(form(mug))
    url = link()
    fake_shop.is_enabled = False

    assert (post(form(mug)).status_code, visit(url, "post").status_code) == (404, 404)
    assert in_line() == 0
