"""The wishlist of who has not signed in: what a page may ask of it, and what is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from django.test import Client

from crm_plugin import activity, clock, contacts, ids, pipeline
from crm_plugin.activity.guests import MAX_GUEST_LIKES
from crm_plugin.contacts import Person
from crm_plugin.http import shopfront
from crm_plugin.models import Contact, Failure, Inbox, OwnLike, Visitor
from tests.http.collecting import CHROME, ORIGIN, VISITOR

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fake_shop")]

URL = "/crm/likes/"
OTHER = "another_of_22_letters_"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _fresh():
    shopfront.forget()
    with clock.travel(to=NOON):
        yield
    shopfront.forget()


@pytest.fixture
def mug(fake_shop):
    return fake_shop.add_product(price=90)


def post(body, *, content_type="text/plain", **headers):
    """Send a body as the storefront's script does; a header that is None is left out."""
    meta = {"HTTP_ORIGIN": ORIGIN, "HTTP_USER_AGENT": CHROME, "CONTENT_TYPE": content_type, **headers}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    told = {name: value for name, value in meta.items() if value is not None}
    return Client().generic("POST", URL, content, **told)


def asked(visitor=VISITOR, **more):
    return {"visitor": visitor, **more}


def products(answer):
    assert answer.status_code == 200, answer.content
    return [one["product"] for one in answer.json()["likes"]]


def test_a_like_is_kept_answered_and_told(mug):
    answer = post(asked(like={"product": mug.product_id, "variant": mug.variant_id}))

    assert answer.json() == {
        "likes": [
            {
                "product": mug.product_id,
                "variant": mug.variant_id,
                "channel": "default",
                "liked_at": "2026-03-02T12:00:00+00:00",
            }
        ]
    }
    assert answer["Access-Control-Allow-Origin"] == ORIGIN
    assert answer["Cache-Control"] == "no-store, private"
    fact = Inbox.objects.get()
    assert (fact.kind, fact.visitor_id, fact.customer_id, fact.amount) == ("liked", VISITOR, "", 90)


def test_the_list_is_read_newest_first_and_taken_back(fake_shop, mug):
    pot = fake_shop.add_product()
    for product in (mug, pot, mug):
        post(asked(like={"product": product.product_id}))

    listed = products(post(asked()))
    after = products(post(asked(unlike={"product": pot.product_id})))
    again = products(post(asked(unlike={"product": pot.product_id})))

    assert (listed, after, again) == ([pot.product_id, mug.product_id], [mug.product_id], [mug.product_id])
    assert list(Inbox.objects.order_by("id").values_list("kind", flat=True)) == ["liked", "liked", "unliked"]


def test_ids_of_saleors_api_and_a_channel_are_understood(fake_shop):
    product = fake_shop.add_product(shop_channel="kr", price=9000)
    wanted = {
        "product": ids.to_global("Product", product.product_id),
        "variant": ids.to_global("ProductVariant", product.variant_id),
        "channel": "kr",
    }

    (one,) = post(asked(like=wanted)).json()["likes"]

    assert (one["product"], one["variant"], one["channel"]) == (product.product_id, product.variant_id, "kr")


def test_another_browsers_list_is_another(mug):
    post(asked(like={"product": mug.product_id}))

    assert products(post(asked(OTHER))) == []
    post(asked(OTHER, unlike={"product": mug.product_id}))
    assert products(post(asked())) == [mug.product_id]


def test_of_a_customers_list_nothing_is_answered(fake_shop, mug):
    fake_shop.add_customer(customer_id="7", email="ann@example.com")
    ann = contacts.get_or_create(Person("7", "ann@example.com"))
    Visitor.objects.create(visitor_id=VISITOR, contact=ann, created_at=NOON, known_at=NOON)
    fake_shop.like("7", mug.whole)
    activity.like_own("7", mug.whole)

    assert products(post(asked())) == []
    post(asked(unlike={"product": mug.product_id}))
    assert len(fake_shop.likes("7")) == 1
    assert OwnLike.objects.count() == 1


def test_a_guest_is_a_nameless_contact_who_can_be_told_nothing(mug):
    post(asked(like={"product": mug.product_id}))

    pipeline.pump()

    contact = Contact.objects.get()
    assert (contact.customer_id, contact.email) == (None, None)


# What is refused


@pytest.fixture
def nothing_kept():
    yield
    for model in (OwnLike, Inbox, Failure):
        assert not model.objects.exists()


@pytest.mark.usefixtures("nothing_kept")
@pytest.mark.parametrize("origin", [None, "null", "https://evil.example", "http://shop.example", ORIGIN + ".evil"])
def test_other_origins_may_neither_read_nor_write(mug, origin):
    answer = post(asked(like={"product": mug.product_id}), HTTP_ORIGIN=origin)

    assert answer.status_code == 403
    assert "Access-Control-Allow-Origin" not in answer


