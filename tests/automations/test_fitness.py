"""What a campaign needs of the settings and of the operator before it can be published, channel by channel."""

from __future__ import annotations

from typing import Any

import pytest

from crm_plugin import automations
from crm_plugin.models import Campaign
from tests.fake_shop import FakeShop
from tests.stories import CONTENT, definition, on, open_shop, send

pytestmark = pytest.mark.django_db

KOREAN_TEXT = {"ko": {"form": "sms", "text": "세일"}}
ENGLISH_TEXT = {"en": {"form": "sms", "text": "Sale"}}
ALIMTALK = {"ko": {"form": "alimtalk", "template_code": "KA01TP", "text": "주문이 발송되었습니다."}}
PUSH = {"en": {"title": "Sale", "text": "Today only"}}


@pytest.fixture(autouse=True)
def _gateway(settings: Any, fake_shop: FakeShop) -> None:
    settings.CRM_SMS_PROVIDERS, settings.CRM_KAKAO_PROVIDER = ("*=gateway",), "gateway"
    settings.CRM_GATEWAY_URL = "http://127.0.0.1:9/"


def _problems(*steps: dict[str, Any], **settings: Any) -> list[tuple[str, str]]:
    open_shop(**settings)
    made = automations.create_campaign(name="x", definition=definition(on("signed_up"), list(steps)))
    return [(one.code, one.field) for one in automations.preview_publish(made.pk).problems]


@pytest.mark.feature(64)
def test_a_text_message_needs_a_sender_and_in_korea_a_number_to_refuse_by() -> None:
    english = send(channel="sms", template=ENGLISH_TEXT)
    korean = send(channel="sms", template=KOREAN_TEXT)

    assert _problems(english) == [("REQUIRED", "sms_sender")]
    assert _problems(korean, sms_sender="15881234") == [("REQUIRED", "sms_refusal_number")]
    assert _problems(english, sms_sender="15881234", country="KR") == [("REQUIRED", "sms_refusal_number")]
    assert _problems(korean, sms_sender="15881234", sms_refusal_number="080-123-4567") == []


@pytest.mark.feature(63)
def test_korean_mail_needs_the_text_of_the_consent() -> None:
    legal = "{{ unsubscribe_url }} {{ sender.name }} {{ consent_text }}"
    mjml = CONTENT["mjml"].replace("</mj-text>", f" {legal}</mj-text>", 1)
    korean = send(template={"ko": {**CONTENT, "mjml": mjml, "text": legal}})

    assert _problems(korean, consent_text="") == [("REQUIRED", "consent_text")]
    assert _problems(korean, consent_text="수신에 동의하셨습니다.") == []


def test_information_over_kakao_needs_the_key_of_the_channel_only() -> None:
    step = send(channel="kakao", message_class="transactional", template=ALIMTALK)

    assert _problems(step, postal_address="") == [("REQUIRED", "kakao_sender_key")]
    assert _problems(step, kakao_sender_key="KA01PF", postal_address="") == []


@pytest.mark.parametrize(
    ("channel", "template", "missing"),
    [
        ("sms", ENGLISH_TEXT, {"CRM_SMS_PROVIDERS": ()}),
        ("sms", ENGLISH_TEXT, {"CRM_GATEWAY_URL": ""}),
        ("web_push", PUSH, {}),
        ("app_push", PUSH, {}),
    ],
)
def test_a_channel_that_nobody_has_set_up_cannot_be_published(
    channel: str, template: dict[str, Any], missing: dict[str, Any], settings: Any
) -> None:
    for name, value in missing.items():
        setattr(settings, name, value)
    as_fallback = send(fallbacks=[{"channel": channel, "template": template}])

    assert _problems(send(channel=channel, template=template), sms_sender="1") == [
        ("NOT_SET_UP", "definition.steps.0.channel")
    ]
    assert _problems(as_fallback, sms_sender="1") == [("NOT_SET_UP", "definition.steps.0.fallbacks.0.channel")]
    assert not Campaign.objects.filter(state="running").exists()


def test_what_is_missing_is_told_once_however_many_steps_need_it() -> None:
    steps = [send(f"m{number}", channel="sms", template=ENGLISH_TEXT) for number in range(3)]

    assert _problems(*steps) == [("REQUIRED", "sms_sender")]


def test_an_advertisement_that_goes_out_as_information_is_warned_of() -> None:
    open_shop(consent_text="You agreed.")
    text = {"en": {"form": "sms", "text": "20% off everything"}}
    mail = send(message_class="transactional", fallbacks=[{"channel": "sms", "template": text}])
    made = automations.create_campaign(name="x", definition=definition(on("paid"), [mail]))

    found = automations.preview_publish(made.pk).warnings

    assert ("ADVERTISES", "definition.steps.0.fallbacks.0.template") in [(one.code, one.field) for one in found]
