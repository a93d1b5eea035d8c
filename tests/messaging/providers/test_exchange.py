"""Several providers behind one channel; what people answer."""

from __future__ import annotations

import sys

import pytest

from crm_plugin.messaging import ReceiptKind, channels
from crm_plugin.messaging.channels import ChannelDown, HandOut
from crm_plugin.messaging.providers.answers import read_answer
from tests.messaging.providers.letters import AMERICAN, KOREAN, text_to
from tests.messaging.providers.test_solapi import hand_out, results


def test_nothing_is_sent_when_the_lease_is_about_to_run_out(solapi, settings):
    settings.CRM_LEASE_SECONDS = 1e-6

    assert results(hand_out(text_to(), text_to())) == [HandOut.LATER] * 2
    assert solapi.requests == []


def test_an_sdk_that_is_not_installed_is_named(solapi, monkeypatch):
    monkeypatch.setitem(sys.modules, "crm_plugin.messaging.providers.solapi", None)

    with pytest.raises(ChannelDown, match=r"pip install crm_plugin\[sms\]"):
        channels.get("sms").open()


def test_each_channel_takes_as_much_at_once_as_its_largest_provider(solapi, twilio):
    assert channels.get("sms").batch_size == 1_000
    assert channels.get("kakao").batch_size == 1_000


def test_only_when_all_providers_take_a_message_once_the_channel_does(gateway, settings):
    assert channels.get("sms").has_idempotency_key
    settings.CRM_SMS_PROVIDERS = ("KR=solapi", "*=gateway")

    assert not channels.get("sms").has_idempotency_key


def test_receipts_come_in_the_order_of_the_messages(solapi, twilio):
    numbers = [KOREAN, "x", AMERICAN, "+999123456789", KOREAN, AMERICAN]

    receipts = hand_out(*(text_to(number) for number in numbers))

    assert [one.result == HandOut.SENT for one in receipts] == [True, False, True, True, True, True]
    assert [one.provider_id[:2] for one in receipts] == ["M4", "", "SM", "SM", "M4", "SM"]


@pytest.mark.parametrize("text", ["STOP", " stop.", "Stop All", "opt-out", "수신거부", "수신 거부", "거부"])
def test_answers_that_refuse(text):
    assert read_answer(text) == ReceiptKind.UNSUBSCRIBED


@pytest.mark.parametrize("text", ["", "stop it", "no", "거부하지 않아요", "x" * 10_000, "START now"])
def test_answers_that_do_not(text):
    assert read_answer(text) is None
