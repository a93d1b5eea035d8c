"""The storefront's script in a real browser: silent before consent, complete after it, harmless always."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import Page, Request, expect

from crm_plugin.http import shopfront
from crm_plugin.models import Inbox
from tests.http.collecting import CHROME
from tests.shops.oscar.world import Category, OscarWorld

#: Without this, a browser that runs without a window says so. Set for a page only, it is forgotten as the page is left.
CHROMIUM_ARGUMENTS = (f"--user-agent={CHROME}",)
WAIT_SECONDS = 15
UTM = "?utm_source=Facebook&utm_medium=cpc&utm_campaign=Spring&utm_term=bowl&token=secret"

Open = Callable[..., Page]


@pytest.fixture(autouse=True)
def _origin(live_server, settings) -> Iterator[None]:
    """The live server's pages may tell it something."""
    settings.CRM_COLLECT_ORIGINS = (live_server.url, live_server.url.replace("localhost", "127.0.0.1"))
    shopfront.forget()
    yield
    shopfront.forget()


@pytest.fixture
def product_id(transactional_db) -> str:
    """A product that the shop shows."""
    return OscarWorld().make_product(prices=[Decimal("48.00")], stocks=[20], name="Celadon bowl")[0].product_id


@pytest.fixture
def asked() -> list[Request]:
    """Every request to the collect endpoint that a page of the test made."""
    return []


@pytest.fixture
def enter(chromium, live_server, asked, transactional_db) -> Iterator[Open]:
    """Return a function that opens a page of the shop for a new visitor, whose scripts must not fail."""
    failures: list[str] = []
    contexts: list[Any] = []

    def enter(path: str = "/", *, script: str = "", language: str = "en-US") -> Page:
        context = chromium.new_context(locale=language, viewport={"width": 1280, "height": 900})
        context.set_default_timeout(15_000)
        contexts.append(context)
        context.on("request", lambda request: asked.append(request) if request.url.endswith("/collect/") else None)
        if script:
            context.add_init_script(script)
        page = context.new_page()
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.goto(path if "://" in path else f"{live_server.url}{path}", wait_until="load")
        return page

    yield enter
    for context in contexts:
        context.close()
    assert failures == []


def cookie(page: Page) -> str:
    return next((one["value"] for one in page.context.cookies() if one["name"] == "crm_visitor"), "")


def agree(page: Page) -> None:
    page.get_by_role("button", name="Agree", exact=True).click()


def told(*, kind: str, number: int = 1) -> list[Inbox]:
    """Return the facts of this kind once there are so many."""
    end = time.monotonic() + WAIT_SECONDS
    while True:
        rows = list(Inbox.objects.filter(kind=kind, source_key__startswith="collect:").order_by("id"))
        if len(rows) >= number or time.monotonic() > end:
            assert len(rows) == number
            return rows
        time.sleep(0.1)


def kept(page: Page) -> dict[str, str]:
    """Return what the page's storage holds of the script."""
    both = page.evaluate("({...sessionStorage, ...localStorage})")
    return {key: value for key, value in both.items() if key.startswith("crm")}


def test_before_consent_there_is_no_cookie_no_storage_and_no_request(enter, asked):
    page = enter(f"/catalogue/{UTM}")

    page.evaluate("crm.view('12'); crm.search('bowl'); crm.push(['identify', 'ann@example.com'])")
    page.wait_for_timeout(2_600)
    stored = kept(page)
    page.goto("about:blank")

    assert stored == {}
    assert (cookie(page), asked) == ("", [])
    assert not Inbox.objects.exists()


def test_after_consent_the_visit_says_where_from(enter):
    page = enter(f"/catalogue/{UTM}")

    agree(page)

    (visit,) = told(kind="visited")
    assert visit.visitor_id == cookie(page) == page.evaluate("crm.visitorId()")
    assert visit.data == {
        "source": "facebook",
        "medium": "cpc",
        "campaign": "Spring",
        "keyword": "bowl",
        "browser": "Chrome",
    }


def test_of_the_address_only_the_utm_words_are_sent(enter, asked):
    page = enter(f"/catalogue/{UTM}#secret")

    agree(page)

    told(kind="visited")
    page.wait_for_timeout(100)  # Playwright tells of requests while it waits
    assert "utm_source=Facebook" in (asked[0].post_data or "")
    assert "secret" not in (asked[0].post_data or "")


