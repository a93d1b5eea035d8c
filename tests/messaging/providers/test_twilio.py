"""Twilio: what arrives there, and what each of its answers becomes."""

from __future__ import annotations

import json
import time

import pytest

from crm_plugin import conf
from crm_plugin.messaging import channels
from crm_plugin.messaging.channels import ChannelDown, HandOut
from crm_plugin.messaging.providers import twilio as provider
from tests.messaging.providers.letters import AMERICAN, KOREAN, text_to
from tests.messaging.providers.serving import CUT, SILENT, Reply
from tests.messaging.providers.test_solapi import hand_out, results
from tests.messaging.providers.twilio_server import TOKEN


def number(index):
    return f"+1415555{index:04d}"


def test_a_text_message_arrives_with_the_address_for_its_receipts(twilio, fake_shop):
    letter = text_to(AMERICAN, text="Sale\nReply STOP to opt out.")

    [receipt] = hand_out(letter)

    assert receipt.result == HandOut.SENT
    assert twilio.taken[receipt.provider_id] == {
        "To": AMERICAN,
        "From": "+15005550006",
        "Body": "Sale\nReply STOP to opt out.",
        "StatusCallback": f"{fake_shop.public_url}receipts/twilio/?message={letter.public_id}",
    }


def test_a_messaging_service_may_be_the_sender(twilio, settings):
    settings.CRM_TWILIO_SENDER = "MG" + "1" * 32

    [receipt] = hand_out(text_to(AMERICAN))

    assert twilio.taken[receipt.provider_id]["MessagingServiceSid"] == "MG" + "1" * 32
    assert "From" not in twilio.taken[receipt.provider_id]


def test_the_title_of_an_lms_is_the_first_line_elsewhere(twilio):
    [receipt] = hand_out(text_to(AMERICAN, subject="Sale", text="All of it"))

    assert twilio.taken[receipt.provider_id]["Body"] == "Sale\nAll of it"


def test_each_of_many_gets_its_own_answer(twilio):
    twilio.stopped = {number(13)}
    letters = [text_to(number(index), text=f"text {index}") for index in range(30)]

    receipts = hand_out(*letters)

    assert [index for index, one in enumerate(receipts) if one.result != HandOut.SENT] == [13]
    assert receipts[13].result == HandOut.ADDRESS_REFUSED
    assert [twilio.taken[one.provider_id]["Body"] for one in receipts if one.provider_id] == [
        f"text {index}" for index in range(30) if index != 13
    ]


def error(status, code, **headers):
    return Reply.json({"code": code, "message": "words", "status": status}, status, **headers)


@pytest.mark.parametrize(
    ("trouble", "result", "seconds"),
    [
        (error(400, 21211), HandOut.ADDRESS_REFUSED, None),
        (error(400, 21614), HandOut.ADDRESS_REFUSED, None),
        (error(400, 21610), HandOut.ADDRESS_REFUSED, None),
        (error(400, 21212), HandOut.REJECTED, None),
        (error(400, 21408), HandOut.REJECTED, None),
        (error(429, 20429, retry_after="7"), HandOut.LATER, 7.0),
        (error(400, 21611), HandOut.LATER, None),
        (error(401, 20003), HandOut.LATER, None),
        (error(500, 20500), HandOut.RETRY, None),
        (Reply(503, b"<html>", {"retry-after": "11"}), HandOut.RETRY, 11.0),
        (Reply(400, b"[1]"), HandOut.REJECTED, None),
        (Reply(201, b'{"sid": "SM'), HandOut.LOST, None),
        (Reply(201, b"[]"), HandOut.LOST, None),
        (Reply(201, json.dumps({"sid": None}).encode()), HandOut.LOST, None),
        (CUT, HandOut.LOST, None),
    ],
)
def test_trouble(twilio, trouble, result, seconds):
    twilio.troubles.append(trouble)

    [receipt] = hand_out(text_to(AMERICAN))

    assert (receipt.result, receipt.retry_seconds) == (result, seconds)
    assert TOKEN not in receipt.detail
    assert twilio.taken == {}


