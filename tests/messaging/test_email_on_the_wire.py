"""E-mail as a mailbox provider and a reader get it, through a real mail server: headers, names, size, legal text."""

from __future__ import annotations

import re
from email import message_from_bytes, policy
from email.utils import parseaddr
from urllib.parse import urlsplit

import pytest
from django.test import Client

from crm_plugin import contacts
from crm_plugin.messaging.channels import HandOut
from crm_plugin.messaging.channels.email import LARGEST_BYTES, EmailChannel, build
from crm_plugin.messaging.mime import as_bytes
from tests.messaging.conftest import content, korean
from tests.messaging.envelopes import envelope

LONG = "x" * 600


@pytest.fixture
def hand_out(smtp):
    """Hand mails to the mail server, one after the other."""
    channel = EmailChannel()
    channel.open()
    yield lambda *envelopes: [receipt.result for receipt in channel.hand_out(envelopes)]
    channel.close()


def headers(raw: bytes) -> list[tuple[str, str]]:
    parsed = message_from_bytes(raw, policy=policy.default)
    return [(name.lower(), str(value)) for name, value in parsed.items()]


@pytest.mark.feature(63)
@pytest.mark.django_db
def test_the_one_click_header_is_an_https_address_in_angle_brackets_that_takes_a_post(
    smtp, queue, deliver, make_contact
):
    person = make_contact()
    queue(person)
    deliver()
    sent = smtp.letters[0].message

    value = sent["List-Unsubscribe"].strip()
    assert re.fullmatch(r"<https://shop\.example/crm/unsubscribe/[^<>,\s]+>", value)
    assert sent["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    path = urlsplit(value.strip("<>")).path
    assert Client().get(path).status_code == 200
    assert contacts.reach([person.pk], channel="email")[person.pk].has_consent

    answer = Client(enforce_csrf_checks=True).post(path, {"List-Unsubscribe": "One-Click"})

    assert answer.status_code == 200
    assert not contacts.reach([person.pk], channel="email")[person.pk].has_consent


@pytest.mark.django_db
def test_what_is_no_advertisement_offers_no_way_out_in_its_headers(smtp, queue, deliver):
    queue(message_class="transactional")
    deliver()

    names = {name for name, _ in headers(smtp.letters[0].raw)}
    assert not {name for name in names if name.startswith("list-")}


@pytest.mark.parametrize("breaks", ["\r\n", "\n", "\r", "\x00", "\x0b", "\u2028", "\x85"])
@pytest.mark.parametrize("field", ["subject", "sender_name"])
def test_a_line_break_in_a_name_or_subject_starts_no_header(hand_out, smtp, breaks, field):
    outcome = hand_out(envelope(**{field: f"Hello{breaks}Bcc: eve@evil.example{breaks}{breaks}<p>body"}))

    assert outcome == [HandOut.SENT]
    (letter,) = smtp.letters
    assert letter.recipients == ("ann@example.com",)
    names = [name for name, _ in headers(letter.raw)]
    assert "bcc" not in names
    assert names.count("subject") == names.count("from") == names.count("to") == 1
    assert letter.text.strip().startswith("Hello")


@pytest.mark.parametrize(
    "changes",
    [
        {"recipient": "ann@example.com\r\nBcc: eve@evil.example"},
        {"recipient": "ann@example.com>\nRCPT TO:<eve@evil.example"},
        {"recipient": "ann@example.com, eve@evil.example"},
        {"recipient": ""},
        {"recipient": "nobody"},
        {"recipient": "j\u00f6rg@example.com"},
        {"reply_to": "a@b.example\r\nBcc: eve@evil.example"},
        {"unsubscribe_url": "https://shop.example/\r\nBcc: eve@evil.example"},
    ],
)
def test_an_address_that_is_none_or_several_is_rejected_before_anything_leaves(hand_out, smtp, changes):
    assert hand_out(envelope(**changes), envelope(number=8)) == [HandOut.REJECTED, HandOut.SENT]

    assert [letter.recipients for letter in smtp.letters] == [("ann@example.com",)]


def test_foreign_domains_and_names_arrive_at_a_server_without_smtputf8(hand_out, smtp):
    sender = {"sender_name": 'M\u00fcller, "S\u00f6hne"', "sender_email": "news@b\u00fccher.example"}

    assert hand_out(envelope(recipient="kim@\uc1fc\ud551\ubab0.\ud55c\uad6d", **sender)) == [HandOut.SENT]

    (letter,) = smtp.letters
    assert letter.recipients == ("kim@xn--352bl7khqr.xn--3e0b707e",)
    assert letter.sender == "news@xn--bcher-kva.example"
    assert parseaddr(str(letter.message["From"]))[1] == "news@xn--bcher-kva.example"
    assert letter.message["Message-ID"].endswith("@xn--bcher-kva.example>")
    assert letter.message["From"].addresses[0].display_name == 'M\u00fcller, "S\u00f6hne"'
    head = letter.raw.replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    assert head.isascii()


@pytest.mark.parametrize(
    "url", ["https://shop.example/" + "p" * 5_000_000, "data:image/png;base64," + "A" * 5_000_000], ids=["url", "data"]
)
def test_a_picture_of_five_megabytes_is_rejected_with_a_reason(smtp, url):
    channel = EmailChannel()
    channel.open()

    receipts = channel.hand_out([envelope(html=f'<img src="{url}">'), envelope(number=8)])
    channel.close()

    assert [receipt.result for receipt in receipts] == [HandOut.REJECTED, HandOut.SENT]
    assert "too large" in receipts[0].detail
    assert str(LARGEST_BYTES) in receipts[0].detail
    assert len(smtp.letters) == 1


@pytest.mark.parametrize(
    ("html", "expected"),
    [("x" * (LARGEST_BYTES - 10), HandOut.SENT), ("\uac00" * (LARGEST_BYTES // 3 + 1), HandOut.REJECTED)],
    ids=["ascii", "korean"],
)
def test_the_size_is_counted_in_bytes(hand_out, html, expected):
    assert hand_out(envelope(html=html, text="x")) == [expected]


@pytest.mark.django_db
@pytest.mark.feature(63)
def test_a_korean_advertisement_holds_what_the_law_asks_for(smtp, queue, deliver, make_contact, us):
    us.sender_name, us.consent_text = (
        "\uafc3\uc9d1",
        "\ud68c\uc6d0\uac00\uc785 \ub54c \ub3d9\uc758\ud558\uc168\uc2b5\ub2c8\ub2e4.",
    )
    us.default_language, us.country = "ko", "KR"
    us.save()
    queue(make_contact(language="ko"), template={"ko": korean(subject="\uc138\uc77c")})

    deliver()

    (letter,) = smtp.letters
    assert letter.subject == "(\uad11\uace0) \uc138\uc77c"
    assert letter.message["From"].addresses[0].display_name == "\uafc3\uc9d1"
    for body in (letter.html, letter.text):
        assert us.consent_text in body
        assert "\uafc3\uc9d1" in body
        assert "https://shop.example/crm/" in body
    assert "\uc218\uc2e0\uac70\ubd80" in letter.html
    assert letter.message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


@pytest.mark.django_db
def test_the_name_of_a_person_cannot_break_out_of_the_subject(smtp, queue, deliver, make_contact):
    queue(
        make_contact(first_name="Ann\r\nBcc: eve@evil.example"),
        template={"en": content(subject="Hi {{ contact.first_name }}")},
    )

    deliver()

    (letter,) = smtp.letters
    assert letter.subject == "Hi Ann Bcc: eve@evil.example"
    assert "bcc" not in {name for name, _ in headers(letter.raw)}


def test_a_long_line_and_a_lone_surrogate_spoil_nothing(hand_out):
    assert hand_out(envelope(subject=LONG, html="\ud800"), envelope(number=8)) == [HandOut.REJECTED, HandOut.SENT]


def test_the_envelope_id_is_the_message_id_over_smtp_and_metadata_stays_out():
    raw = as_bytes(build(envelope(number=9)))

    assert b"Message-ID: <00000000-0000-0000-0000-000000000009@shop.example>" in raw
    assert b"crm_message" not in raw