@pytest.mark.usefixtures("nothing_kept")
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"visitor": ""}, "visitor"),
        ({"visitor": "short"}, "visitor"),
        ({"visitor": "x" * 23}, "visitor"),
        ({"visitor": "x" * 21 + "\n"}, "visitor"),
        ({"visitor": 7}, "visitor"),
        ({"visitor": None}, "visitor"),
        ({"like": "1"}, "like"),
        ({"like": {}}, "like.product"),
        ({"like": {"product": ""}}, "like.product"),
        ({"like": {"product": 1}}, "like.product"),
        ({"like": {"product": "1; drop"}}, "like.product"),
        ({"like": {"product": ids.to_global("Order", 1)}}, "like.product"),
        ({"like": {"product": "1", "variant": ids.to_global("Product", 1)}}, "like.variant"),
        ({"like": {"product": "1", "channel": "mars"}}, "like.channel"),
        ({"like": {"product": "1", "channel": "x" * 65}}, "like.channel"),
        ({"like": {"product": "1", "price": "1"}}, "like.price"),
        ({"like": {"product": "404"}}, "like.product"),
        ({"like": {"product": "1", "variant": "404"}}, "like.product"),
        ({"like": {"product": "1", "channel": "kr"}}, "like.product"),
        ({"unlike": {"product": "1", "channel": "mars"}}, "unlike.channel"),
        ({"customer": "7"}, "customer"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_kept(mug, changes, field):
    answer = post(asked(**changes))

    assert (answer.status_code, answer.json()["field"]) == (422, field)


@pytest.mark.usefixtures("nothing_kept")
def test_what_shoppers_cannot_see_is_not_liked(fake_shop, mug):
    fake_shop.unpublish(mug.whole)

    answer = post(asked(like={"product": mug.product_id}))

    assert (answer.status_code, answer.json()["field"]) == (422, "like.product")


@pytest.mark.usefixtures("nothing_kept")
def test_of_a_request_that_is_half_wrong_nothing_is_done(mug):
    wrong = {"product": mug.product_id, "channel": "mars"}

    answer = post(asked(like={"product": mug.product_id}, unlike=wrong))

    assert answer.status_code == 422


@pytest.mark.usefixtures("nothing_kept")
@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 413), (b"{", 400), (b"\xff", 400), (b"[" * 2_000, 400), (b"[]", 422), (b"null", 422), (b" " * 3_000, 413)],
)
def test_a_body_that_is_none_is_refused(body, status):
    assert post(body).status_code == status


@pytest.mark.usefixtures("nothing_kept")
def test_other_types_of_content_are_refused(mug):
    assert post(asked(), content_type="application/x-www-form-urlencoded").status_code == 415


@pytest.mark.usefixtures("nothing_kept")
@pytest.mark.parametrize("agent", ["", "curl/8.5.0", "Mozilla/5.0 (compatible; Googlebot/2.1)"])
def test_programs_have_no_list(mug, agent):
    assert products(post(asked(like={"product": mug.product_id}), HTTP_USER_AGENT=agent)) == []


@pytest.mark.usefixtures("nothing_kept")
def test_while_the_crm_is_off_there_is_none(fake_shop, mug):
    fake_shop.is_enabled = False

    assert post(asked(like={"product": mug.product_id})).status_code == 404


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_it_is_only_posted_to(method):
    assert getattr(Client(), method)(URL).status_code == 405


def test_a_browser_may_ask_first():
    answer = Client().generic("OPTIONS", URL, HTTP_ORIGIN=ORIGIN)

    assert (answer.status_code, answer["Access-Control-Allow-Methods"]) == (204, "POST")


def test_a_list_has_room_for_two_hundred(mug):
    OwnLike.objects.bulk_create(
        OwnLike(visitor_id=VISITOR, product_id=f"p{n}", shop_channel="default", created_at=NOON)
        for n in range(MAX_GUEST_LIKES)
    )

    answer = post(asked(like={"product": mug.product_id}))

    assert (answer.status_code, answer.json()["field"]) == (422, "like.product")
    assert OwnLike.objects.count() == MAX_GUEST_LIKES
    assert not Inbox.objects.exists()


def test_a_flood_is_stopped(settings, mug):
    settings.CRM_COLLECT_EVENTS_PER_MINUTE = 3

    statuses = [post(asked(like={"product": mug.product_id})).status_code for _ in range(5)]

    assert statuses == [200, 200, 200, 429, 429]


def test_a_shop_that_fails_is_answered_for_and_counted(fake_shop, mug, monkeypatch):
    def broken(*_args, **_more):
        raise RuntimeError("away")

    monkeypatch.setattr(fake_shop, "offers", broken)

    answer = post(asked(like={"product": mug.product_id}))

    assert (answer.status_code, answer["Retry-After"]) == (503, "30")
    assert Failure.objects.get().door == "http.likes"
    assert not OwnLike.objects.exists()


def test_a_like_counts_as_a_sign_of_life_of_the_visitor(mug):
    post(asked(like={"product": mug.product_id}))
    pipeline.pump()

    assert Contact.objects.get().last_seen_at == NOON
    assert activity.likers_count(mug.whole) == 1
