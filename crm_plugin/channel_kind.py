"""The ways in which a person can be reached."""

from __future__ import annotations

from typing import Final

from django.db import models


class ChannelKind(models.TextChoices):
    """How a person can be reached (a sales channel is always ``shop_channel``).

    Consent, suppression and caps are kept by channel. What is sent over one may have several forms: a text message is
    an SMS or an LMS, a Kakao message an Alimtalk or a Brand Message (``messaging.MessageForm``).
    """

    EMAIL = "email", "E-mail"
    SMS = "sms", "Text message"
    KAKAO = "kakao", "KakaoTalk"
    WEB_PUSH = "web_push", "Web push"
    APP_PUSH = "app_push", "App push"
    INBOX = "inbox", "Inbox in the shop"


#: Channels whose address is the contact's telephone number.
PHONE_CHANNELS: Final = frozenset({ChannelKind.SMS, ChannelKind.KAKAO})
#: Channels that reach the contact's devices (``Endpoint``).
PUSH_CHANNELS: Final = frozenset({ChannelKind.WEB_PUSH, ChannelKind.APP_PUSH})
