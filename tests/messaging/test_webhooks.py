"""Calls of other systems: signed, tried again, never at an address inside the network, and nothing they do stops us."""

from __future__ import annotations

import base64
import hmac
import json
import socket
import subprocess
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import urllib3.util.connection

from crm_plugin import clock, contacts, merchant, messaging
from crm_plugin.messaging import CallDraft, calling, webhooks
from crm_plugin.messaging.calling import Answer
from crm_plugin.models import Campaign, CampaignVersion, Contact, Enrollment, Merchant, WebhookCall
from tests.messaging.hooks_server import HooksServer
from tests.together import together

pytestmark = pytest.mark.django_db

PUBLIC = "93.184.215.14"
#: The example of the specification, made with its own library.
SPEC_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def server():
    with HooksServer() as running:
        yield running


@pytest.fixture
def allow_private(settings):
    """As the tests and the demo are: a receiver on this machine may be called."""
    settings.CRM_WEBHOOK_ALLOW_PRIVATE = True


@pytest.fixture
def ask(fake_shop, db):
    """Ask for a call about a contact."""
    now = clock.now()
    campaign = Campaign.objects.create(name="Test", draft={}, created_at=now, updated_at=now)
    version = CampaignVersion.objects.create(campaign=campaign, number=1, definition={}, published_at=now)

    def put(url, *, contact=None):
        contact = contact or contacts.get_or_create(contacts.Person("7", "ann@example.com"))
        count = Enrollment.objects.count()
        run = Enrollment.objects.create(
            campaign=campaign, version=version, contact=contact, epoch=count, lane=f"run:{count}", entered_at=now
        )
        payload = {"type": "campaign.step_reached", "timestamp": "2026-06-03T10:00:00+00:00", "data": {"step": "tell"}}
        draft = CallDraft(
            contact_id=contact.pk,
            enrollment_id=run.pk,
            campaign_id=campaign.pk,
            step_id="tell",
            url=url,
            payload=payload,
        )
        messaging.enqueue_calls([draft, draft])
        return WebhookCall.objects.get(enrollment=run)

    return put


def fate(call):
    call.refresh_from_db()
    return call.state, call.attempts, call.response_status


# What the receiver gets


def test_the_signature_is_that_of_the_specification():
    body = b'{"test": 2432232314}'
    signed = calling.signature(SPEC_SECRET, call_id="msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp=1614265330, body=body)

    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_what_arrives_is_signed_and_names_the_person(server, allow_private, ask):
    call = ask(server.url)

    assert messaging.deliver_calls(10) == 1

    (told,) = server.told
    assert json.loads(told.body) == {
        "type": "campaign.step_reached",
        "timestamp": "2026-06-03T10:00:00+00:00",
        "data": {"step": "tell", "contact": {"customer_id": "7", "email": "ann@example.com"}},
    }
    assert told.headers["content-type"] == "application/json"
    assert told.headers["webhook-id"] == str(call.public_id)
    assert abs(int(told.headers["webhook-timestamp"]) - clock.now().timestamp()) < 60
    (secret,) = merchant.webhook_secrets()
    content = f"{call.public_id}.{told.headers['webhook-timestamp']}.".encode() + told.body
    expected = hmac.digest(base64.b64decode(secret.removeprefix("whsec_")), content, "sha256")
    assert told.headers["webhook-signature"] == f"v1,{base64.b64encode(expected).decode()}"
    assert fate(call) == ("sent", 1, 200)
    assert (call.detail, call.lease_until, call.finished_at is not None) == ("", None, True)


def test_after_a_rotation_both_secrets_sign_and_after_the_next_the_oldest_does_not(server, allow_private, ask):
    first = merchant.webhook_secrets()
    second = merchant.rotate_webhook_secret()
    ask(server.url)
    messaging.deliver_calls(10)
    both = merchant.webhook_secrets()
    third = merchant.rotate_webhook_secret()

    assert len(server.told[0].headers["webhook-signature"].split()) == 2
    assert both == (second, *first)
    assert merchant.webhook_secrets() == (third, second)
    assert len(base64.b64decode(third.removeprefix("whsec_"))) == 24


@pytest.mark.django_db(transaction=True)
def test_two_workers_that_need_the_first_secret_have_the_same(fake_shop):
    found = []
    together(*[lambda: found.append(merchant.webhook_secrets())] * 2)

    assert found[0] == found[1] == (Merchant.objects.get().webhook_secret,)


# What becomes of a call


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_what_was_not_taken_is_tried_again_with_longer_and_longer_pauses(server, allow_private, ask, status):
    server.status, server.body = status, b"not\x00 now"
    call, at, pauses = ask(server.url), clock.now(), []
    for attempt in range(1, webhooks.MAX_ATTEMPTS + 1):
        with clock.travel(to=at + timedelta(days=attempt)):
            messaging.deliver_calls(10)
            state, attempts, _status = fate(call)
            assert attempts == attempt
            if state == "queued":
                pauses.append((call.due_at - clock.now()).total_seconds())

    assert pauses == [60, 120, 240, 480, 960, 1920, 3840]
    assert fate(call) == ("failed", 8, status)
    assert call.detail == f"Answered {status}. not now"
    with clock.travel(to=at + timedelta(days=30)):
        assert messaging.deliver_calls(10) == 0
    assert len({told.headers["webhook-id"] for told in server.told}) == 1


def test_a_receiver_that_is_gone_for_good_is_not_asked_again(server, allow_private, ask):
    server.status = 410
    call = ask(server.url)

    messaging.deliver_calls(10)

    assert fate(call) == ("failed", 1, 410)


NOW = datetime(2026, 6, 3, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "asked", "seconds"),
    [
        (429, "3600", 3600),
        (503, format_datetime(NOW + timedelta(hours=2), usegmt=True), 7200),
        (429, "99999999999999", 24 * 3600),
        (503, format_datetime(NOW + timedelta(days=20), usegmt=True), 24 * 3600),
        (429, "5", 60),  # not sooner than without
        (429, "soon", 60),
        (429, "-5", 60),
        (500, "3600", 60),
    ],
)
def test_a_receiver_that_asks_for_a_pause_gets_it_up_to_a_day(server, allow_private, ask, status, asked, seconds):
    server.status, server.headers = status, {"retry-after": asked}
    call = ask(server.url)
    call.due_at = NOW
    call.save()
    with clock.travel(to=NOW):
        messaging.deliver_calls(10)

    assert fate(call) == ("queued", 1, status)
    assert (call.due_at - NOW).total_seconds() == seconds


