"""Mails filled into a mould say exactly what Anymail says of them one by one."""

from __future__ import annotations

import json

import pytest
from django.core.mail import get_connection

from crm_plugin.messaging.channels import HandOut
from crm_plugin.messaging.channels.email import build
from crm_plugin.messaging.providers.esp_apis import BATCH_APIS
from crm_plugin.messaging.providers.esp_moulds import Moulds
from tests.messaging.envelopes import envelope
from tests.messaging.esp.conftest import KEYS

SHAPES = [
    {},
    {"number": 2, "recipient": "bob+tag@sub.example.com", "subject": "Second"},
    {"subject": '(광고) "찜" \\ 한 \u2028 상품', "text": 'a"b\\c\r\n\t\u0001', "html": '<p class="x">가\U0001f600</p>'},
    {"unsubscribe_url": ""},
    {"unsubscribe_url": "https://shop.example/?a=1&b=\"'"},
    {"reply_to": "help@shop.example"},
    {"sender_name": 'Müller, "Söhne"', "sender_email": "news@bücher.example"},
]


@pytest.fixture(params=["postmark", "resend", "mailjet"])
def backend(request, settings):
    settings.ANYMAIL = KEYS | {
        "SEND_DEFAULTS": {"metadata": {"team": "crm"}},
        "POSTMARK_MESSAGE_STREAM": "broadcast",
    }
    return get_connection(f"anymail.backends.{request.param}.EmailBackend")


@pytest.mark.parametrize("changes", SHAPES)
def test_a_filled_mould_is_what_anymail_builds(backend, changes):
    api = BATCH_APIS[backend.esp_name]
    moulds = Moulds(backend, api)
    moulds.of(build(envelope(), connection=backend))  # made for another message
    message = build(envelope(**changes), connection=backend)

    filled = moulds.of(message)

    assert filled is not None
    anymails = backend.build_message_payload(message, backend.send_defaults)
    assert json.loads(filled.fill(message)) == json.loads(api.write(anymails))


@pytest.mark.parametrize(
    "changes", [{"recipient": "ann@bücher.example"}, {"recipient": '"a b"@example.com'}, {"text": ""}]
)
def test_what_is_of_another_shape_is_left_to_anymail(backend, changes):
    assert Moulds(backend, BATCH_APIS[backend.esp_name]).of(build(envelope(**changes), connection=backend)) is None


def test_one_mould_serves_a_batch(backend):
    moulds = Moulds(backend, BATCH_APIS[backend.esp_name])

    made = {id(moulds.of(build(envelope(number=at), connection=backend))) for at in range(1, 50)}

    assert len(made) == 1


def test_a_receiver_of_anymails_signal_is_asked_about_every_message(channel_of, esp_server):
    from anymail.exceptions import AnymailCancelSend  # noqa: PLC0415 - of this test only
    from anymail.signals import pre_send  # noqa: PLC0415

    def refuse(message, **_kwargs):
        if message.subject == "Never":
            raise AnymailCancelSend("not this one")

    pre_send.connect(refuse)
    try:
        receipts = channel_of("postmark").hand_out([envelope(number=1, subject="Never"), envelope(number=2)])
    finally:
        pre_send.disconnect(refuse)

    assert [receipt.result for receipt in receipts] == [HandOut.REJECTED, HandOut.SENT]
    assert len(esp_server.mails) == 1
