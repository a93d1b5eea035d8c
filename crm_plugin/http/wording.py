"""The words of the public pages, one catalogue a language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Wording:
    """The unsubscribe page. ``{sender}`` and ``{date}`` are filled in."""

    language: str
    title: str
    question: str
    button: str
    note: str
    done_title: str
    done: str


ENGLISH: Final = Wording(
    language="en",
    title="Unsubscribe",
    question="Do you want to stop receiving advertising e-mails from {sender}?",
    button="Unsubscribe",
    note="You will still get messages about your orders and your account.",
    done_title="You are unsubscribed",
    done="On {date} we recorded that you no longer agree to advertising e-mails from {sender}. It applies at once.",
)
KOREAN: Final = Wording(
    language="ko",
    title="수신거부",
    question="{sender}의 광고성 이메일을 더 이상 받지 않으시겠습니까?",
    button="수신거부",
    note="주문 및 계정 관련 안내 메일은 계속 발송됩니다.",
    done_title="수신거부가 완료되었습니다",
    done="{date}에 {sender}의 광고성 이메일 수신 동의가 철회되었으며, 즉시 적용됩니다.",
)
CATALOGUES: Final = {wording.language: wording for wording in (ENGLISH, KOREAN)}


def wording(*languages: str) -> Wording:
    """Return the words in the first of the languages that there are any in, else in English."""
    for language in languages:
        base = language.lower().replace("_", "-").partition("-")[0]
        if base in CATALOGUES:
            return CATALOGUES[base]
    return ENGLISH
