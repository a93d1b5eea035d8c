"""Contents: what a merchant writes for each channel. A new channel's is one file here and one line in ``CONTENTS``."""

from collections.abc import Mapping
from typing import Final

from crm_plugin.contacts import ChannelKind
from crm_plugin.messaging.contents.base import Content, ContentTooLong
from crm_plugin.messaging.contents.email import LEGAL_TEXT, EmailContent
from crm_plugin.messaging.contents.kakao import KakaoContent
from crm_plugin.messaging.contents.notification import AppPushContent, InboxContent, WebPushContent
from crm_plugin.messaging.contents.sms import SmsContent

CONTENTS: Final[Mapping[str, type[Content]]] = {
    content.channel: content
    for content in (EmailContent, SmsContent, KakaoContent, WebPushContent, AppPushContent, InboxContent)
}

#: Channels whose messages have little room: their links are short ones.
SHORT_LINKS: Final = frozenset({ChannelKind.SMS, ChannelKind.KAKAO})

__all__ = ["CONTENTS", "LEGAL_TEXT", "SHORT_LINKS", "Content", "ContentTooLong", "EmailContent", "KakaoContent"]
