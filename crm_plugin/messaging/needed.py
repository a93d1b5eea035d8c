"""What the merchant must have filled in before a message of a template can go out, and may."""

from __future__ import annotations

from collections.abc import Iterator

from crm_plugin.contacts import ChannelKind
from crm_plugin.errors import InvalidInput
from crm_plugin.merchant import NEEDED, Merchant
from crm_plugin.messaging.contents import KakaoContent
from crm_plugin.messaging.languages import is_korean
from crm_plugin.messaging.models import MessageClass
from crm_plugin.messaging.templates import TemplateSource


def settings_missing(source: TemplateSource, us: Merchant, *, message_class: MessageClass) -> list[InvalidInput]:
    """Return, for each setting that is empty but must not be, the refusal that names it (features rows 63 and 64)."""
    return [
        InvalidInput(f"Fill in {field} of the CRM settings before publishing.", field=field, code="REQUIRED")
        for field in dict.fromkeys(_wanted(source, us, message_class=message_class))
        if not getattr(us, field)
    ]


def _wanted(source: TemplateSource, us: Merchant, *, message_class: MessageClass) -> Iterator[str]:
    is_marketing = message_class == MessageClass.MARKETING
    if is_marketing:
        yield from NEEDED
    match source.channel:
        case ChannelKind.EMAIL:
            yield "sender_email"
            if is_marketing and any(map(is_korean, source.contents)):
                yield "consent_text"  # network act, article 50(4)
        case ChannelKind.SMS:
            yield "sms_sender"
            if is_marketing and _is_read_in_korea(source, us):
                yield "sms_refusal_number"  # network act, article 50(4): refusing is free of charge
        case ChannelKind.KAKAO:
            yield "kakao_sender_key"
            if any(isinstance(one, KakaoContent) and one.form == "brand_message" for one in source.contents.values()):
                yield "sms_refusal_number"
        case ChannelKind.WEB_PUSH | ChannelKind.APP_PUSH | ChannelKind.INBOX:
            return


def _is_read_in_korea(source: TemplateSource, us: Merchant) -> bool:
    return us.country == "KR" or any(map(is_korean, source.contents))
