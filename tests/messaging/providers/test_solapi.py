"""Solapi: what arrives there, and what each of its answers becomes."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from decimal import Decimal

import pytest
from solapi.model.response.send_message_response import SendMessageResponse

from crm_plugin import conf
from crm_plugin.messaging import channels
from crm_plugin.messaging.channels import AdLabel, ChannelDown, HandOut
from crm_plugin.messaging.finished import Button
from crm_plugin.messaging.models import MessageForm
from crm_plugin.messaging.providers import solapi as provider
from crm_plugin.money import Money
from tests.messaging.providers.letters import KOREAN, alimtalk_to, brand_to, text_to
from tests.messaging.providers.serving import CUT, MALFORMED, SILENT, Reply
from tests.messaging.providers.solapi_server import SECRET


def hand_out(*envelopes, kind="sms"):
    channel = channels.get(kind)
    channel.open()
    try:
        return list(channel.hand_out(envelopes))
    finally:
        channel.close()


def results(receipts):
    return [receipt.result for receipt in receipts]


def number(index):
    return f"+8210{index:08d}"


def sent(solapi):
    """The messages that it got, in all requests."""
    return [message for _, _, body in solapi.requests for message in json.loads(body)["messages"]]


def test_the_server_answers_in_the_shape_that_the_sdk_reads(solapi):
    hand_out(text_to(), text_to("+8210"))
    _, headers, body = solapi.requests[0]

    SendMessageResponse.model_validate_json(solapi.respond("/messages/v4/send-many/detail", headers, body).body)


@pytest.mark.feature(62)
@pytest.mark.feature(64)
def test_an_sms_arrives_in_90_bytes_of_korean_to_the_number_as_koreans_write_it(solapi):
    text = "(광고)가게 " + "가" * 31 + "\n무료거부 080-123"
    assert len(text.encode("euc-kr")) == 90

    [receipt] = hand_out(text_to(text=text))

    assert (receipt.result, receipt.cost) == (HandOut.SENT, Money(Decimal(18), "KRW"))
    message = solapi.taken[receipt.provider_id]
    assert message["text"] == text
    assert (message["to"], message["from"], message["type"]) == ("01012345678", "15881234", "SMS")
    assert "subject" not in message


@pytest.mark.feature(62)
def test_a_byte_more_is_refused_and_nothing_is_taken(solapi):
    [receipt] = hand_out(text_to(text="가" * 45 + "."))

    assert (receipt.result, receipt.detail[:4]) == (HandOut.REJECTED, "1031")
    assert solapi.taken == {}


@pytest.mark.feature(62)
@pytest.mark.feature(65)
def test_an_lms_arrives_with_its_title_in_the_title(solapi):
    [receipt] = hand_out(text_to(subject="(광고) 세일", text="가" * 1_000))

    message = solapi.taken[receipt.provider_id]
    assert (message["type"], message["subject"], message["text"]) == ("LMS", "(광고) 세일", "가" * 1_000)


@pytest.mark.feature(62)
def test_what_the_channels_say_of_themselves():
    sms, kakao = (channels.get(kind).capabilities for kind in ("sms", "kakao"))

    assert dict(sms.max_bytes) == {"sms": 90, "lms": 2_000}
    assert (sms.encoding, sms.has_title, sms.has_image, sms.has_receipts) == ("euc-kr", True, False, True)
    assert dict(sms.ad_label) == {"sms": AdLabel.BODY, "lms": AdLabel.TITLE}
    assert (kakao.has_buttons, kakao.has_receipts) == (True, True)
    assert dict(kakao.ad_label) == {MessageForm.BRAND_MESSAGE: AdLabel.FLAG}


@pytest.mark.feature(62)
def test_an_alimtalk_arrives_as_template_and_variables_and_solapi_sends_no_sms_instead(solapi):
    [receipt] = hand_out(alimtalk_to(), kind="kakao")

    message = solapi.taken[receipt.provider_id]
    assert (message["type"], receipt.cost) == ("ATA", Money(Decimal(13), "KRW"))
    assert message["kakaoOptions"] == {
        "pfId": "KA01PF",
        "templateId": "KA01TP",
        "variables": {"#{이름}": "앤"},
        "disableSms": True,
    }


@pytest.mark.feature(62)
@pytest.mark.feature(66)
def test_a_brand_message_arrives_with_buttons_for_the_friends_of_the_channel(solapi):
    buttons = (Button(name="보기", url="https://shop.example/s/x"),)

    [receipt] = hand_out(brand_to(buttons=buttons), kind="kakao")

    message = solapi.taken[receipt.provider_id]
    assert (message["type"], message["text"]) == ("BMS_FREE", "세일입니다")
    assert message["kakaoOptions"]["disableSms"] is True
    assert message["kakaoOptions"]["bms"] == {
        "targeting": "I",
        "chatBubbleType": "TEXT",
        "buttons": [
            {
                "linkType": "WL",
                "name": "보기",
                "linkMobile": "https://shop.example/s/x",
                "linkPc": "https://shop.example/s/x",
            }
        ],
    }


def test_a_brand_message_of_a_template_names_it(solapi, settings):
    settings.CRM_KAKAO_TARGETING = "M"

    [receipt] = hand_out(brand_to(template_code="KA01BP"), kind="kakao")

    options = solapi.taken[receipt.provider_id]["kakaoOptions"]
    assert (options["templateId"], options["bms"]) == ("KA01BP", {"targeting": "M"})


@pytest.mark.parametrize(
    ("code", "result"),
    [
        ("3010", HandOut.ADDRESS_REFUSED),
        ("1061", HandOut.ADDRESS_REFUSED),
        ("1062", HandOut.REJECTED),
        ("1042", HandOut.REJECTED),
        ("1029", HandOut.REJECTED),
        ("1030", HandOut.LATER),
        ("1024", HandOut.RETRY),
        ("9999", HandOut.REJECTED),
    ],
)
def test_what_solapi_refuses(solapi, code, result):
    solapi.codes["01012345678"] = code

    [receipt] = hand_out(text_to())

    assert receipt.result == result
    assert receipt.detail.startswith(code)
    assert solapi.taken == {}


def test_a_template_that_is_not_approved_and_a_sender_that_is_not_registered(solapi):
    refused = hand_out(alimtalk_to(template_code="KA01XX"), kind="kakao")

    assert (results(refused), refused[0].detail[:4]) == ([HandOut.REJECTED], "1042")


@pytest.mark.parametrize("recipient", ["+8210", "nobody", ""])
def test_what_is_no_number_is_refused_as_an_address(solapi, recipient):
    assert results(hand_out(text_to(recipient), text_to())) == [HandOut.ADDRESS_REFUSED, HandOut.SENT]


@pytest.mark.feature(62)
def test_one_bad_recipient_among_a_thousand_spoils_nobody(solapi):
    envelopes = [text_to(number(index)) for index in range(1_000)]
    solapi.codes["01000000777"] = "3010"

    receipts = hand_out(*envelopes)

    assert [index for index, one in enumerate(receipts) if one.result != HandOut.SENT] == [777]
    assert receipts[777].result == HandOut.ADDRESS_REFUSED
    assert len(solapi.requests) == 1
    for envelope, receipt in zip(envelopes, receipts, strict=True):
        taken = solapi.taken.get(receipt.provider_id)
        assert (taken is None) == (receipt is receipts[777])
        assert taken is None or taken["to"] == "0" + envelope.recipient.removeprefix("+82")


def test_a_batch_that_is_refused_because_of_one_is_halved_until_only_that_one_is_left(solapi):
    solapi.poisoned = {"01000000777"}

    receipts = hand_out(*(text_to(number(index)) for index in range(1_000)))

    assert [index for index, one in enumerate(receipts) if one.result != HandOut.SENT] == [777]
    assert receipts[777].result == HandOut.REJECTED
    assert len(solapi.taken) == 999
    assert len({message["to"] for message in solapi.taken.values()}) == 999


def test_batches_that_are_all_refused_are_not_asked_about_for_ever(solapi):
    solapi.poisoned = {f"0{number(index)[3:]}" for index in range(1_000)}

    receipts = hand_out(*(text_to(number(index)) for index in range(1_000)))

    assert set(results(receipts)) == {HandOut.RETRY, HandOut.REJECTED}
    assert len(solapi.requests) == provider.MAX_REQUESTS
    assert solapi.taken == {}


def test_two_people_with_one_telephone_both_get_their_message(solapi):
    receipts = hand_out(text_to(text="for Ann"), text_to(text="for Bob"))

    assert [solapi.taken[one.provider_id]["text"] for one in receipts] == ["for Ann", "for Bob"]


def test_answers_that_do_not_repeat_our_ids_are_told_apart_by_number(solapi):
    envelopes = [text_to(number(index)) for index in range(3)]
    items = [{"messageId": f"M{index}", "statusCode": "2000", "statusMessage": ""} for index in (0, 2)]
    failed = {"messageId": "M1", "statusCode": "3010", "statusMessage": "", "to": "01000000001", "from": None}
    solapi.troubles.append(Reply.json({"groupInfo": {}, "failedMessageList": [failed], "messageList": items}))

    assert results(hand_out(*envelopes)) == [HandOut.SENT, HandOut.ADDRESS_REFUSED, HandOut.SENT]


@pytest.mark.parametrize(
    ("trouble", "result", "seconds"),
    [
        (Reply.json({"errorCode": "TooManyRequests"}, 429, retry_after="7"), HandOut.LATER, 7.0),
        (Reply.json({"errorCode": "TooManyRequests"}, 429), HandOut.LATER, None),
        (Reply.json({"errorCode": "NotEnoughBalance"}, 402), HandOut.LATER, None),
        (Reply.json({"errorCode": "ResourceNotFound"}, 404), HandOut.LATER, None),
        (Reply.json({"errorCode": "InternalError"}, 500), HandOut.RETRY, None),
        (Reply(503, b"<html>", {"retry-after": "11"}), HandOut.RETRY, 11.0),
        (Reply(302, b"", {"location": "/"}), HandOut.RETRY, None),
        (Reply.json({"errorCode": "ValidationError"}, 400), HandOut.REJECTED, None),
        (Reply(400, b"\xff"), HandOut.REJECTED, None),
        (MALFORMED, HandOut.LOST, None),
        (Reply.json({}), HandOut.LOST, None),
        (Reply.json([1]), HandOut.LOST, None),
        (CUT, HandOut.LOST, None),
    ],
)
def test_trouble(solapi, trouble, result, seconds):
    solapi.troubles.append(trouble)

    [receipt] = hand_out(text_to())

    assert (receipt.result, receipt.retry_seconds) == (result, seconds)
    assert SECRET not in receipt.detail
    assert solapi.taken == {}


def test_a_server_that_says_nothing_is_not_waited_for_for_ever(solapi, monkeypatch):
    monkeypatch.setattr(provider, "ANSWER_SECONDS", 0.3)
    solapi.troubles.append(SILENT)
    begun = time.monotonic()

    assert results(hand_out(text_to())) == [HandOut.LOST]
    assert time.monotonic() - begun < 3


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "api.solapi.com", "https://[solapi"])
def test_a_provider_that_is_away_took_nothing(solapi, settings, url):
    settings.CRM_SOLAPI_URL = url

    assert results(hand_out(text_to(), text_to())) == [HandOut.LATER] * 2


def test_an_address_that_is_none_is_named(solapi, settings):
    settings.CRM_SOLAPI_URL = "https://solapi:port"

    with pytest.raises(ChannelDown, match="CRM_SOLAPI_URL"):
        channels.get("sms").open()


def test_wrong_credentials_are_no_fault_of_the_messages(solapi, settings):
    settings.CRM_SOLAPI_API_SECRET = "other"

    [receipt] = hand_out(text_to())

    assert receipt.result == HandOut.LATER
    assert "SignatureDoesNotMatch" in receipt.detail
    assert solapi.taken == {}


@pytest.mark.parametrize(
    ("kind", "missing", "words"),
    [
        ("sms", "CRM_SMS_PROVIDERS", "CRM_SMS_PROVIDERS"),
        ("kakao", "CRM_KAKAO_PROVIDER", "CRM_KAKAO_PROVIDER"),
        ("sms", "CRM_SOLAPI_API_KEY", "CRM_SOLAPI_API_KEY"),
        ("kakao", "CRM_SOLAPI_API_SECRET", "CRM_SOLAPI_API_SECRET"),
    ],
)
def test_a_missing_setting_is_named(solapi, settings, kind, missing, words):
    delattr(settings, missing)

    with pytest.raises(ChannelDown, match=words):
        channels.get(kind).open()

    assert solapi.requests == []


def test_secrets_do_not_show(solapi):
    assert SECRET not in repr(conf.settings())
    assert SECRET not in str(conf.settings())


@pytest.mark.parametrize(
    ("written", "arrives"),
    [
        ("1588-1234", "15881234"),
        ("+82 1588-1234", "15881234"),
        ("+82 10-1234-5678", "01012345678"),
        ("02-123-4567", "021234567"),
        ("+82 2-123-4567", "021234567"),
    ],
)
def test_the_senders_number_arrives_as_it_was_registered(solapi, written, arrives):
    letter = replace(text_to(), sender=channels.Sender(phone=written))

    hand_out(letter)

    assert sent(solapi)[0]["from"] == arrives


def test_a_text_message_abroad_goes_with_its_country(solapi, settings):
    settings.CRM_SMS_PROVIDERS = ("*=solapi",)

    hand_out(text_to("+14155552671", text="Sale"))

    assert [(one["to"], one["country"]) for one in sent(solapi)] == [("4155552671", "1")]
    assert KOREAN not in str(sent(solapi))
