from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from django.core import mail

from demo.services.inbox import Inbox
from demo.services.mailsink import MailSink


@pytest.fixture
def inbox(smtp: MailSink) -> Iterator[Inbox]:
    with Inbox(smtp) as pages:
        yield pages


def get(url: str) -> tuple[str, dict[str, str]]:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.read().decode(), dict(answer.headers)


def send(recipient: str, *, subject: str = "Hello", html: str = "<p>Hi</p>") -> None:
    message = mail.EmailMultiAlternatives(subject, "Hi", "shop@example.com", [recipient])
    message.attach_alternative(html, "text/html")
    message.send()


def test_list_is_newest_first_and_escapes_subjects(inbox: Inbox) -> None:
    send("ann@example.com", subject="First")
    send("ben@example.com", subject="<b>Second</b>")

    page, _ = get(inbox.url)

    assert page.index("&lt;b&gt;Second") < page.index("First")
    assert "<b>Second" not in page


def test_letter_is_shown_only_inside_a_sandbox(inbox: Inbox, smtp: MailSink) -> None:
    send("ann@example.com", html="<script>alert(1)</script>")
    address = f"{inbox.url}messages/{smtp.letters[0].number}/"

    page, _ = get(address)
    body, headers = get(f"{address}html")

    assert "<script>" not in page
    assert 'sandbox="allow-popups' in page
    assert "<script>" in body
    assert headers["Content-Security-Policy"].startswith("sandbox ")
    assert "allow-scripts" not in headers["Content-Security-Policy"]


def test_api_lists_the_letters_of_one_recipient(inbox: Inbox) -> None:
    send("ann@example.com")
    send("ben@example.com", subject="For Ben")

    (letter,) = json.loads(get(f"{inbox.url}api/messages?to=ben@example.com")[0])

    assert letter["subject"] == "For Ben"
    assert letter["recipients"] == ["ben@example.com"]
    assert letter["headers"]["From"] == "shop@example.com"


@pytest.mark.parametrize("path", ["messages/999999/", "messages/x/html", "nothing"])
def test_unknown_address_is_not_found(inbox: Inbox, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as error:
        get(inbox.url + path)
    error.value.close()

    assert error.value.code == 404
