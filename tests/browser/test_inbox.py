"""The demo's inbox: a letter is shown as a mail program shows it, and can do nothing to the page around it."""

from __future__ import annotations

import pytest
from django.core import mail
from playwright.sync_api import expect

from demo.services.inbox import Inbox
from tests.browser.conftest import PHONE

HTML = (
    "<html><body><h1>Good news</h1><a href='https://shop.example/'>View product</a>"
    "<script>parent.document.title = document.title = 'taken over'</script></body></html>"
)
TEXT = f"Good news\nhttps://shop.example/{'x' * 300}/"


@pytest.fixture
def inbox_url(smtp):
    """The address of an inbox with one letter."""
    message = mail.EmailMultiAlternatives("25% less", TEXT, "shop@example.com", ["ann@example.com"])
    message.attach_alternative(HTML, "text/html")
    message.send()
    with Inbox(smtp) as inbox:
        yield inbox.url


@pytest.mark.parametrize("size", [(1280, 900), PHONE], ids=["desktop", "phone"])
def test_a_letter_is_shown_in_a_sandboxed_frame(open_page, inbox_url, size):
    page = open_page(inbox_url, size=size)

    page.get_by_role("link", name="25% less").click()

    frame = page.frame_locator("iframe")
    expect(frame.get_by_role("heading", name="Good news")).to_be_visible()
    expect(frame.get_by_role("link", name="View product")).to_be_visible()
    sandbox = page.locator("iframe").get_attribute("sandbox") or ""
    assert not {"allow-scripts", "allow-same-origin", "allow-forms"} & set(sandbox.split())
    assert page.title() == "25% less"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_letter_opened_alone_runs_no_script_either(open_page, inbox_url):
    page = open_page(inbox_url)
    address = page.get_by_role("link", name="25% less").get_attribute("href")

    page.goto(f"{inbox_url.rstrip('/')}{address}html")

    expect(page.get_by_role("heading", name="Good news")).to_be_visible()
    assert page.title() != "taken over"
