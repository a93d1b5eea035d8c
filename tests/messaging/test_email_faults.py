"""What goes wrong with a mail server in a batch, over a real one: whose fault it is, what waits, what is sent once."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.core.mail.backends.base import BaseEmailBackend

from crm_plugin import clock, contacts, messaging
from crm_plugin.messaging import Go
from crm_plugin.messaging.channels import Receipt
from crm_plugin.messaging.channels import email as email_channel
from crm_plugin.messaging.providers import smtp
from crm_plugin.models import Message, Suppression
from tests.messaging.unruly_server import DROP, HANG, TAKEN, unruly

pytestmark = pytest.mark.django_db

WAITS, AGAIN = ("queued", "retry", 0), ("queued", "retry", 1)
SENT = ("sent", "", 1)


@pytest.fixture
def server(settings):
    """An unruly mail server that Django mails to."""
    with unruly() as running:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", running.port, 5
        yield running


@pytest.fixture
def batch(queue, make_contact):
    """Three messages to three people."""
    return [queue(make_contact(f"p{number}@example.com")) for number in range(3)]


def states(messages: list[Message]) -> list[tuple[str, str, int]]:
    """State, reason and tries of each."""
    for message in messages:
        message.refresh_from_db()
    return [(message.state, message.reason, message.attempts) for message in messages]


def later(deliver) -> None:
    with clock.travel(by=timedelta(seconds=61)):
        deliver()


def everybody_has_it_once(server) -> bool:
    return sorted(server.taken) == [f"p{number}@example.com" for number in range(3)]


def test_a_batch_that_nothing_happens_to_goes_over_one_connection(server, batch, deliver):
    deliver()

    assert states(batch) == [SENT] * 3
    assert everybody_has_it_once(server)
    assert server.words.count("EHLO") == 1


@pytest.mark.parametrize("word", ["MAIL", "RCPT", "DATA"])
def test_a_line_that_breaks_before_the_mail_leaves_no_doubt_and_it_is_tried_again(server, batch, deliver, word):
    server.say(word, DROP)

    deliver()
    broken = states(batch)
    later(deliver)

    assert broken == [AGAIN, SENT, SENT]
    assert states(batch)[0] == ("sent", "", 2)
    assert everybody_has_it_once(server)


def test_a_line_that_breaks_after_the_mail_leaves_one_in_doubt_that_is_never_sent_again(server, batch, deliver):
    server.say(TAKEN, DROP)

    deliver()
    later(deliver)

    assert states(batch) == [("unknown", "connection_lost", 1), SENT, SENT]
    assert everybody_has_it_once(server)


@pytest.mark.parametrize(("word", "expected"), [("RCPT", AGAIN), (TAKEN, ("unknown", "connection_lost", 1))])
def test_a_server_that_hangs_is_left_after_the_timeout(server, batch, deliver, settings, word, expected):
    settings.EMAIL_TIMEOUT = 2
    server.say(word, HANG)

    deliver()

    assert states(batch) == [expected, SENT, SENT]


def test_a_server_that_answers_no_mail_leaves_two_in_doubt_and_the_rest_waits(server, batch, deliver):
    server.say(TAKEN, DROP, times=100)

    deliver()

    lost = ("unknown", "connection_lost", 1)
    assert states(batch) == [lost, lost, WAITS]
    assert len(server.taken) == 2


def test_no_timeout_in_the_settings_is_not_for_ever(server, settings):
    settings.EMAIL_TIMEOUT = None
    channel = email_channel.EmailChannel()

    channel.open()

    assert channel._connection.connection.sock.gettimeout() == email_channel.TIMEOUT_SECONDS
    channel.close()


@pytest.mark.parametrize("word", ["MAIL", "RCPT", "DATA", TAKEN])
def test_421_is_about_the_server_and_counts_as_no_try(server, batch, deliver, word):
    server.say(word, "421 4.3.2 Shutting down")

    deliver()
    told = states(batch)
    later(deliver)

    assert told == [WAITS, SENT, SENT]
    assert everybody_has_it_once(server)


def test_greylisting_of_one_recipient_holds_up_nobody_else(server, batch, deliver):
    server.say("RCPT", "451 4.7.1 Greylisted, come back later")

    deliver()
    told = states(batch)
    later(deliver)

    assert told == [AGAIN, SENT, SENT]
    assert everybody_has_it_once(server)


@pytest.mark.parametrize("word", ["DATA", TAKEN])
def test_a_temporary_refusal_of_a_mail_does_not_spoil_the_next_one(server, batch, deliver, word):
    server.say(word, "451 4.3.0 Try later")

    deliver()
    told = states(batch)
    later(deliver)

    assert told == [AGAIN, SENT, SENT]
    assert everybody_has_it_once(server)


@pytest.mark.parametrize("word", ["MAIL", TAKEN])
def test_a_mail_that_is_too_large_fails_and_blocks_nobody(server, batch, deliver, word):
    server.say(word, "552 5.3.4 Message too big for system")

    deliver()

    assert states(batch) == [("failed", "rejected", 1), SENT, SENT]
    assert not Suppression.objects.exists()


@pytest.mark.parametrize(
    ("word", "reply"),
    [
        ("MAIL", "530 5.7.0 Authentication required"),
        ("MAIL", "553 5.7.1 Sender address rejected: not owned by user"),
        ("MAIL", "550 No such sender"),
        ("MAIL", "451 4.3.1 Insufficient system storage"),
        ("RCPT", "550 5.1.8 Sender address rejected: Domain not found"),
        ("RCPT", "530 5.7.0 Must issue a STARTTLS command first"),
    ],
)
def test_what_is_wrong_with_the_sender_is_no_recipients_fault(server, batch, deliver, word, reply):
    server.say(word, reply, times=3)

    deliver()
    told = states(batch)
    later(deliver)

    assert told == [WAITS] * 3
    assert states(batch) == [SENT] * 3
    assert everybody_has_it_once(server)
    assert not Suppression.objects.exists()


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("550 5.1.1 No such user", "address_refused"),
        ("550 No such user here", "address_refused"),
        ("556 5.1.10 The domain takes no mail", "address_refused"),
        ("552 5.2.2 Mailbox full", "rejected"),
        ("550 relay not permitted", "rejected"),
        ("550 5.7.26 Not authenticated by SPF or DKIM", "rejected"),
        ("554 Your address is listed", "rejected"),
    ],
)
def test_only_an_address_that_is_none_is_blocked(server, batch, deliver, reply, expected):
    server.say("RCPT", reply)

    deliver()

    assert states(batch) == [("failed", expected, 1), SENT, SENT]
    blocked = contacts.reach([batch[0].contact_id], channel="email")[batch[0].contact_id].suppressed_for
    assert (blocked is not None) == (expected == "address_refused")


def test_an_address_that_is_refused_with_the_mail_is_blocked_too(server, batch, deliver):
    server.say(TAKEN, "550 5.1.1 No such user")

    deliver()

    assert states(batch) == [("failed", "address_refused", 1), SENT, SENT]


@pytest.mark.parametrize("reply", [DROP, "500 What?"])
def test_trouble_when_saying_goodbye_changes_nothing(server, batch, deliver, reply):
    server.say("QUIT", reply)

    deliver()
    later(deliver)

    assert states(batch) == [SENT] * 3
    assert everybody_has_it_once(server)


def test_an_answer_that_is_none_leaves_the_mail_in_doubt(server, batch, deliver):
    server.say(TAKEN, "hello")

    deliver()

    assert states(batch) == [("unknown", "connection_lost", 1), SENT, SENT]


def test_a_letter_before_the_at_that_few_servers_take_is_told_to_nobody(server, queue, make_contact, deliver):
    messages = [queue(make_contact("jörg@example.com")), queue(make_contact("p0@example.com"))]

    deliver()

    assert states(messages) == [("failed", "rejected", 1), SENT]
    assert server.words.count("MAIL") == 1


def test_when_the_name_of_the_mail_server_is_gone_everything_waits(batch, deliver, settings, monkeypatch):
    def gone(*_args: object, **_kwargs: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST = "mail.shop.example"
    monkeypatch.setattr(socket, "getaddrinfo", gone)

    deliver()

    assert states(batch) == [WAITS] * 3
    assert "Name or service not known" in batch[0].detail


def test_a_password_that_is_refused_is_nobody_elses_fault(batch, deliver, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "shop", "wrong"
    with unruly(refuses_passwords=True) as server:
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", server.port, 5

        deliver()

    assert states(batch) == [WAITS] * 3
    assert "535" in batch[0].detail
    assert server.taken == []


def test_a_certificate_that_is_not_the_servers_gets_no_mail(batch, deliver, settings, tmp_path):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_USE_TLS = True
    with unruly(tls=_tls_of_nobody(tmp_path)) as server:
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", server.port, 5

        deliver()

    assert states(batch) == [WAITS] * 3
    assert "CERTIFICATE_VERIFY_FAILED" in batch[0].detail
    assert server.taken == []


def test_who_unsubscribes_after_the_claim_gets_nothing(server, batch):
    claimed = messaging.claim(10)
    contacts.set_consent(batch[1].contact_id, channel="email", is_granted=False, source="unsubscribe_link")

    messaging.deliver(claimed, verdicts={one.pk: Go() for one in batch}, on_outcomes=lambda _some: None)

    assert states(batch) == [SENT, ("skipped", "no_consent", 0), SENT]
    assert server.taken == ["p0@example.com", "p2@example.com"]


def test_who_unsubscribes_while_the_batch_goes_out_gets_nothing_of_its_next_chunk(
    server, batch, deliver, settings, monkeypatch
):
    settings.CRM_HANDOUT_BATCH = 1
    send = smtp.send

    def send_and_let_the_last_one_go(*args: Any, **kwargs: Any) -> Receipt:
        contacts.set_consent(batch[2].contact_id, channel="email", is_granted=False, source="unsubscribe_link")
        return send(*args, **kwargs)

    monkeypatch.setattr(smtp, "send", send_and_let_the_last_one_go)

    deliver()

    assert states(batch) == [SENT, SENT, ("skipped", "no_consent", 0)]
    assert server.taken == ["p0@example.com", "p1@example.com"]


class OddBackend(BaseEmailBackend):
    """Raises what no other backend raises."""

    error: Exception = KeyError("odd")

    def send_messages(self, email_messages: object) -> int:
        """Never send."""
        raise self.error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (KeyError("odd"), [("unknown", "connection_lost", 1)] * 2 + [WAITS]),
        (ConnectionRefusedError("nobody"), [WAITS] * 3),
        (socket.gaierror("no such host"), [WAITS] * 3),
    ],
)
def test_a_backend_with_errors_of_its_own_breaks_no_batch(batch, deliver, settings, monkeypatch, error, expected):
    settings.CRM_EMAIL_BACKEND = f"{__name__}.OddBackend"
    monkeypatch.setattr(OddBackend, "error", error)

    deliver()

    assert states(batch) == expected


def _tls_of_nobody(folder: Path) -> ssl.SSLContext:
    """Return what a server has that shows a certificate which nobody signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.other.example")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    signed = made.not_valid_before(now).not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    file = folder / "server.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context
