"""Whatever is wrong with a request: a clear error, and nothing stored."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from django.test import Client

from crm_plugin import clock, ids
from crm_plugin.http import shopfront
from crm_plugin.models import Failure, Inbox
from tests.http.collecting import NOW, ORIGIN, URL, batch, event, post, view

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fake_shop")]

DAY = 86_400_000
NOON = datetime(2027, 5, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _nothing_stored():
    yield
    assert not Inbox.objects.exists()
    assert not Failure.objects.exists()


def with_wrong(wrong: dict) -> dict:
    """Return a batch of good events, the fourth replaced."""
    return batch(*(view(number) for number in range(3)), wrong, view(4))


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (event("purchase"), "kind"),
        ({"id": "event-0003", "at": NOW}, "kind"),
        (event(["visit"]), "kind"),
        ("visit", ""),
        (event("product_view"), "product"),
        (view(product=12), "product"),
        (view(product=None), "product"),
        (view(product=""), "product"),
        (view(product="x" * 65), "product"),
        (view(product="1; DROP TABLE"), "product"),
        (view(product=ids.to_global("Order", 12)), "product"),
        (view(product=ids.to_global("Product", "a b")), "product"),
        (view(variant=ids.to_global("Product", 12)), "variant"),
        (view(price=3), "price"),
        (view(at=str(NOW)), "at"),
        (view(at=NOW + 0.5), "at"),
        (view(at=True), "at"),
        (view(at=-1), "at"),
        (view(at=10**30), "at"),
        (view(id="short"), "id"),
        (view(id="x" * 41), "id"),
        (view(id="with space"), "id"),
        (event("group_view", group="brand:3"), "group"),
        (event("group_view", group="category:"), "group"),
        (event("group_view", group=ids.to_global("Product", 12)), "group"),
        (event("search", words=""), "words"),
        (event("search", words="   "), "words"),
        (event("search", words="x" * 201), "words"),
        (event("search", words="a\x00b"), "words"),
        (event("cart_add", product="12", quantity=0), "quantity"),
        (event("cart_add", product="12", quantity=2.5), "quantity"),
        (event("cart_add", product="12", quantity="2"), "quantity"),
        (event("cart_add", product="12", quantity=10**9), "quantity"),
        (event("cart_add", product="12", cart="77"), "cart"),
        (event("custom", name="Bad Name"), "name"),
        (event("custom", name="x" * 41), "name"),
        (event("form", name="Bad Name"), "name"),
        (event("custom", name="quiz", properties=[1]), "properties"),
        (event("custom", name="quiz", properties={"a": {"b": 1}}), "properties.a"),
        (event("custom", name="quiz", properties={"a": [1]}), "properties.a"),
        (event("custom", name="quiz", properties={"a": None}), "properties.a"),
        (event("custom", name="quiz", properties={"a": "\x00"}), "properties.a"),
        (event("custom", name="quiz", properties={"a": 2**53}), "properties.a"),
        (event("custom", name="quiz", properties={"a b": 1}), "properties.a b"),
        (event("custom", name="quiz", properties={f"k{n}": n for n in range(21)}), "properties"),
        (event("custom", name="quiz", properties={"a": "가" * 700}), "properties"),
        (event("identify", email="nobody"), "email"),
        (event("identify", email=f"{'x' * 250}@example.com"), "email"),
        (event("identify", email="\u212aim@example.com"), "email"),
        (event("visit", url="/relative"), "url"),
        (event("visit", url="javascript:alert(1)"), "url"),
        (event("visit", url="https://shop.example/" + "x" * 2_000), "url"),
        (event("visit", url="https://shop.example/", referrer="x" * 2_001), "referrer"),
    ],
)  # fmt: skip
def test_one_wrong_event_refuses_the_batch_and_is_named(wrong, field):
    answer = post(with_wrong(wrong))

    assert answer.status_code == 422
    assert answer.json()["field"] == f"events.3.{field}".rstrip(".")
    assert answer.json()["error"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], ""),
        ("text", ""),
        (None, ""),
        (17, ""),
        ({}, "visitor"),
        (batch(), "events"),
        (batch(view(), events={"0": view()}), "events"),
        (batch(*(view(n) for n in range(51))), "events"),
        (batch(view(), visitor="short"), "visitor"),
        (batch(view(), visitor="x" * 23), "visitor"),
        (batch(view(), visitor="'; DROP TABLE visit;--"), "visitor"),
        (batch(view(), consent="yes"), "consent"),
        (batch(view(), consent=1), "consent"),
        (batch(view(), sent_at="now"), "sent_at"),
        (batch(view(), channel="moon"), "channel"),
        (batch(view(), channel="x" * 65), "channel"),
        (batch(view(), channel=None), "channel"),
        (batch(view(), contact_id=1), "contact_id"),
    ],
)
def test_a_wrong_batch_is_refused_with_the_field(body, field):
    answer = post(body)

    assert (answer.status_code, answer.json()["field"]) == (422, field)


@pytest.mark.parametrize(
    ("at", "sent_at"),
    [
        (NOW + 6 * 60_000, NOW),
        (NOW + 400 * DAY, NOW),
        (NOW - DAY - 60_000, NOW),
        (NOW - 3_000 * DAY, NOW),
        (0, NOW),
        (NOW, 0),
        (2**53 - 1, 0),
        (0, 2**53 - 1),
    ],
)
def test_an_event_from_the_future_or_from_long_ago_is_refused(at, sent_at):
    answer = post(batch(view(at=sent_at), view(1, at=at), sent_at=sent_at))

    assert (answer.status_code, answer.json()["field"]) == (422, "events.1.at")


@pytest.mark.parametrize(
    "body",
    [
        b" ",
        b"{",
        b"\xff\xfe{}",
        json.dumps(batch(view())).encode("utf-16"),
        b"\xef\xbb\xbf{}",
        b"[" * 60_000,
        b'{"a":' * 10_000,
        b'{"consent": NaN}',
        b'{"consent": Infinity}',
        b'{"sent_at": ' + b"9" * 60_000 + b"}",
        b'{"consent": false, "consent": true}',
        b'{"\\ud800": 1}',
        b"visitor=1&consent=true",
    ],
    ids=lambda body: repr(body[:20]),
)
def test_what_is_no_plain_json_is_refused(body):
    assert post(body).status_code == 400


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1" + "0" * 400])
def test_a_number_that_no_table_holds_is_refused(number):
    body = json.dumps(batch(event("custom", name="quiz", properties={"a": 7}))).replace("7}", number + "}")

    answer = post(body.encode())

    assert (answer.status_code, answer.json()["field"]) == (422, "events.0.properties.a")


def test_half_of_a_letter_is_refused():
    body = json.dumps(batch(event("search", words="?"))).replace("?", "\\ud83d")

    assert post(body.encode()).json()["field"] == "events.0.words"


@pytest.mark.parametrize("size", [64 * 1024 + 1, 10 * 1024 * 1024])
def test_a_large_body_is_refused_unread(size):
    class Unread:
        def read(self, *_args: object) -> bytes:
            raise AssertionError("the body was read")

        readline = read

    answer = Client().post(
        URL, b"", content_type="text/plain", CONTENT_LENGTH=str(size), HTTP_ORIGIN=ORIGIN, **{"wsgi.input": Unread()}
    )

    assert answer.status_code == 413


def test_ten_megabytes_are_refused():
    assert post(b'{"events": "' + b"x" * 10 * 1024 * 1024 + b'"}').status_code == 413


def test_a_body_that_does_not_say_how_long_it_is_is_refused():
    answer = post(b"x" * 100, CONTENT_LENGTH="", HTTP_TRANSFER_ENCODING="chunked")

    assert answer.status_code == 413


@pytest.mark.parametrize("length", ["-1", "many", "9" * 5_000])
def test_a_length_that_is_none_is_refused(length):
    assert post(batch(view()), CONTENT_LENGTH=length).status_code == 413


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "null",
        "",
        "https://evil.example",
        "http://shop.example",
        "https://shop.example:8443",
        "https://shop.example.evil.example",
        "https://shop.example/",
        "https://SHOP.example.evil",
        "shop.example",
    ],
)
def test_another_origin_is_refused(origin):
    answers = [post(batch(view()), HTTP_ORIGIN=origin)]
    answers.append(Client().options(URL, **({} if origin is None else {"HTTP_ORIGIN": origin})))

    assert [answer.status_code for answer in answers] == [403, 403]
    assert not any("Access-Control-Allow-Origin" in answer for answer in answers)


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""])
def test_another_content_type_is_refused(content_type):
    assert post(batch(view()), content_type=content_type).status_code == 415


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE"])
def test_other_methods_are_refused(method):
    answer = Client().generic(method, URL, HTTP_ORIGIN=ORIGIN)

    assert (answer.status_code, answer["Allow"]) == (405, "POST, OPTIONS")


def test_nothing_is_taken_while_the_crm_is_switched_off(fake_shop):
    fake_shop.is_enabled = False

    assert post(batch(view())).status_code == 404
    assert Client().get("/crm/crm.js").status_code == 404


def test_after_the_limit_nobody_is_asked_anything(settings, django_assert_num_queries):
    settings.CRM_COLLECT_EVENTS_PER_MINUTE = 600
    bad = batch(view(product=""))
    with clock.travel(to=NOON):
        for _ in range(600):
            post(bad)

        with django_assert_num_queries(0):
            answer = post(batch(view()))

    assert answer.status_code == 429
    assert answer["Retry-After"] == "60"


@pytest.fixture
def _fresh_shopfront():
    shopfront.forget()
    yield
    shopfront.forget()


@pytest.mark.usefixtures("_fresh_shopfront")
def test_a_storefront_elsewhere_is_refused_until_the_operator_names_it(settings):
    before = post({"consent": False}, HTTP_ORIGIN="https://m.shop.example")

    settings.CRM_COLLECT_ORIGINS = ("https://M.shop.example:443/",)

    after = post({"consent": False}, HTTP_ORIGIN="https://m.shop.example")
    assert (before.status_code, after.status_code) == (403, 202)
    assert after["Access-Control-Allow-Origin"] == "https://m.shop.example"
