"""How long messages may be, and how their length is counted: one place for what contents check and channels promise.

Korean carriers take 90 bytes of EUC-KR as an SMS and 2,000 as an LMS; elsewhere a text goes in segments of GSM-7 or
UCS-2 (3GPP TS 23.038 and 23.040).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from crm_plugin.messaging.models import MessageForm

KOREAN_ENCODING: Final = "euc-kr"
#: By form, in bytes of EUC-KR, label and refusal number included (features row 64).
KOREAN_BYTES: Final[Mapping[str, int]] = {MessageForm.SMS: 90, MessageForm.LMS: 2_000}
#: The title of an LMS, label included.
KOREAN_TITLE_BYTES: Final = 40
#: Elsewhere: Twilio and others take 1,600 characters, and ten segments are dear enough.
MAX_SEGMENTS: Final = 10
GSM_SEGMENT: Final = (160, 153)
UCS2_SEGMENT: Final = (70, 67)
#: Kakao counts characters.
KAKAO_CHARACTERS: Final[Mapping[str, int]] = {MessageForm.ALIMTALK: 1_000, MessageForm.BRAND_MESSAGE: 1_300}
#: Push services take 4,096 bytes, of which encryption and the frame around the words need some (RFC 8030, 7.2).
PUSH_BYTES: Final = 3_000
#: What the inbox in the shop keeps of a note.
INBOX_CHARACTERS: Final = 2_000
#: The title of a notification, label included; systems show less than half of it.
TITLE_CHARACTERS: Final = 150
#: Gmail shows no more of a mail's HTML than that, and hides the rest (and the way out in it) behind a link.
CLIPPED_BYTES: Final = 102_000

#: The basic alphabet of GSM 03.38, and those characters that take two places.
_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_TWICE = frozenset("\f^{}\\[~]|€")


def korean_bytes(text: str) -> int:
    """Return the length in bytes of EUC-KR; a character that it does not have counts as two."""
    return len(text.encode(KOREAN_ENCODING, "replace")) + len(foreign_characters(text))


def foreign_characters(text: str) -> str:
    """Return the characters that EUC-KR does not have (emoji, most of all), each as often as it stands there."""
    return "".join(one for one in text if not one.encode(KOREAN_ENCODING, "ignore"))


def is_gsm(text: str) -> bool:
    """Return whether a text can be written in the alphabet of GSM-7."""
    return all(one in _GSM or one in _GSM_TWICE for one in text)


def segments(text: str) -> int:
    """Return in how many parts a text goes outside Korea; each is paid for."""
    if is_gsm(text):
        length, (alone, joined) = len(text) + sum(one in _GSM_TWICE for one in text), GSM_SEGMENT
    else:
        length, (alone, joined) = len(text.encode("utf-16-le")) // 2, UCS2_SEGMENT
    return 1 if length <= alone else -(-length // joined)


def cut_to_bytes(text: str, size: int) -> str:
    """Return as much of the beginning as fits into ``size`` bytes of UTF-8, with an ellipsis where it was cut."""
    encoded = text.encode()
    if len(encoded) <= size:
        return text
    ellipsis = "…"
    kept = encoded[: max(size - len(ellipsis.encode()), 0)].decode("utf-8", "ignore").rstrip()
    return f"{kept}{ellipsis}" if size >= len(ellipsis.encode()) else ""


def cut(text: str, length: int) -> str:
    """Return at most ``length`` characters, the last an ellipsis where the text was cut."""
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"
