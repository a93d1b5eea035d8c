"""Messages as Solapi wants them, in the shapes of its SDK."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import phonenumbers
from solapi.model import Bms, KakaoOption, MessageType, RequestMessage
from solapi.model.kakao.bms import BmsWebButton

from crm_plugin.conf import settings
from crm_plugin.messaging.channels import Envelope, HandOut, Receipt
from crm_plugin.messaging.finished import KakaoMessage, TextMessage
from crm_plugin.messaging.models import MessageForm
from crm_plugin.messaging.providers.solapi_codes import OUR_ID

_KOREA: Final = 82
_NO_DIGIT = re.compile(r"\D")
#: 1588-…, 1600-…, 1899-…
_HAS_NO_AREA = re.compile(r"1\d{7}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Page:
    """A message as Solapi gets it."""

    envelope: Envelope
    message: RequestMessage

    @property
    def our_id(self) -> str:
        """Our id of it, as Solapi repeats it."""
        return str(self.envelope.public_id)


def write(envelope: Envelope) -> Page | Receipt:
    """Return the message as Solapi wants it, or why it cannot be."""
    try:
        number = phonenumbers.parse(envelope.recipient, None)
    except phonenumbers.NumberParseException:  # a country that there is not
        return Receipt(HandOut.ADDRESS_REFUSED, "Not a telephone number.")
    country, national = number.country_code, phonenumbers.national_significant_number(number)
    try:
        message = RequestMessage(
            to=f"0{national}" if country == _KOREA else national,
            country=str(country),
            from_=_sender(envelope.sender.phone),
            auto_type_detect=False,
            custom_fields={OUR_ID: str(envelope.public_id)},
            **_content(envelope),
        )
    except ValueError as error:  # of the SDK's models: a button without a name
        return Receipt(HandOut.REJECTED, str(error)[:300])
    return Page(envelope, message)


def _content(envelope: Envelope) -> Mapping[str, object]:
    match envelope.content:
        case TextMessage(form=MessageForm.LMS, subject=subject, text=text):
            return {"type": MessageType.LMS, "subject": subject, "text": text}
        case TextMessage(text=text):
            return {"type": MessageType.SMS, "text": text}
        case KakaoMessage(form=MessageForm.ALIMTALK, template_code=code, variables=variables):
            return {"type": MessageType.ATA, "kakao_options": _option(envelope, template_id=code, variables=variables)}
        case KakaoMessage(template_code="", text=text) as brand:
            # Pictures would have to be uploaded first: a Brand Message goes without.
            buttons = [BmsWebButton(name=one.name, link_mobile=one.url, link_pc=one.url) for one in brand.buttons]
            shape = Bms(targeting=settings().kakao_targeting, chat_bubble_type="TEXT", buttons=buttons or None)
            return {"type": MessageType.BMS_FREE, "text": text, "kakao_options": _option(envelope, bms=shape)}
        case KakaoMessage(template_code=code, variables=variables):
            shape = Bms(targeting=settings().kakao_targeting)
            return {"kakao_options": _option(envelope, template_id=code, variables=variables, bms=shape)}
        case _:
            raise ValueError(f"Solapi carries no {type(envelope.content).__name__}.")


def _option(envelope: Envelope, **more: object) -> KakaoOption:
    # Solapi would send an SMS instead of what fails; whether there is another message is the campaign's to say.
    given = {name: value for name, value in more.items() if value}
    return KakaoOption(pf_id=envelope.sender.kakao_key, disable_sms=True, **given)


def _sender(phone: str) -> str | None:
    """Return the sender's number as Koreans write it, digits only."""
    digits = _NO_DIGIT.sub("", phone)
    if phone.strip().startswith(f"+{_KOREA}"):
        digits = digits.removeprefix(str(_KOREA))
        digits = digits if _HAS_NO_AREA.fullmatch(digits) else f"0{digits}"
    return digits or None
