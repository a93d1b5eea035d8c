"""Web push in a real browser: the service worker shows what was pushed and opens it; the script subscribes.

There is no push service to subscribe to without a network, so that of the browser is replaced; the message itself is
handed to the service worker by the browser, as one that has arrived.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page

from crm_plugin import messaging
from crm_plugin.contacts import Endpoint
from crm_plugin.http import shopfront
from crm_plugin.messaging.channels.web_push import payload
from crm_plugin.models import Consent
from tests.http.collecting import CHROME
from tests.messaging.push_server import Browser
from tests.messaging.pushing import envelope

CHROMIUM_ARGUMENTS = (f"--user-agent={CHROME}",)
WAIT_SECONDS = 15
BROWSER = Browser("https://fcm.googleapis.com/fcm/send/a-browser")
#: In place of what asks Google's or Mozilla's servers.
NO_NETWORK = """
  const made = %s;
  let held = null;
  const fake = () => ({ ...made, toJSON: () => made, unsubscribe: async () => { held = null; return true; } });
  PushManager.prototype.subscribe = async function (wanted) {
    if (!wanted.userVisibleOnly) throw new Error("not visible");
    localStorage.key = wanted.applicationServerKey;
    return (held = fake());
  };
  PushManager.prototype.getSubscription = async () => held;
""" % json.dumps(BROWSER.subscription)  # noqa: UP031 - braces are the script's


@pytest.fixture(autouse=True)
def _shop(live_server, settings) -> Iterator[None]:
    """Web push is set up, and the live server's pages may tell it something."""
    settings.CRM_COLLECT_ORIGINS = (live_server.url,)
    settings.CRM_VAPID_PRIVATE_KEY, _ = messaging.make_vapid_keys()
    shopfront.forget()
    yield
    shopfront.forget()


@pytest.fixture
def enter(chromium, live_server, transactional_db) -> Iterator[Callable[..., Page]]:
    """Return a function that opens the shop for a visitor who lets it show notifications, or does not."""
    failures: list[str] = []
    contexts: list[Any] = []

    def enter(*, permissions: tuple[str, ...] = ("notifications",), script: str = "") -> Page:
        context = chromium.new_context(locale="en-US")
        context.set_default_timeout(15_000)
        context.grant_permissions(list(permissions), origin=live_server.url)
        contexts.append(context)
        if script:
            context.add_init_script(script)
        page = context.new_page()
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.goto(f"{live_server.url}/", wait_until="load")
        page.wait_for_function("window.crm && crm.push.subscribe")
        return page

    yield enter
    for context in contexts:
        context.close()
    assert failures == []


def until(found: Callable[[], Any]) -> Any:
    """Return what there is, once there is something."""
    end = time.monotonic() + WAIT_SECONDS
    while not (result := found()) and time.monotonic() < end:
        time.sleep(0.1)
    return result


def registered(page: Page) -> str:
    """Register the service worker; return the browser's own id of that."""
    found: dict[str, str] = {}
    session = page.context.new_cdp_session(page)
    session.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda told: found.update({one["scopeURL"]: one["registrationId"] for one in told["registrations"]}),
    )
    session.send("ServiceWorker.enable")
    page.evaluate(
        """async () => {
            const made = await navigator.serviceWorker.register("/crm/crm-sw.js");
            while (made.active?.state !== "activated") await new Promise((done) => setTimeout(done, 50));
        }"""
    )
    page.wait_for_timeout(300)  # Playwright tells of events while it waits
    (number,) = [number for scope, number in found.items() if scope.endswith("/crm/")]
    page.push_session = session  # type: ignore[attr-defined]
    return number


def push(page: Page, number: str, body: bytes) -> None:
    """Let the browser hand a message that has arrived to the service worker."""
    origin = page.evaluate("location.origin")
    arrived = {"origin": origin, "registrationId": number, "data": body.decode()}
    page.push_session.send("ServiceWorker.deliverPushMessage", arrived)  # type: ignore[attr-defined]
    page.wait_for_timeout(500)


