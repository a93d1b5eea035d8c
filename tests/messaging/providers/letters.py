"""Finished text messages and Kakao messages in their envelopes, for tests of providers."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from crm_plugin.messaging.channels import Envelope, Sender
from crm_plugin.messaging.finished import KakaoMessage, TextMessage
from crm_plugin.messaging.models import MessageForm

KOREAN = "+821012345678"
AMERICAN = "+14155552671"
SENDER = Sender(name="가게", phone="1588-1234", kakao_key="KA01PF")


def text_to(number: str = KOREAN, *, public_id: UUID | None = None, **content: Any) -> Envelope:
    """A text message; an SMS unless it has a ``subject``."""
    form = MessageForm.LMS if content.get("subject") else MessageForm.SMS
    words = TextMessage(**{"form": form, "text": "(광고)가게 세일\n무료거부 080-123-4567"} | content)
    return Envelope(public_id=public_id or uuid4(), recipient=number, sender=SENDER, content=words, language="ko")


def alimtalk_to(number: str = KOREAN, **content: Any) -> Envelope:
    """An Alimtalk with an approved template."""
    words = {"form": MessageForm.ALIMTALK, "template_code": "KA01TP", "variables": {"이름": "앤"}} | content
    return _kakao(number, words, is_marketing=False)


def brand_to(number: str = KOREAN, **content: Any) -> Envelope:
    """A Brand Message with a text of its own."""
    words = {"form": MessageForm.BRAND_MESSAGE, "text": "세일입니다", "is_advertisement": True} | content
    return _kakao(number, words, is_marketing=True)


def _kakao(number: str, words: dict[str, Any], *, is_marketing: bool) -> Envelope:
    return Envelope(
        public_id=uuid4(),
        recipient=number,
        sender=SENDER,
        content=KakaoMessage(**words),
        language="ko",
        is_marketing=is_marketing,
    )
