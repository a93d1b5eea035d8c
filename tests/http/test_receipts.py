"""Providers tell what became of messages: only they, as often as they like, whatever they say."""

from __future__ import annotations

import hashlib
import json
import time
from urllib.parse import urlencode

import pytest
from django.core.management import call_command

from crm_plugin import contacts, messaging
from crm_plugin.messaging.providers import receipts_key, receipts_url
from crm_plugin.models import DeliveryReceipt, Suppression
from tests.messaging.providers import gateway_server, twilio_server
from tests.messaging.providers.conftest import gateway, solapi, twilio

__all__ = ["gateway", "solapi", "twilio"]

pytestmark = pytest.mark.django_db

NUMBER = "+821012345678"


@pytest.fixture(autouse=True)
def _public(fake_shop):
    fake_shop.public_url = "https://shop.example/crm/"


def told():
    """What was kept, without the times."""
    return list(DeliveryReceipt.objects.order_by("pk").values_list("channel", "kind", "provider_id", "address"))


def post(client, path, body, **headers):
    """Call the endpoint; ``path`` begins after the public address."""
    content_type = headers.pop("content_type", "application/json")
    return client.post(f"/crm/receipts/{path}", body, content_type=content_type, headers=headers)


def report(code="4000", **changes):
    """A report of Solapi about one message, as its SDK reads it."""
    data = {"messageId": "M4V1", "statusCode": code, "type": "SMS", "customFields": {}} | changes
    return json.dumps([{"eventDataId": "E1", "data": data, "retryCount": 0}])


# Solapi


@pytest.fixture
def solapi_key(solapi):
    return receipts_key("solapi")


@pytest.mark.parametrize(
    ("code", "kinds"),
    [
        ("4000", ["delivered"]),
        ("3010", ["hard_bounce"]),
        ("3032", ["hard_bounce"]),
        ("3104", ["undelivered"]),
        ("3042", ["undelivered"]),
        ("2061", ["undelivered", "unsubscribed"]),
        ("2000", []),
        ("3000", []),
        ("", []),
    ],
)
def test_reports_of_solapi(client, solapi_key, code, kinds):
    response = post(client, f"solapi/?key={solapi_key}", report(code))

    assert (response.status_code, response.content) == (200, b"")
    assert sorted(kind for _, kind, _, _ in told()) == kinds


@pytest.mark.parametrize(("type_", "channel"), [("LMS", "sms"), ("ATA", "kakao"), ("BMS_FREE", "kakao"), (None, "sms")])
def test_reports_of_solapi_know_the_channel(client, solapi_key, type_, channel):
    post(client, f"solapi/?key={solapi_key}", report(type=type_))

    assert [one[0] for one in told()] == [channel]


def test_reports_name_our_own_id_where_solapi_repeats_it(client, solapi_key):
    post(client, f"solapi/?key={solapi_key}", report(customFields={"crm": "0b7c4c1e-0000-4000-8000-000000000001"}))

    assert told() == [("sms", "delivered", "0b7c4c1e-0000-4000-8000-000000000001", "")]


def test_reports_without_a_wrapping_are_read_too(client, solapi_key):
    body = json.dumps([{"messageId": "M1", "statusCode": "4000"}, {"messageId": "M2", "statusCode": "3104"}])

    post(client, f"solapi/?key={solapi_key}", body)

    assert sorted((kind, name) for _, kind, name, _ in told()) == [("delivered", "M1"), ("undelivered", "M2")]


def test_the_key_may_be_told_as_the_secret_of_the_webhook(client, solapi_key):
    proof = hashlib.sha1(solapi_key.encode(), usedforsecurity=False).hexdigest()

    assert post(client, "solapi/", report(), **{"X-Solapi-Secret": proof}).status_code == 200
    assert len(told()) == 1


@pytest.mark.parametrize("path", ["solapi/", "solapi/?key=", "solapi/?key=" + "0" * 32, "solapi/?key=%ED%82%A4"])
def test_who_does_not_know_the_key_is_not_solapi(client, solapi, path):
    response = post(client, path, report(), **{"X-Solapi-Secret": hashlib.sha1(b"", usedforsecurity=False).hexdigest()})

    assert response.status_code == 403
    assert told() == []


@pytest.mark.parametrize("body", ["", "no json", "[1]", '[{"data": {"customFields": 1}}]', "[" * 100_000, "\xff"])
def test_what_makes_no_sense_is_told_so(client, solapi_key, body):
    assert post(client, f"solapi/?key={solapi_key}", body).status_code == 400
    assert told() == []


