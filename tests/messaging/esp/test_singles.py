"""Providers of Anymail that take one message a call: what their answers and Anymail's exceptions mean."""

from __future__ import annotations

import json
from uuid import UUID

import pytest
import requests
from anymail.exceptions import (
    AnymailAPIError,
    AnymailInvalidAddress,
    AnymailRecipientsRefused,
    AnymailSerializationError,
    AnymailUnsupportedFeature,
)

from crm_plugin.messaging.channels import HandOut
from crm_plugin.messaging.providers.esp import read_error, read_taken
from tests.messaging.envelopes import envelope
from tests.messaging.esp.esp_server import Fault


def test_messages_go_one_by_one_each_with_our_id_and_the_providers(channel_of, esp_server):
    receipts = channel_of("brevo").hand_out([envelope(number=1), envelope(number=2)])

    assert [receipt.result for receipt in receipts] == [HandOut.SENT] * 2
    assert all("smtp-relay" in receipt.provider_id for receipt in receipts)
    assert [json.loads(mail["headers"]["X-Mailin-custom"]) for mail in esp_server.mails] == [
        {"crm_message": str(UUID(int=number))} for number in (1, 2)
    ]


@pytest.mark.parametrize(
    ("fault", "expected", "seconds"),
    [
        (Fault(429, "{}", {"Retry-After": "17"}), HandOut.LATER, 17.0),
        (Fault(429, "{}"), HandOut.LATER, None),
        (Fault(503, "{}", {"Retry-After": "5"}), HandOut.RETRY, 5.0),
        (Fault(500, "oops"), HandOut.RETRY, None),
        (Fault(504, ""), HandOut.LOST, None),
        (Fault(401, "{}"), HandOut.LATER, None),
        (Fault(402, '{"code": "not_enough_credits"}'), HandOut.LATER, None),
        (Fault(400, '{"code": "invalid_parameter"}'), HandOut.REJECTED, None),
        (Fault(201, "{not json", is_taken=True), HandOut.LOST, None),
        (Fault(201, "{}", is_taken=True), HandOut.LOST, None),
        (Fault(is_hanging_up=True), HandOut.LOST, None),
        (Fault(201, "{}", pause_seconds=3), HandOut.LOST, None),
    ],
)
def test_what_an_answer_makes_of_a_message_and_the_next_one_goes(channel_of, esp_server, fault, expected, seconds):
    esp_server.next(fault)

    receipts = channel_of("brevo").hand_out([envelope(number=1), envelope(number=2)])

    assert [receipt.result for receipt in receipts] == [expected, HandOut.SENT]
    assert receipts[0].retry_seconds == seconds


def test_nobody_at_home_means_later(channel_of):
    (receipt,) = channel_of("brevo", BREVO_API_URL="http://127.0.0.1:9/").hand_out([envelope()])

    assert receipt.result == HandOut.LATER


class _Amazons(Exception):
    """As botocore has it: the answer as a dict."""

    def __init__(self, status: int) -> None:
        super().__init__("words")
        self.response = {"ResponseMetadata": {"HTTPStatusCode": status}}


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (AnymailRecipientsRefused(), HandOut.ADDRESS_REFUSED),
        (AnymailInvalidAddress("x"), HandOut.REJECTED),
        (AnymailUnsupportedFeature("x"), HandOut.REJECTED),
        (AnymailSerializationError("x"), HandOut.REJECTED),
        (AnymailAPIError("who knows"), HandOut.LOST),
        (caused(AnymailAPIError("x"), _Amazons(429)), HandOut.LATER),
        (caused(AnymailAPIError("x"), _Amazons(400)), HandOut.REJECTED),
        (caused(AnymailAPIError("x"), requests.ConnectTimeout()), HandOut.LATER),
        (caused(AnymailAPIError("x"), requests.ReadTimeout()), HandOut.LOST),
        (caused(AnymailAPIError("x"), requests.exceptions.SSLError("CERTIFICATE_VERIFY_FAILED")), HandOut.LATER),
        (caused(AnymailAPIError("x"), requests.exceptions.SSLError("EOF")), HandOut.LOST),
    ],
)
def test_what_an_exception_of_anymail_says(error, expected):
    receipt = read_error(error)

    assert receipt is not None
    assert receipt.result == expected


def test_an_exception_of_somebody_else_is_not_anymails():
    assert read_error(RuntimeError("x")) is None


@pytest.mark.parametrize(
    ("states", "expected"),
    [({"failed"}, HandOut.REJECTED), ({"sent"}, HandOut.SENT), ({"queued"}, HandOut.SENT), ({None}, HandOut.SENT)],
)
def test_a_message_that_anymail_calls_failed_was_not_taken(states, expected):
    status = type("Status", (), {"status": states, "message_id": "7"})()
    message = type("Message", (), {"anymail_status": status})()

    assert read_taken(message).result == expected