def test_a_redirect_is_not_followed(server, allow_private, ask):
    with HooksServer() as other:
        server.status, server.headers = 307, {"location": other.url}
        call = ask(server.url)
        messaging.deliver_calls(10)

    assert fate(call) == ("queued", 1, 307)
    assert (len(server.told), other.told) == (1, [])


def test_of_a_long_answer_only_the_beginning_is_read(server, allow_private, ask):
    server.status, server.body = 500, b"x" * 5_000_000
    call = ask(server.url)

    messaging.deliver_calls(10)

    assert fate(call) == ("queued", 1, 500)
    assert len(call.detail) < 400


def test_an_answer_byte_by_byte_is_cut_off(server, allow_private, ask, monkeypatch):
    monkeypatch.setattr(calling, "TIMEOUT_SECONDS", 0.5)
    server.drip_seconds = 0.1
    call, started = ask(server.url), time.monotonic()

    messaging.deliver_calls(10)

    assert time.monotonic() - started < 5
    assert fate(call) == ("queued", 1, None)


def test_silence_is_a_failure_to_be_tried_again(allow_private, ask, monkeypatch):
    monkeypatch.setattr(calling, "TIMEOUT_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        call = ask(f"http://127.0.0.1:{silent.getsockname()[1]}/")
        messaging.deliver_calls(10)

    assert fate(call) == ("queued", 1, None)
    assert call.detail == "No answer within 0.3 seconds."


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/", "http://[", "http://nowhere.invalid/", "http://\u2603/", "gopher://x"]
)
def test_whatever_is_wrong_with_one_receiver_the_others_are_called(server, allow_private, ask, url):
    broken, good = ask(url), ask(server.url)

    assert messaging.deliver_calls(10) == 2

    assert (fate(broken)[0], broken.detail != "", fate(good)[0]) == ("queued", True, "sent")


def test_a_call_whose_worker_died_is_made_again_under_the_same_id(server, allow_private, ask):
    call = ask(server.url)
    (lost,) = webhooks.claim_calls(10)
    nothing = messaging.deliver_calls(10)
    with clock.travel(by=timedelta(seconds=301)):
        messaging.deliver_calls(10)
        webhooks._settle([(lost, Answer(500))])  # the first worker lives after all, and writes nothing

    assert nothing == 0
    assert fate(call) == ("sent", 2, 200)
    assert server.told[0].headers["webhook-id"] == str(call.public_id)


def test_a_call_that_kills_its_worker_each_time_is_given_up(server, allow_private, ask):
    call = ask(server.url)
    WebhookCall.objects.update(attempts=webhooks.MAX_ATTEMPTS)

    messaging.deliver_calls(10)

    assert (fate(call)[0], server.told) == ("failed", [])


@pytest.mark.django_db(transaction=True)
def test_two_workers_make_each_call_once(server, allow_private, ask):
    calls = [ask(server.url) for _ in range(12)]

    def work():
        while messaging.deliver_calls(3):
            pass

    together(work, work)

    assert sorted(told.headers["webhook-id"] for told in server.told) == sorted(str(call.public_id) for call in calls)


# Whom it is about


def test_a_person_who_was_erased_is_told_to_nobody(server, allow_private, ask):
    call = ask(server.url)
    contacts.erase([call.contact_id])

    messaging.deliver_calls(10)

    assert (fate(call)[0], server.told) == ("failed", [])


def test_forgetting_a_person_stops_the_calls_and_blanks_what_they_said(server, allow_private, ask):
    call = ask(server.url)

    messaging.forget([call.contact_id])

    assert messaging.deliver_calls(10) == 0
    assert (fate(call)[0], call.payload) == ("failed", {})