def test_a_report_told_again_is_kept_once(client, solapi_key):
    for _ in range(3):
        assert post(client, f"solapi/?key={solapi_key}", report()).status_code == 200

    assert len(told()) == 1


def test_the_url_that_the_operator_enters_is_the_one_that_is_read(client, solapi):
    path = receipts_url("solapi").removeprefix("https://shop.example/crm/receipts/")

    assert post(client, path, report()).status_code == 200
    assert len(told()) == 1


@pytest.mark.parametrize("text", ["수신거부", "거부", " 수신 거부. "])
def test_koreans_refuse_in_korean(client, solapi_key, text):
    body = json.dumps([{"from": "010-1234-5678", "to": "15881234", "text": text, "messageId": "R1"}])

    post(client, f"solapi/?key={solapi_key}", body)

    assert told() == [("sms", "unsubscribed", "", NUMBER)]


def test_two_refusals_with_a_change_of_mind_between_are_two(client, solapi_key):
    for text in ("거부", "START", "거부"):
        post(client, f"solapi/?key={solapi_key}", json.dumps({"from": "01012345678", "text": text}))

    assert [kind for _, kind, _, _ in told()] == ["unsubscribed", "resubscribed", "unsubscribed"]


# Twilio


def call(client, fields, *, query="", token=twilio_server.TOKEN, signature=None):
    url = f"https://shop.example/crm/receipts/twilio/{query}"
    signature = twilio_server.sign(url, fields, token) if signature is None else signature
    form = "application/x-www-form-urlencoded"
    return post(client, f"twilio/{query}", urlencode(fields), content_type=form, **{"X-Twilio-Signature": signature})


def status(word="delivered", error="", **more):
    fields = {"MessageSid": "SM1", "SmsSid": "SM1", "MessageStatus": word, "To": "+14155552671", "From": "+15005550006"}
    return fields | ({"ErrorCode": error} if error else {}) | more


@pytest.mark.parametrize(
    ("word", "error", "kinds"),
    [
        ("delivered", "", ["delivered"]),
        ("read", "", ["delivered"]),
        ("undelivered", "30003", ["undelivered"]),
        ("undelivered", "30005", ["hard_bounce"]),
        ("failed", "30006", ["hard_bounce"]),
        ("failed", "21610", ["undelivered", "unsubscribed"]),
        ("failed", "x", ["undelivered"]),
        ("queued", "", []),
        ("sent", "", []),
    ],
)
def test_statuses_of_twilio(client, twilio, word, error, kinds):
    assert call(client, status(word, error)).status_code == 200
    assert sorted(kind for _, kind, _, _ in told()) == kinds


def test_a_status_names_our_own_id_that_was_in_its_address(client, twilio):
    call(client, status(), query="?message=0b7c4c1e-0000-4000-8000-000000000001")

    assert told() == [("sms", "delivered", "0b7c4c1e-0000-4000-8000-000000000001", "")]


def test_the_status_of_a_message_that_came_by_another_way_names_twilios(client, twilio):
    call(client, status())

    assert told() == [("sms", "delivered", "SM1", "")]


@pytest.mark.parametrize("signature", ["", "AAAA", "é"])
def test_a_forged_signature_is_refused(client, twilio, signature):
    assert call(client, status(), signature=signature).status_code == 403
    assert told() == []


def test_the_signature_holds_for_these_words_and_this_address_only(client, twilio):
    mine = twilio_server.sign("https://shop.example/crm/receipts/twilio/", status())

    assert call(client, status("undelivered", "30005"), signature=mine).status_code == 403
    assert call(client, status(), query="?message=other", signature=mine).status_code == 403
    assert call(client, status(), token="").status_code == 403
    assert told() == []


def test_a_call_that_names_no_message_makes_no_sense(client, twilio):
    assert call(client, {"MessageStatus": "delivered"}).status_code == 400


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (word, "unsubscribed")
        for word in ("STOP", "stopall", "Unsubscribe", "CANCEL", "end", "QUIT", "REVOKE", "opt out")
    ]
    + [("START", "resubscribed"), ("unstop!", "resubscribed")],
)
def test_answers_of_people(client, twilio, words, kind):
    response = call(client, {"MessageSid": "SM9", "SmsStatus": "received", "From": "+14155552671", "Body": words})

    assert response.content == b""
    assert told() == [("sms", kind, "", "+14155552671")]


def test_twilios_own_reading_of_an_answer_goes_before_ours(client, twilio):
    call(client, {"MessageSid": "SM9", "From": "+14155552671", "Body": "ARRET", "OptOutType": "STOP"})

    assert told() == [("sms", "unsubscribed", "", "+14155552671")]