def test_the_cookie_is_the_shops_own_and_ends(enter):
    page = enter()

    agree(page)

    (found,) = [one for one in page.context.cookies() if one["name"] == "crm_visitor"]
    assert (len(found["value"]), found["sameSite"], found["path"]) == (22, "Lax", "/")
    assert 179 < (found["expires"] - time.time()) / 86_400 <= 180


def test_what_happened_on_the_page_before_the_answer_is_told_after_it(enter):
    page = enter()
    page.evaluate("crm.view('12', '120')")

    agree(page)

    (viewed,) = told(kind="viewed")
    assert (viewed.product_id, viewed.variant_id) == ("12", "120")


def test_a_refusal_leaves_nothing_and_is_not_asked_again(enter, asked):
    page = enter()
    page.evaluate("crm.view('12')")

    page.get_by_role("button", name="Decline", exact=True).click()
    page.reload()

    expect(page.get_by_role("button", name="Decline", exact=True)).to_be_hidden()
    page.wait_for_timeout(2_600)
    assert (cookie(page), kept(page), asked) == ("", {}, [])


def test_a_withdrawn_consent_deletes_cookie_and_queue(enter, asked):
    page = enter()
    agree(page)
    told(kind="visited")
    page.evaluate("crm.view('12')")

    page.get_by_role("button", name="Cookie settings").click()
    page.get_by_role("button", name="Decline", exact=True).click()
    page.wait_for_timeout(2_600)

    assert (cookie(page), kept(page), len(asked)) == ("", {}, 1)
    assert not Inbox.objects.filter(kind="viewed").exists()


@pytest.mark.parametrize(
    "refusal",
    [
        "Object.defineProperty(navigator, 'globalPrivacyControl', {value: true})",
        "Object.defineProperty(navigator, 'doNotTrack', {value: '1'})",
    ],
)
def test_a_browser_that_says_no_is_believed(enter, asked, refusal):
    page = enter(script=refusal)

    agree(page)
    page.evaluate("crm.view('12')")
    page.wait_for_timeout(2_600)

    assert (cookie(page), kept(page), asked) == ("", {}, [])


def test_the_same_visitor_on_every_page_and_one_visit(enter, live_server, product_id):
    page = enter(f"/catalogue/{UTM}")
    agree(page)
    first = cookie(page)
    told(kind="visited")

    page.goto(f"{live_server.url}/catalogue/")
    page.evaluate("crm.track('size_guide', {size: 'M'})")

    (custom,) = told(kind="custom")
    assert (custom.subject, custom.data, custom.visitor_id) == ("size_guide", {"size": "M"}, first)
    told(kind="visited")


def test_half_an_hour_later_it_is_another_visit(enter):
    page = enter()
    agree(page)
    told(kind="visited")

    page.evaluate("localStorage.crm_visit = JSON.stringify({at: Date.now() - 31 * 60e3, touch: ''})")
    page.evaluate("crm.view('12')")

    told(kind="visited", number=2)


def test_another_campaign_is_another_visit_at_once(enter, live_server):
    page = enter(f"/catalogue/{UTM}")
    agree(page)
    told(kind="visited")

    page.goto(f"{live_server.url}/catalogue/?utm_source=naver")
    page.reload()

    assert [row.data["source"] for row in told(kind="visited", number=2)] == ["facebook", "naver"]


def test_what_waits_when_the_page_is_left_is_told(enter):
    page = enter()
    agree(page)
    told(kind="visited")

    page.evaluate("crm.view('12')")
    page.goto("about:blank")

    assert told(kind="viewed")[0].product_id == "12"


def test_a_browser_without_lasting_requests_sends_a_beacon(enter, live_server):
    count = "navigator.sendBeacon = (...all) => { localStorage.beacons = 1; return send(...all); }"
    page = enter(
        script=f"delete Request.prototype.keepalive; const send = navigator.sendBeacon.bind(navigator); {count}"
    )
    agree(page)
    told(kind="visited")

    page.evaluate("crm.view('12')")
    page.goto(f"{live_server.url}/crm/crm.js")

    told(kind="viewed")
    assert page.evaluate("localStorage.beacons") == "1"


