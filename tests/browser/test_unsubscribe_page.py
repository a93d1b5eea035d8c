"""The unsubscribe page as a person meets it: in their language, with a keyboard, on a phone."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from crm_plugin import contacts
from crm_plugin.models import ConsentEvent
from tests.browser.conftest import PHONE

LANGUAGES = [
    pytest.param("en", "Unsubscribe", "You are unsubscribed", id="English"),
    pytest.param("ko", "수신거부", "수신거부가 완료되었습니다", id="Korean"),
]


def agrees(message) -> bool:
    return contacts.reach([message.contact_id], channel="email")[message.contact_id].has_consent


@pytest.fixture
def url(live_server, links, message):
    """Return the address of the page for a message in a language."""

    def of(language: str) -> str:
        message.language = language
        message.save()
        return f"{live_server.url}{links.unsubscribe_url}"

    return of


@pytest.mark.parametrize(("language", "action", "done"), LANGUAGES)
def test_the_page_asks_and_the_button_withdraws(open_page, url, message, language, action, done):
    page = open_page(url(language))
    agreed_after_reading = agrees(message)

    page.get_by_role("button", name=action, exact=True).click()

    expect(page.get_by_role("heading", level=1)).to_have_text(done)
    assert agreed_after_reading
    assert not agrees(message)
    assert ConsentEvent.objects.get(is_granted=False).evidence["via"] == "page"


@pytest.mark.parametrize(("language", "action", "done"), LANGUAGES)
def test_the_page_can_be_read_and_used_without_a_mouse(open_page, url, message, language, action, done):
    page = open_page(url(language), size=PHONE)
    button = page.get_by_role("button", name=action, exact=True)

    page.keyboard.press("Tab")

    expect(button).to_be_focused()
    assert button.evaluate("one => getComputedStyle(one).outlineStyle") == "solid"
    assert button.bounding_box()["height"] >= 44
    expect(page.locator("html")).to_have_attribute("lang", language)
    expect(page.get_by_role("main").get_by_role("heading", level=1)).to_have_text(action)
    assert action in page.title()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    page.keyboard.press("Enter")

    expect(page.get_by_role("status")).to_be_visible()
    assert done in page.title()
    assert not agrees(message)