def test_a_server_that_says_nothing_is_not_waited_for_for_ever(twilio, monkeypatch):
    monkeypatch.setattr(provider, "TIMEOUT_SECONDS", 0.3)
    twilio.troubles.append(SILENT)
    begun = time.monotonic()

    assert results(hand_out(text_to(AMERICAN))) == [HandOut.LOST]
    assert time.monotonic() - begun < 3


def test_a_provider_that_is_away_is_asked_for_one_batch_only(twilio, settings):
    settings.CRM_TWILIO_URL = "http://127.0.0.1:9"

    assert set(results(hand_out(*(text_to(number(index)) for index in range(100))))) == {HandOut.LATER}


def test_a_busy_provider_is_not_asked_again_at_once(twilio):
    twilio.troubles.extend([error(429, 20429, retry_after="30")] * 12)

    receipts = hand_out(*(text_to(number(index)) for index in range(40)))

    assert {(one.result, one.retry_seconds) for one in receipts} == {(HandOut.LATER, 30.0)}
    assert len(twilio.requests) == 12


def test_what_is_missing_is_named(twilio, settings):
    del settings.CRM_TWILIO_AUTH_TOKEN

    with pytest.raises(ChannelDown, match="CRM_TWILIO_AUTH_TOKEN"):
        channels.get("sms").open()


def test_a_sender_is_needed(twilio, settings):
    settings.CRM_TWILIO_SENDER = ""
    letter = text_to(AMERICAN)
    nameless = type(letter)(
        public_id=letter.public_id, recipient=AMERICAN, sender=channels.Sender(), content=letter.content
    )

    [receipt] = hand_out(nameless)

    assert (receipt.result, "CRM_TWILIO_SENDER" in receipt.detail) == (HandOut.LATER, True)
    assert twilio.requests == []


def test_secrets_do_not_show(twilio, caplog):
    caplog.set_level("DEBUG")

    hand_out(text_to(AMERICAN))

    assert TOKEN not in repr(conf.settings()) + caplog.text


# Who sends where


def test_each_country_has_its_provider(solapi, twilio):
    receipts = hand_out(text_to(KOREAN), text_to(AMERICAN), text_to(KOREAN))

    assert results(receipts) == [HandOut.SENT] * 3
    assert [receipts[0].provider_id in solapi.taken, receipts[1].provider_id in twilio.taken] == [True, True]
    assert (len(solapi.taken), len(twilio.taken)) == (2, 1)


def test_one_provider_that_is_not_set_up_does_not_keep_the_other_from_sending(solapi, twilio, settings):
    settings.CRM_TWILIO_AUTH_TOKEN = ""

    receipts = hand_out(text_to(KOREAN), text_to(AMERICAN))

    assert results(receipts) == [HandOut.SENT, HandOut.LATER]
    assert "CRM_TWILIO_AUTH_TOKEN" in receipts[1].detail


def test_a_country_without_a_provider_is_refused_so_that_another_channel_may_be_tried(solapi):
    assert results(hand_out(text_to(AMERICAN), text_to(KOREAN))) == [HandOut.REJECTED, HandOut.SENT]
    assert len(solapi.taken) == 1


@pytest.mark.parametrize("wrong", ["KR", "kr=solapi", "KR=nobody", "KOR=solapi"])
def test_a_wrong_list_of_providers_is_a_wrong_setting(settings, wrong):
    settings.CRM_SMS_PROVIDERS = (wrong,)

    with pytest.raises(Exception, match="CRM_SMS_PROVIDERS"):
        conf.settings()


def test_the_list_of_providers_may_stand_in_the_environment(monkeypatch):
    monkeypatch.setenv("CRM_SMS_PROVIDERS", "KR=solapi, *=twilio")
    conf.settings.cache_clear()

    try:
        assert conf.settings().sms_providers == ("KR=solapi", "*=twilio")
    finally:
        monkeypatch.undo()
        conf.settings.cache_clear()