def test_the_calls_of_two_who_turn_out_to_be_one_are_theirs(server, allow_private, ask):
    guest = contacts.get_or_create(contacts.Person(email="guest@example.com"))
    call, other = ask(server.url, contact=guest), contacts.get_or_create(contacts.Person("8"))

    Enrollment.objects.update(contact=other)
    messaging.absorb(guest.pk, other.pk)
    Contact.objects.filter(pk=guest.pk).delete()
    messaging.deliver_calls(10)

    assert fate(call)[0] == "sent"
    assert json.loads(server.told[0].body)["data"]["contact"]["customer_id"] == "8"


def test_how_far_behind_the_queue_is(server, allow_private, ask):
    server.status = 410
    ask(server.url)
    with clock.travel(by=timedelta(seconds=30)):
        before = webhooks.lag_of_calls()
    messaging.deliver_calls(10)

    assert before["calls_open"] == 1
    assert before["calls_due_oldest_seconds"] >= 29
    assert webhooks.lag_of_calls() == {"calls_open": 0, "calls_failed_of_a_day": 1, "calls_due_oldest_seconds": 0.0}


# Where it never calls


@pytest.fixture
def resolves(monkeypatch):
    """Let names resolve as a test says, each time to the next address; nothing else is asked."""
    real, answers = socket.getaddrinfo, {}

    def look_up(host, port, *args, **kwargs):
        if host not in answers:
            return real(host, port, *args, **kwargs)
        address = answers[host].pop(0) if len(answers[host]) > 1 else answers[host][0]
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return answers


@pytest.fixture
def connects(monkeypatch, server):
    """Note every address that is connected to, and connect to the server instead."""
    asked = []

    def connect(address, *args, **kwargs):
        asked.append(address)
        return socket.create_connection(("127.0.0.1", server.port), timeout=5)

    monkeypatch.setattr(urllib3.util.connection, "create_connection", connect)
    return asked


PRIVATE = [
    "127.0.0.1", "127.8.9.1", "0.0.0.0", "10.0.0.1", "172.16.3.4", "192.168.1.1", "169.254.169.254",  # noqa: S104
    "100.64.0.1",
    "192.0.0.8", "192.0.2.1", "198.18.0.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::1", "::", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::7f00:1", "fe80::1", "fc00::1",
    "fec0::1", "ff02::1", "64:ff9b::7f00:1", "64:ff9b:1::7f00:1", "2002:7f00:1::", "2001:db8::1", "3fff::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_no_address_that_is_not_public_is_connected_to(ask, resolves, connects, address):
    resolves["hooks.example"] = [address]
    call = ask("https://hooks.example/")

    messaging.deliver_calls(10)

    assert (fate(call)[0], connects) == ("failed", [])
    assert "not a public address" in call.detail


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://localhost/",
        "https://user@127.0.0.1/",
    ],
)
def test_however_the_address_is_written(ask, connects, url):
    call = ask(url)

    messaging.deliver_calls(10)

    assert fate(call)[0] in ("failed", "queued")
    assert connects == []


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/",
        "ftp://hooks.example/",
        "https:///x",
        "https://hooks.example:22/",
        "https://hooks.example:1024/",
    ],
)
def test_only_https_on_its_port_or_a_free_one(ask, resolves, connects, url):
    resolves["hooks.example"] = [PUBLIC]
    call = ask(url)

    messaging.deliver_calls(10)

    assert (fate(call)[0], connects) == ("failed", [])


def test_a_name_that_answers_otherwise_the_second_time_gains_nothing(ask, resolves, connects):
    resolves["hooks.example"] = [PUBLIC, "127.0.0.1"]
    ask("https://hooks.example:8443/")

    messaging.deliver_calls(10)

    assert connects == [(PUBLIC, 8443)]


@pytest.fixture
def certificate(tmp_path):
    """A certificate for hooks.example and its key, signed by nobody but itself."""
    path = tmp_path / "hooks.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = ["-days", "30", "-subj", "/CN=hooks.example", "-addext", "subjectAltName=DNS:hooks.example"]
    subprocess.run([*command, *names, "-keyout", path, "-out", f"{path}.crt"], check=True, capture_output=True)
    path.write_text(path.read_text() + path.with_name("hooks.pem.crt").read_text())
    return str(path)


@pytest.mark.parametrize(("host", "is_trusted", "state"), [
    ("hooks.example", True, "sent"),
    ("hooks.example", False, "queued"),
    ("other.example", True, "queued"),
])  # fmt: skip
def test_the_certificate_is_checked_for_the_name_although_the_address_is_called(
    server, ask, resolves, connects, certificate, monkeypatch, host, is_trusted, state
):
    server.encrypt(certificate)
    if is_trusted:
        monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", certificate)
    resolves[host] = [PUBLIC]
    call = ask(f"https://{host}/hook")

    messaging.deliver_calls(10)

    assert connects == [(PUBLIC, 443)]
    assert fate(call)[0] == state
    assert len(server.told) == (state == "sent")


def test_no_proxy_of_the_environment_is_used(server, ask, allow_private, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    call = ask(server.url)

    messaging.deliver_calls(10)

    assert fate(call)[0] == "sent"
