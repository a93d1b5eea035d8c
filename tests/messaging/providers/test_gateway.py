"""A merchant's own gateway: signed batches, each message taken once, an answer for each."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from crm_plugin import merchant
from crm_plugin.messaging import calling, channels
from crm_plugin.messaging.channels import ChannelDown, HandOut
from crm_plugin.money import Money
from tests.messaging.providers.letters import AMERICAN, KOREAN, brand_to, text_to
from tests.messaging.providers.serving import CUT, MALFORMED, SILENT, Reply
from tests.messaging.providers.test_solapi import hand_out, results

pytestmark = pytest.mark.django_db


def test_a_batch_arrives_signed(gateway):
    letters = [text_to(KOREAN, subject="(광고) 세일", text="가"), text_to(AMERICAN, text="Sale")]

    receipts = hand_out(*letters)

    assert results(receipts) == [HandOut.SENT] * 2
    assert [one.provider_id for one in receipts] == [f"gw-{letter.public_id}" for letter in letters]
    [(path, headers, body)] = gateway.requests
    assert (path, headers["content-type"]) == ("/messages", "application/json")
    assert json.loads(body)["data"]["messages"][0] == {
        "id": str(letters[0].public_id),
        "channel": "sms",
        "form": "lms",
        "to": KOREAN,
        "from": "1588-1234",
        "language": "ko",
        "is_marketing": True,
        "subject": "(광고) 세일",
        "text": "가",
    }


@pytest.mark.feature(66)
def test_a_kakao_message_arrives_with_all_that_it_has(gateway):
    [receipt] = hand_out(brand_to(image_url="https://shop.example/a.jpg"), kind="kakao")

    [message] = gateway.taken.values()
    assert receipt.result == HandOut.SENT
    assert (message["channel"], message["from"], message["image_url"]) == (
        "kakao",
        "KA01PF",
        "https://shop.example/a.jpg",
    )
    assert message["is_advertisement"] is True


def test_a_message_that_is_offered_again_is_the_same_call_and_is_taken_once(gateway):
    letter = text_to()
    gateway.mute = {KOREAN}
    first = hand_out(letter)
    gateway.mute = set()

    again = hand_out(letter)

    assert (results(first), results(again)) == ([HandOut.LOST], [HandOut.SENT])
    assert len(gateway.taken) == 1
    assert len({headers["webhook-id"] for _, headers, _ in gateway.requests}) == 1
    assert channels.get("sms").has_idempotency_key


def test_the_secret_before_the_last_one_still_holds(gateway):
    merchant.rotate_webhook_secret()

    assert results(hand_out(text_to())) == [HandOut.SENT]


@pytest.mark.parametrize(
    ("said", "result"),
    [
        ({"result": "address_refused"}, HandOut.ADDRESS_REFUSED),
        ({"result": "rejected"}, HandOut.REJECTED),
        ({"result": "retry"}, HandOut.RETRY),
        ({"result": "later", "retry_seconds": 30}, HandOut.LATER),
    ],
)
def test_one_that_is_refused_spoils_no_other(gateway, said, result):
    gateway.answers[AMERICAN] = said

    receipts = hand_out(text_to(KOREAN), text_to(AMERICAN), text_to(KOREAN))

    assert results(receipts) == [HandOut.SENT, result, HandOut.SENT]
    assert receipts[1].retry_seconds == said.get("retry_seconds")


def test_the_gateway_may_tell_the_cost(gateway):
    gateway.answers[KOREAN] = {"result": "sent", "cost": "0.0075", "currency": "USD"}

    assert hand_out(text_to())[0].cost == Money(Decimal("0.0075"), "USD")


@pytest.mark.parametrize(
    ("trouble", "result", "seconds"),
    [
        (Reply(429, b"", {"retry-after": "7"}), HandOut.LATER, 7.0),
        (Reply(503, b"", {"retry-after": "7"}), HandOut.LATER, 7.0),
        (Reply(401), HandOut.LATER, None),
        (Reply(404), HandOut.LATER, None),
        (Reply(302, b"", {"location": "/"}), HandOut.LATER, None),
        (Reply(500), HandOut.RETRY, None),
        (MALFORMED, HandOut.LOST, None),
        (Reply(200, b""), HandOut.LOST, None),
        (Reply.json({"messages": []}), HandOut.LOST, None),
        (Reply.json({"messages": [{"id": "x", "result": "eaten"}]}), HandOut.LOST, None),
        (CUT, HandOut.LOST, None),
    ],
)
def test_trouble(gateway, trouble, result, seconds):
    gateway.troubles.append(trouble)

    [receipt] = hand_out(text_to())

    assert (receipt.result, receipt.retry_seconds) == (result, seconds)
    assert gateway.taken == {}


def test_a_gateway_that_says_nothing_is_not_waited_for_for_ever(gateway, monkeypatch):
    monkeypatch.setattr(calling, "TIMEOUT_SECONDS", 0.3)
    gateway.troubles.append(SILENT)

    assert results(hand_out(text_to())) == [HandOut.LOST]


def test_a_gateway_that_is_away_took_nothing(gateway, settings):
    settings.CRM_GATEWAY_URL = "http://127.0.0.1:9/"

    assert results(hand_out(text_to())) == [HandOut.LATER]


def test_a_gateway_may_stand_inside_the_network_because_the_operator_names_it(gateway, settings):
    settings.CRM_WEBHOOK_ALLOW_PRIVATE = False

    assert results(hand_out(text_to())) == [HandOut.SENT]


def test_what_is_missing_is_named(gateway, settings):
    settings.CRM_GATEWAY_URL = ""

    with pytest.raises(ChannelDown, match="CRM_GATEWAY_URL"):
        channels.get("sms").open()