def shown(page: Page) -> list[dict[str, Any]]:
    """Return the notifications of the service worker."""
    return page.evaluate(
        """async () => {
            const worker = await navigator.serviceWorker.getRegistration("/crm/crm-sw.js");
            const all = await worker.getNotifications();
            return all.map(({ title, body, tag, lang, data }) => ({ title, body, tag, lang, data }));
        }"""
    )


def test_what_was_pushed_is_shown_and_the_messages_of_others_are_left_alone(enter):
    page = enter()
    number = registered(page)
    message = envelope(title="(광고) 봄", language="ko")

    push(page, number, payload(message))
    push(page, number, json.dumps({"title": "another's", "tag": "other"}).encode())
    push(page, number, b"no json")

    assert shown(page) == [
        {
            "title": "(광고) 봄",
            "body": "The spring is here.",
            "tag": f"crm-{message.public_id.hex}",
            "lang": "ko",
            "data": {"url": "https://shop.example/crm/click/x/"},
        }
    ]


def test_the_same_message_again_takes_the_place_of_the_first(enter):
    page = enter()
    number = registered(page)
    message = envelope()

    push(page, number, payload(message))
    push(page, number, payload(message))

    assert len(shown(page)) == 1


@pytest.mark.parametrize(
    ("url", "opened"),
    [
        ("https://shop.example/crm/click/x/", ["https://shop.example/crm/click/x/"]),
        ("", []),
        ("javascript:alert(1)", []),
    ],
)
def test_a_click_opens_what_the_message_leads_to(enter, url, opened):
    page = enter()
    number = registered(page)
    push(page, number, payload(envelope(url=url)))
    (worker,) = page.context.service_workers

    found = worker.evaluate(
        """async () => {
            const opened = [];
            self.clients.openWindow = async (url) => opened.push(url);
            const [notification] = await self.registration.getNotifications();
            self.dispatchEvent(new NotificationEvent("notificationclick", { notification }));
            await new Promise((done) => setTimeout(done, 200));
            return { opened, left: (await self.registration.getNotifications()).length };
        }"""
    )

    assert found == {"opened": opened, "left": 0}


def test_a_visitor_subscribes_and_unsubscribes(enter):
    page = enter(script=NO_NETWORK)
    page.evaluate("crm.consent(true)")

    yes = page.evaluate("crm.push.subscribe({ textVersion: '3' })")
    (device,) = until(lambda: list(Endpoint.objects.all()))
    granted = Consent.objects.values_list("channel", "is_granted").get()
    no = page.evaluate("crm.push.unsubscribe()")

    assert (yes, no) == (True, True)
    assert (device.address, device.keys, device.channel) == (BROWSER.address, BROWSER.keys, "web_push")
    assert page.evaluate("localStorage.key") == messaging.vapid_public_key()
    assert (granted, Consent.objects.get().is_granted) == (("web_push", True), False)
    assert not Endpoint.objects.exists()
    assert page.evaluate("crm.push.unsubscribe()") is False


def test_who_does_not_agree_to_be_remembered_is_not_subscribed(enter):
    page = enter(script=NO_NETWORK)

    assert page.evaluate("crm.push.subscribe()") is False
    assert not Endpoint.objects.exists()


def test_who_tells_the_browser_no_is_not_subscribed(enter):
    page = enter(permissions=(), script=NO_NETWORK + "Notification.requestPermission = async () => 'denied';")
    page.evaluate("crm.consent(true)")

    assert page.evaluate("crm.push.subscribe()") is False
    assert not Endpoint.objects.exists()


def test_what_fails_in_the_browser_does_not_fail_the_page(enter):
    page = enter(script="PushManager.prototype.subscribe = async () => { throw new Error('no service'); }")
    page.evaluate("crm.consent(true)")

    assert page.evaluate("crm.push.subscribe()") is False
    assert not Endpoint.objects.exists()