def test_each_command_is_an_event(enter):
    page = enter()
    agree(page)

    page.evaluate(
        """() => {
            crm.view(12, 120);
            crm.group("category:3");
            crm.search("  Celadon Bowl ");
            crm.cart("12", {variant: "120", quantity: 2});
            crm.track("quiz", {score: 7});
            crm.identify("Ann@Example.com");
        }"""
    )

    told(kind="identified")
    rows = Inbox.objects.exclude(kind="visited").order_by("id").values_list("kind", "product_id", "subject", "email")
    assert list(rows) == [
        ("viewed", "12", "", ""),
        ("group_viewed", "", "category:3", ""),
        ("searched", "", "celadon bowl", ""),
        ("carted", "12", "", ""),
        ("custom", "", "quiz", ""),
        ("identified", "", "", "ann@example.com"),
    ]


def test_a_wrong_call_costs_only_itself(enter):
    page = enter()
    agree(page)
    told(kind="visited")

    page.evaluate("crm.view('12'); crm.track('Bad Name'); crm.view('13')")

    assert [row.product_id for row in told(kind="viewed", number=2)] == ["12", "13"]
    assert not Inbox.objects.filter(kind="custom").exists()


def test_nonsense_does_not_fail_the_page(enter):
    page = enter()
    agree(page)

    page.evaluate(
        "crm.push(); crm.push(['nothing']); crm.push(null); crm.cart(); crm.track(); crm.search(); crm.view({})"
    )

    told(kind="visited")


@pytest.mark.parametrize("answer", [lambda route: route.abort(), lambda route: route.fulfill(status=500)])
def test_while_the_endpoint_is_down_events_wait_and_the_page_works(enter, answer):
    page = enter()
    page.context.route("**/collect/", answer)
    agree(page)
    for _ in range(60):
        page.evaluate("crm.view('12')")

    page.wait_for_timeout(2_600)
    waiting = json.loads(kept(page)["crm_queue"])
    page.context.unroute("**/collect/")
    page.reload()

    assert len(waiting) == 50
    told(kind="viewed", number=len([event for event in waiting if event["kind"] == "product_view"]))


def test_without_storage_a_page_still_tells(enter):
    forbid = "['localStorage', 'sessionStorage'].map((n) => Object.defineProperty(window, n, {get() { throw 1 }}))"
    page = enter(script=forbid)

    agree(page)
    page.evaluate("crm.view('12')")

    told(kind="viewed")
    told(kind="visited")


def test_a_category_page_is_told_and_a_product_page_only_by_the_shop(enter, live_server, product_id):
    category = Category.objects.get(name="Home")
    page = enter()
    agree(page)

    page.goto(f"{live_server.url}{category.get_absolute_url()}")
    page.goto(f"{live_server.url}/catalogue/celadon-bowl_{product_id}/")
    page.wait_for_timeout(2_600)

    assert told(kind="group_viewed")[0].subject == f"category:{category.pk}"
    assert not Inbox.objects.filter(kind="viewed", source_key__startswith="collect:").exists()


def test_a_storefront_elsewhere_includes_it_with_consent_asked_for_there(enter, live_server):
    page = enter(live_server.url.replace("localhost", "127.0.0.1") + "/catalogue/unknown/")

    page.evaluate(
        """address => {
            window.crm = [["view", "12"]];
            const script = document.createElement("script");
            Object.assign(script.dataset, {channel: "default", consent: "granted"});
            script.src = address;
            document.head.append(script);
        }""",
        f"{live_server.url}/crm/crm.js",
    )

    (viewed,) = told(kind="viewed")
    assert (viewed.product_id, viewed.shop_channel, viewed.visitor_id) == ("12", "default", cookie(page))
    page.wait_for_function("!sessionStorage.crm_queue")


def test_the_banner_is_read_and_answered_without_a_mouse(enter):
    page = enter()
    banner = page.get_by_role("region", name="May we remember what you look at?")
    expect(banner).to_be_visible()

    page.get_by_role("button", name="Agree", exact=True).focus()
    page.keyboard.press("Enter")

    expect(banner).to_be_hidden()
    expect(page.get_by_role("button", name="Cookie settings")).to_be_focused()
    assert page.get_by_role("button", name="Cookie settings").bounding_box()["height"] >= 44


def test_the_banner_speaks_korean(enter):
    page = enter(language="ko-KR")

    expect(page.get_by_role("button", name="동의", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="거부", exact=True)).to_be_visible()


@pytest.mark.feature(33)
def test_a_form_of_the_storefront_is_told_with_what_was_filled_in(enter):
    page = enter()
    agree(page)

    page.evaluate("crm.form('guide', {interest: 'A'})")

    (sent,) = told(kind="form_submitted")
    assert (sent.subject, sent.data) == ("guide", {"interest": "A"})
