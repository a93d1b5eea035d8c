"""App push through Firebase: what its app gets, and whatever Firebase answers is understood."""

from __future__ import annotations

import json
import socket
import time

import pytest

from crm_plugin import contacts, messaging
from crm_plugin.contacts import Endpoint
from crm_plugin.errors import InvalidInput
from crm_plugin.messaging import channels
from crm_plugin.messaging.channels import ChannelDown, HandOut
from crm_plugin.models import Message
from tests.messaging.firebase_server import FirebaseServer, refusal
from tests.messaging.pushing import envelope, look_at_something, person, running_push


@pytest.fixture
def server():
    with FirebaseServer() as running:
        yield running


@pytest.fixture
def set_up(settings, server):
    settings.CRM_FIREBASE_CREDENTIALS = json.dumps(server.credentials)
    settings.CRM_FIREBASE_URL = server.url


@pytest.fixture
def channel(set_up):
    made = channels.get("app_push")
    made.open()
    yield made
    made.close()


def phone(address: str = "token-of-ann") -> Endpoint:
    return Endpoint(channel="app_push", address=address)


# What arrives


def test_the_app_gets_the_note_and_where_it_leads(server, channel, settings):
    settings.CRM_PUSH_TTL_HOURS = 2
    message = envelope(phone(), title="Hello Ann", image_url="https://shop.example/a.jpg")
    key = message.public_id.hex

    (receipt,) = channel.hand_out([message])

    (got,) = server.messages
    assert (receipt.result, receipt.provider_id) == (HandOut.SENT, "projects/shop-example/messages/1")
    assert got["token"] == "token-of-ann"
    assert got["notification"] == {
        "title": "Hello Ann",
        "body": "The spring is here.",
        "image": "https://shop.example/a.jpg",
    }
    assert got["data"] == {"message": key, "url": "https://shop.example/crm/click/x/"}
    assert got["android"] == {
        "collapse_key": key,
        "priority": "normal",
        "ttl": "7200s",
        "notification": {"tag": key},
    }
    assert got["apns"]["headers"]["apns-collapse-id"] == key
    assert abs(int(got["apns"]["headers"]["apns-expiration"]) - time.time() - 7_200) < 60


def test_news_about_an_order_goes_first_and_a_note_without_address_has_none(server, channel):
    channel.hand_out([envelope(phone(), is_marketing=False, url="")])

    (got,) = server.messages
    assert got["android"]["priority"] == "high"
    assert list(got["data"]) == ["message"]


def test_a_long_text_is_cut(server, channel):
    (receipt,) = channel.hand_out([envelope(phone(), text="가" * 4_000)])

    (got,) = server.messages
    assert receipt.result == HandOut.SENT
    assert got["notification"]["body"].strip("가") == "…"
    assert len(json.dumps(got, ensure_ascii=False).encode()) <= 4_096


def test_what_cannot_be_made_to_fit_is_not_sent_and_the_others_are(server, channel):
    long = envelope(phone(), url="https://shop.example/" + "x" * 5_000)

    receipts = channel.hand_out([long, envelope(phone("token-of-bob"))])

    assert [one.result for one in receipts] == [HandOut.REJECTED, HandOut.SENT]
    assert [one["token"] for one in server.messages] == ["token-of-bob"]


# What Firebase answers


@pytest.mark.parametrize(
    ("answer", "result", "retry", "is_gone"),
    [
        (refusal(404, "NOT_FOUND", fcm="UNREGISTERED"), HandOut.ADDRESS_REFUSED, None, True),
        (refusal(403, "PERMISSION_DENIED", fcm="SENDER_ID_MISMATCH"), HandOut.ADDRESS_REFUSED, None, True),
        (refusal(429, "RESOURCE_EXHAUSTED", fcm="QUOTA_EXCEEDED"), HandOut.LATER, None, False),
        (refusal(400, "INVALID_ARGUMENT", fcm="INVALID_ARGUMENT"), HandOut.REJECTED, None, False),
        (refusal(400, "INVALID_ARGUMENT"), HandOut.REJECTED, None, False),
        (refusal(503, "UNAVAILABLE", fcm="UNAVAILABLE"), HandOut.RETRY, None, False),
        (refusal(500, "INTERNAL", fcm="INTERNAL"), HandOut.RETRY, None, False),
        (refusal(504, "DEADLINE_EXCEEDED"), HandOut.RETRY, None, False),
        (refusal(401, "UNAUTHENTICATED", fcm="THIRD_PARTY_AUTH_ERROR"), HandOut.LATER, None, False),
        (refusal(403, "PERMISSION_DENIED"), HandOut.LATER, None, False),
        ((502, {}, b"<html>Bad Gateway</html>"), HandOut.RETRY, None, False),
        ((200, {}, b"no json"), HandOut.LOST, None, False),
        ((200, {}, b"{}"), HandOut.LOST, None, False),
        ((200, {}, b"[]"), HandOut.LOST, None, False),
        ((0, {}, b""), HandOut.LOST, None, False),
    ],
)
def test_every_answer_is_understood(server, channel, answer, result, retry, is_gone):
    server.refusals["token-of-ann"] = answer

    (receipt,) = channel.hand_out([envelope(phone())])

    assert (receipt.result, receipt.retry_seconds) == (result, retry)
    assert receipt.gone == (("token-of-ann",) if is_gone else ())
    # After a 401, Google's own client asks for a new access token first: nothing was taken.
    assert len(server.messages) == (3 if answer[0] == 401 else 1)


