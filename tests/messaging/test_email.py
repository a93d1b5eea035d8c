"""The e-mail channel: the mail on the wire, and what an exception of a backend means."""

from __future__ import annotations

import smtplib
from email import message_from_bytes, policy

import pytest
from django.core import mail
from django.core.mail import BadHeaderError, EmailMultiAlternatives

from crm_plugin.messaging import channels
from crm_plugin.messaging.channels import HandOut
from crm_plugin.messaging.channels.email import EmailChannel, build
from crm_plugin.messaging.mime import as_bytes
from crm_plugin.messaging.providers.smtp import read_error
from tests.messaging.envelopes import envelope

ENVELOPE = envelope()
UNSUBSCRIBE_URL = "https://shop.example/crm/unsubscribe/" + "t" * 90 + "/"


def wire(**changes: str) -> bytes:
    return as_bytes(build(envelope(**changes)))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"subject": "(광고) 찜한 상품의 가격이 내렸어요 " * 6, "text": "안녕하세요\n", "html": "<p>안녕</p>"},
        {"subject": "word " * 50},
        {"sender_name": 'Müller, "Sons" & Co', "reply_to": "hilfe@müller.example"},
        {"html": "<p>" + "é" * 2_000 + "</p>", "text": "x" * 3_000},
        {"text": ".dot\r\n\r\nlast", "html": "<p>\rone\r\ntwo\n</p>"},
    ],
    ids=["plain", "korean", "long subject", "foreign names", "long lines", "line ends"],
)
def test_the_mail_on_the_wire_says_what_djangos_own_says(changes):
    ours = message_from_bytes(wire(**changes), policy=policy.default)
    theirs = message_from_bytes(build(envelope(**changes)).message().as_bytes(), policy=policy.default)

    for name in ("Subject", "From", "To", "Reply-To", "Message-ID", "List-Unsubscribe", "List-Unsubscribe-Post"):
        assert str(ours[name]).strip() == str(theirs[name]).strip(), name
    for kind in ("plain", "html"):
        mine, reference = (message.get_body((kind,)).get_content().splitlines() for message in (ours, theirs))
        assert "\n".join(mine).rstrip("\n") == "\n".join(reference).rstrip("\n")
    assert ours.defects == []
    assert max(map(len, wire(**changes).split(b"\r\n"))) <= 998
    assert b"\n" not in wire(**changes).replace(b"\r\n", b"")


def test_the_unsubscribe_address_is_not_folded():
    assert f"List-Unsubscribe: <{UNSUBSCRIBE_URL}>\r\n".encode() in wire()


def test_a_line_break_in_a_header_is_refused():
    with pytest.raises(BadHeaderError):
        as_bytes(
            EmailMultiAlternatives("a\nBcc: b", "x", "a@b.example", ["c@d.example"], alternatives=[("x", "text/html")])
        )


def test_other_backends_get_djangos_own_mail(settings):
    settings.CRM_EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    channel = channels.get("email")
    channel.open()

    (receipt,) = channel.hand_out([ENVELOPE])
    channel.close()

    (sent,) = mail.outbox
    assert type(sent) is EmailMultiAlternatives
    assert (receipt.result, receipt.provider_id) == (HandOut.SENT, f"<{ENVELOPE.public_id}@shop.example>")


class _ApiError(Exception):
    def __init__(self, status_code: int) -> None:
        super().__init__("the provider's words")
        self.status_code = status_code


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (smtplib.SMTPRecipientsRefused({"a@b": (550, b"5.1.1 unknown")}), HandOut.ADDRESS_REFUSED),
        (smtplib.SMTPRecipientsRefused({"a@b": (550, b"no such user")}), HandOut.ADDRESS_REFUSED),
        (smtplib.SMTPRecipientsRefused({"a@b": (554, b"5.7.1 relaying denied")}), HandOut.REJECTED),
        (smtplib.SMTPRecipientsRefused({"a@b": (450, b"greylisted")}), HandOut.RETRY),
        (smtplib.SMTPSenderRefused(553, b"no", "x@y"), HandOut.LATER),
        (smtplib.SMTPDataError(552, b"too big"), HandOut.REJECTED),
        (smtplib.SMTPDataError(421, b"going down"), HandOut.LATER),
        (smtplib.SMTPAuthenticationError(535, b"wrong password"), HandOut.LATER),
        (smtplib.SMTPDataError(-1, b"garbage"), HandOut.LOST),
        (smtplib.SMTPNotSupportedError("SMTPUTF8"), HandOut.REJECTED),
        (smtplib.SMTPServerDisconnected("gone"), HandOut.LOST),
        (TimeoutError("timed out"), HandOut.LOST),
        (ConnectionResetError(), HandOut.LOST),
        (RuntimeError("who knows"), HandOut.LOST),
        (BadHeaderError("line break"), HandOut.REJECTED),
        (_ApiError(429), HandOut.LATER),
        (_ApiError(401), HandOut.LATER),
        (_ApiError(504), HandOut.LOST),
        (_ApiError(503), HandOut.RETRY),
        (_ApiError(400), HandOut.REJECTED),
    ],
)
def test_what_an_exception_says_about_the_message(error, expected):
    assert read_error(error).result == expected


@pytest.mark.parametrize("changes", [{"sender_email": ""}, {"recipient": "ann@example.com, bob@example.com"}])
def test_what_no_mail_can_carry_is_rejected_before_anything_leaves(smtp, changes):
    channel = EmailChannel()
    channel.open()

    receipts = channel.hand_out([envelope(**changes), ENVELOPE])
    channel.close()

    assert [receipt.result for receipt in receipts] == [HandOut.REJECTED, HandOut.SENT]
    assert len(smtp.letters) == 1


def test_a_server_that_hung_up_between_two_chunks_is_called_again(smtp, settings):
    channel = EmailChannel()
    channel.open()
    assert channel._connection is not None
    channel._connection.connection.sock.close()

    channel.open()
    (receipt,) = channel.hand_out([ENVELOPE])
    channel.close()

    assert receipt.result == HandOut.SENT
    assert len(smtp.letters) == 1