@pytest.mark.parametrize("words", ["please stop the rain", "", "thanks", "endless"])
def test_other_answers_mean_nothing(client, twilio, words):
    assert call(client, {"MessageSid": "SM9", "From": "+14155552671", "Body": words}).status_code == 200
    assert told() == []


def test_stop_takes_the_consent_and_blocks_the_number_and_start_lifts_the_block(client, twilio, make_contact):
    ann = make_contact(phone="+14155552671")
    contacts.set_consent(ann.pk, channel="sms", is_granted=True, source="test")

    call(client, {"MessageSid": "SM9", "From": "+14155552671", "Body": "STOP"})
    messaging.settle_receipts(10)

    reach = contacts.reach([ann.pk], channel="sms")[ann.pk]
    assert (reach.has_consent, reach.suppressed_for) == (False, "stop")
    call(client, {"MessageSid": "SM10", "From": "+14155552671", "Body": "START"})
    messaging.settle_receipts(10)
    assert not Suppression.objects.exists()


# A gateway


def test_receipts_of_a_gateway(client, gateway):
    receipts = [
        {"id": "r1", "message": "m1", "channel": "kakao", "kind": "undelivered", "detail": "no friend"},
        {"id": "r2", "message": "m2", "kind": "delivered", "cost": "12.5", "currency": "KRW"},
        {"id": "r3", "from": NUMBER, "text": "수신거부"},
        {"id": "r4", "from": NUMBER, "text": "hello"},
    ]
    body, headers = gateway_server.call(gateway.secrets[0], receipts)

    assert post(client, "gateway/", body, **headers).status_code == 200
    assert sorted(told()) == [
        ("kakao", "undelivered", "m1", ""),
        ("sms", "delivered", "m2", ""),
        ("sms", "unsubscribed", "", NUMBER),
    ]
    assert DeliveryReceipt.objects.get(provider_id="m2").cost_currency == "KRW"


@pytest.mark.parametrize("seconds", [-3_600, 3_600])
def test_an_old_call_of_a_gateway_is_not_believed(client, gateway, seconds):
    at = time.time() + seconds
    body, headers = gateway_server.call(gateway.secrets[0], [{"message": "m", "kind": "delivered"}], at=at)

    assert post(client, "gateway/", body, **headers).status_code == 403
    assert told() == []


@pytest.mark.parametrize("changed", ["webhook-id", "webhook-signature", "webhook-timestamp"])
def test_a_call_that_was_changed_is_not_the_gateways(client, gateway, changed):
    body, headers = gateway_server.call(gateway.secrets[0], [{"message": "m", "kind": "delivered"}])

    assert post(client, "gateway/", body, **headers | {changed: "v1,x"}).status_code == 403
    assert post(client, "gateway/", body + b" ", **headers).status_code == 403
    assert told() == []


def test_a_gateway_that_makes_no_sense_is_told_so(client, gateway):
    body, headers = gateway_server.call(gateway.secrets[0], [{"message": "m", "kind": "eaten"}])

    assert post(client, "gateway/", body, **headers).status_code == 400


# The endpoint


@pytest.mark.parametrize("name", ["nobody", "twilio", "gateway", "solapi", "..", "esp"])
def test_a_provider_that_there_is_not_or_that_is_not_set_up(client, name):
    assert post(client, f"{name}/", "{}").status_code == 404
    assert told() == []


def test_reading_changes_nothing(client, solapi_key):
    assert client.get(f"/crm/receipts/solapi/?key={solapi_key}").status_code == 405
    assert client.head("/crm/receipts/solapi/").status_code == 200
    assert told() == []


def test_what_is_too_long_is_not_read(client, solapi_key):
    assert post(client, f"solapi/?key={solapi_key}", "[" + " " * 2 * 1024 * 1024 + "]").status_code == 413


def test_while_the_crm_is_off_nothing_is_kept(client, solapi_key, fake_shop):
    fake_shop.is_enabled = False

    assert post(client, f"solapi/?key={solapi_key}", report()).status_code == 404
    assert told() == []


def test_the_operator_is_shown_the_addresses(fake_shop, db, capsys):
    call_command("crm", "receipts")

    lines = capsys.readouterr().out.splitlines()
    assert f"solapi   https://shop.example/crm/receipts/solapi/?key={receipts_key('solapi')}" in lines
    assert "twilio   https://shop.example/crm/receipts/twilio/" in lines