@pytest.mark.parametrize("status", [429, 503])
def test_the_wait_that_firebase_asks_for_is_passed_on_and_not_sat_out(server, channel, status):
    _, headers, body = refusal(status, "RESOURCE_EXHAUSTED" if status == 429 else "UNAVAILABLE")
    server.refusals["token-of-ann"] = status, headers | {"retry-after": "60"}, body
    began = time.monotonic()

    (receipt,) = channel.hand_out([envelope(phone())])

    assert (receipt.retry_seconds, len(server.messages)) == (60.0, 1)
    assert time.monotonic() - began < 20


def test_where_nobody_listens_it_is_tried_again(server, set_up, settings):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        settings.CRM_FIREBASE_URL = f"http://127.0.0.1:{free.getsockname()[1]}"

        (receipt,) = channels.get("app_push").hand_out([envelope(phone())])

    assert (receipt.result, server.messages) == (HandOut.RETRY, [])


def test_a_person_is_reached_when_any_of_their_devices_is(server, channel):
    server.refusals["token-of-old"] = refusal(404, "NOT_FOUND", fcm="UNREGISTERED")
    server.refusals["token-of-slow"] = refusal(503, "UNAVAILABLE")

    (receipt,) = channel.hand_out([envelope(phone("token-of-old"), phone("token-of-slow"), phone())])

    assert (receipt.result, receipt.gone, len(server.messages)) == (HandOut.SENT, ("token-of-old",), 3)


def test_a_batch_of_many_is_answered_in_order_and_one_bad_token_spoils_no_other(server, channel):
    batch = [envelope(*(phone(f"token-of-{number}-{place}") for place in range(2))) for number in range(100)]
    server.refusals |= {
        f"token-of-50-{place}": refusal(400, "INVALID_ARGUMENT", fcm="INVALID_ARGUMENT") for place in range(2)
    }

    receipts = channel.hand_out(batch)

    assert [number for number, one in enumerate(receipts) if one.result != HandOut.SENT] == [50]
    assert receipts[50].result == HandOut.REJECTED
    assert len(server.messages) == 200


# Setting it up


def test_the_access_token_is_asked_for_once_for_many_connections(server, set_up):
    for _ in range(3):
        channel = channels.get("app_push")
        channel.open()
        channel.hand_out([envelope(phone())])
        channel.close()

    assert (server.tokens_given, len(server.messages)) == (1, 3)


def test_the_service_account_may_be_a_file(server, set_up, settings, tmp_path):
    (tmp_path / "account.json").write_text(json.dumps(server.credentials))
    settings.CRM_FIREBASE_CREDENTIALS = str(tmp_path / "account.json")

    channels.get("app_push").open()

    assert server.tokens_given == 1


@pytest.mark.parametrize(
    ("credentials", "named"),
    [
        ("", "CRM_FIREBASE_CREDENTIALS is not set"),
        ("/no/such/file.json", "CRM_FIREBASE_CREDENTIALS cannot be used"),
        ("{", "CRM_FIREBASE_CREDENTIALS cannot be used"),
        ("{}", "CRM_FIREBASE_CREDENTIALS cannot be used"),
        ('{"type": "service_account"}', "CRM_FIREBASE_CREDENTIALS cannot be used"),
    ],
)
def test_what_is_missing_is_named(set_up, settings, credentials, named):
    settings.CRM_FIREBASE_CREDENTIALS = credentials

    with pytest.raises(ChannelDown, match=named):
        channels.get("app_push").open()


def test_who_is_not_let_in_hands_nothing_out(server, set_up):
    server.token_status = 400

    with pytest.raises(ChannelDown, match="Firebase lets nobody in"):
        channels.get("app_push").hand_out([envelope(phone())])

    assert server.messages == []


@pytest.mark.parametrize("token", ["", "short", "with space in it", "with\nbreak", "토큰토큰토큰토큰", "x" * 2_001])
def test_what_is_no_token_is_refused(token):
    with pytest.raises(InvalidInput) as refused:
        messaging.read_token(token)

    assert refused.value.field == "address"


# The whole way


@pytest.mark.feature(62)
@pytest.mark.django_db(transaction=True)
def test_a_campaign_ends_in_the_app_and_a_device_that_is_gone_is_forgotten(server, set_up, fake_shop):
    fake_shop.add_customer(customer_id="7", email="c7@example.com", first_name="Ann")
    ann = person(agrees_to="app_push")
    for token in ("token-of-ann", "token-of-old"):
        contacts.add_endpoint(ann.pk, channel="app_push", address=token)
    server.refusals["token-of-old"] = refusal(404, "NOT_FOUND", fcm="UNREGISTERED")
    running_push("app_push")

    look_at_something(ann)

    message = Message.objects.get()
    assert (message.state, message.channel, message.detail) == ("sent", "app_push", "")
    assert message.provider_id.startswith("projects/shop-example/messages/")
    assert {one["notification"]["title"] for one in server.messages} == {"Hello Ann"}
    assert server.messages[0]["data"]["url"].startswith("https://shop.example/crm/click/")
    assert [one.address for one in Endpoint.objects.all()] == ["token-of-ann"]
