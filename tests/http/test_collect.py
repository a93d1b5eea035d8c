"""What a storefront tells becomes facts, each once and at its time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings as django_settings
from django.db import DatabaseError
from django.test import Client

from crm_plugin import activity, clock, ids
from crm_plugin.guard import failures
from crm_plugin.models import Inbox
from crm_plugin.shop import FactKind
from tests.http.collecting import CHROME, NOW, ORIGIN, URL, VISITOR, batch, event, post, view

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fake_shop")]

HERE = datetime(2027, 5, 1, 12, tzinfo=UTC)


def told(**wanted: object) -> list[dict[str, object]]:
    """Return these columns of what was stored, in its order."""
    return list(Inbox.objects.order_by("id").values(*wanted))


def only(*columns: str) -> tuple[object, ...]:
    return tuple(Inbox.objects.values_list(*columns).get())


def test_a_batch_is_stored_by_one_insert(django_assert_num_queries):
    events = [view(number) for number in range(50)]

    with django_assert_num_queries(1) as asked:
        answer = post(batch(*events))

    assert (answer.status_code, answer.json()) == (202, {"stored": 50})
    assert asked.captured_queries[0]["sql"].lstrip().startswith("INSERT INTO crm_plugin_inbox")
    assert Inbox.objects.count() == 50


def test_a_viewed_product_carries_visitor_channel_and_time():
    with clock.travel(to=HERE):
        post(batch(view(variant="120", at=NOW - 90_000), channel="kr"))

    columns = ("kind", "visitor_id", "product_id", "variant_id", "shop_channel", "source_key", "occurred_at")
    assert only(*columns) == (
        "viewed",
        VISITOR,
        "12",
        "120",
        "kr",
        f"collect:{VISITOR}:event-0000",
        HERE - timedelta(seconds=90),
    )


def test_without_a_channel_it_is_the_shops_first():
    post(batch(view()))

    assert only("shop_channel") == ("default",)


@pytest.mark.parametrize("content_type", ["text/plain", "text/plain;charset=UTF-8", "application/json"])
def test_a_beacons_content_types_are_taken(content_type):
    assert post(batch(view()), content_type=content_type).json() == {"stored": 1}


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        (event("group_view", group="category:12"), ("group_viewed", "category:12", "", {})),
        (event("group_view", group=ids.to_global("Collection", 5)), ("group_viewed", "collection:5", "", {})),
        (event("search", words="  Celadon BOWL "), ("searched", "celadon bowl", "", {})),
        (event("search", words="청자 그릇"), ("searched", "청자 그릇", "", {})),
        (event("custom", name="size_guide"), ("custom", "size_guide", "", {})),
        (event("form", name="guide", properties={"interest": "A"}), ("form_submitted", "guide", "", {"interest": "A"})),
        (
            event("custom", name="quiz", properties={"score": 7, "share": 0.5, "done": True, "text": "좋아요"}),
            ("custom", "quiz", "", {"score": 7, "share": 0.5, "done": True, "text": "좋아요"}),
        ),
        (event("identify", email=" Ann@Example.com "), ("identified", "", "ann@example.com", {})),
    ],
)
def test_each_kind_of_event_is_a_fact(sent, stored):
    answer = post(batch(sent))

    assert answer.json() == {"stored": 1}
    assert only("kind", "subject", "email", "data") == stored


@pytest.mark.parametrize("product", ["12", ids.to_global("Product", 12), ids.to_global("Product", 12).rstrip("=")])
def test_a_product_may_be_named_as_saleors_storefronts_do(product):
    post(batch(view(product=product, variant=ids.to_global("ProductVariant", 7))))

    assert only("product_id", "variant_id") == ("12", "7")


def test_a_relay_id_without_padding_is_not_taken_for_a_plain_one():
    twelve_bytes = ids.to_global("Product", 1234)

    post(batch(view(product=twelve_bytes)))

    assert not twelve_bytes.endswith("=")
    assert only("product_id") == ("1234",)


def test_an_id_that_is_no_number_is_the_shops_own():
    post(batch(view(product="bowl-celadon")))

    assert only("product_id") == ("bowl-celadon",)


def test_something_put_in_a_cart():
    post(batch(event("cart_add", product="12", variant="120", quantity=3)))

    assert only("kind", "product_id", "variant_id", "quantity", "cart_ref") == ("carted", "12", "120", 3, "")


def test_a_carted_line_has_the_key_under_which_the_shop_tells_it():
    cart = "0f2b1f5e-7a0c-4a5b-9d52-3d3f8f1f2a11"
    sent = event("cart_add", product="12", variant="120", quantity=3, cart=ids.to_global("Checkout", cart.upper()))

    post(batch(sent))

    assert only("source_key", "cart_ref") == (f"cart:{cart}:120:3", cart)


def test_a_visit_says_where_from_and_with_which_browser():
    url = "https://shop.example/?utm_source=Facebook&utm_medium=cpc&utm_campaign=Spring&utm_term=%EC%9B%90%ED%94%BC%EC%8A%A4"

    post(batch(event("visit", url=url, referrer="https://l.facebook.com/l.php?u=secret")))

    assert only("kind", "data") == (
        "visited",
        {
            "source": "facebook",
            "medium": "cpc",
            "campaign": "Spring",
            "keyword": "원피스",
            "referrer": "l.facebook.com",
            "browser": "Chrome",
        },
    )


def test_coming_from_a_page_of_the_shop_is_a_visit_and_no_new_touch():
    post(batch(event("visit", url="https://shop.example/bowl", referrer="https://www.shop.example/")))

    assert only("kind", "data") == ("visited", {"browser": "Chrome"})


@pytest.mark.parametrize("wrong", [timedelta(days=-3_000), timedelta(days=400), timedelta(hours=-9)])
def test_a_wrong_clock_does_not_matter(wrong):
    theirs = NOW + int(wrong.total_seconds() * 1_000)

    with clock.travel(to=HERE):
        answer = post(batch(view(at=theirs - 60_000), sent_at=theirs))

    assert answer.json() == {"stored": 1}
    assert only("occurred_at") == (HERE - timedelta(minutes=1),)


def test_an_event_a_little_later_than_its_request_is_one_of_now():
    with clock.travel(to=HERE):
        post(batch(view(at=NOW + 4_000)))

    assert only("occurred_at") == (HERE,)


def test_a_beacon_sent_again_is_the_same_activity():
    for _ in range(2):
        post(batch(view(1), view(2)))

    assert len(set(Inbox.objects.values_list("source_key", flat=True))) == 2


@pytest.mark.parametrize("body", [{"consent": False}, batch(view(), consent=False)])
def test_without_consent_nothing_is_stored(body):
    answer = post(body)

    assert (answer.status_code, answer.json()) == (202, {"stored": 0, "reason": "no_consent"})
    assert not Inbox.objects.exists()


@pytest.mark.parametrize(
    "agent",
    [
        None,
        "",
        "curl/8.5.0",
        "python-requests/2.32",
        "facebookexternalhit/1.1; kakaotalk-scrap/1.0; +https://devtalk.kakao.com/t/scrap/33984",
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "Mozilla/5.0 (compatible; Yeti/1.1; +https://naver.me/spd)",
        "Mozilla/5.0 (compatible; Daum/4.1; +http://cs.daum.net/faq/15/4118.html)",
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
        "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5",
        CHROME.replace("Chrome/", "HeadlessChrome/"),
        f"{CHROME} Chrome-Lighthouse",
    ],
)
def test_programs_are_not_visitors(agent):
    answer = post(batch(view()), HTTP_USER_AGENT=agent)

    assert (answer.status_code, answer.json()) == (202, {"stored": 0, "reason": "bot"})
    assert not Inbox.objects.exists()


WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64"
WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
ANDROID = "Mozilla/5.0 (Linux; Android 13"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("agent", "family"),
    [
        (f"{WINDOWS}; rv:130.0) Gecko/20100101 Firefox/130.0", "Firefox"),
        (f"{WINDOWS}) {WEBKIT} Chrome/126.0 Safari/537.36 Edg/126.0", "Edge"),
        (f"{WINDOWS}) {WEBKIT} Chrome/124.0 Whale/3.26.244.14 Safari/537.36", "Whale"),
        (f"{IPHONE} Version/17.5 Mobile/15E148 Safari/604.1", "Mobile Safari"),
        (f"{ANDROID}; CUBOT_X30) {WEBKIT} Chrome/91.0.4472.120 Mobile Safari/537.36", "Chrome Mobile"),
        (f"{ANDROID}; SAMSUNG SM-S918B) {WEBKIT} SamsungBrowser/21.0 Chrome/110.0 Safari/537.36", "Samsung Internet"),
    ],
)
def test_the_browsers_family_is_kept(agent, family):
    post(batch(event("visit", url="https://shop.example/")), HTTP_USER_AGENT=agent)

    assert only("data")[0]["browser"] == family


def test_the_browser_of_a_storefront_elsewhere_may_read_the_answer():
    answer = post(batch(view()))

    assert answer["Access-Control-Allow-Origin"] == ORIGIN
    assert "Origin" in answer["Vary"]
    assert answer["Cache-Control"] == "no-store, private"
    assert not answer.cookies


def test_the_preflight_question_is_answered():
    asked = {"HTTP_ORIGIN": ORIGIN, "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "POST"}

    answer = Client().options(URL, **asked)

    assert answer.status_code == 204
    assert answer["Access-Control-Allow-Origin"] == ORIGIN
    assert answer["Access-Control-Allow-Methods"] == "POST"
    assert answer["Access-Control-Allow-Headers"] == "Content-Type"


def test_no_session_and_no_csrf_token_are_needed():
    assert post(batch(view()), client=Client(enforce_csrf_checks=True)).json() == {"stored": 1}


def test_no_transaction_is_opened_around_it():
    assert django_settings.DATABASES["default"]["ATOMIC_REQUESTS"]
    from crm_plugin.http.collect import collect  # noqa: PLC0415 - Django is ready only when tests run

    assert "default" in collect._non_atomic_requests


def test_what_cannot_be_written_is_to_be_sent_again(monkeypatch):
    def fail(_facts: object) -> int:
        raise DatabaseError("away")

    monkeypatch.setattr(activity, "record_many", fail)

    answer = post(batch(view()))

    assert (answer.status_code, answer["Retry-After"]) == (503, "30")
    assert failures() == {"http.collect": 1}


def test_the_facts_are_of_kinds_that_the_drain_knows():
    post(batch(view(1), event("visit", url="https://shop.example/", number=2)))

    assert set(Inbox.objects.values_list("kind", flat=True)) <= set(FactKind)
