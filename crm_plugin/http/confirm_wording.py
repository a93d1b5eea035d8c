"""The words of the page that confirms a double opt-in, one catalogue a language.

``{sender}``, ``{matter}`` and ``{date}`` are filled in as in ``wording``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A page with one button: the question, and what came of it."""

    title: str
    question: str
    button: str
    otherwise: str
    done_title: str
    done: str
    gone_title: str
    gone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirming(Question):
    """The page of a double opt-in, whose link is good for a while."""

    expired_title: str
    expired: str


ENGLISH: Final = Confirming(
    title="Confirm your consent",
    question="Do you agree to get {matter} from {sender}?",
    button="Yes, I agree",
    otherwise="If you did not ask for it, close this page: nothing will be sent.",
    done_title="Thank you",
    done="On {date} we recorded that you agree to {matter} from {sender}. You can withdraw that at any time.",
    expired_title="This link has expired",
    expired="Nothing has changed. If you still want {matter} from {sender}, please sign up again.",
    gone_title="There is nothing to confirm",
    gone="This request was withdrawn or is no longer known. Nothing has changed.",
)
KOREAN: Final = Confirming(
    title="수신 동의 확인",
    question="{sender}의 {matter} 수신에 동의하시겠습니까?",
    button="동의합니다",
    otherwise="신청하지 않으셨다면 이 페이지를 닫아 주세요. 아무것도 발송되지 않습니다.",
    done_title="동의가 완료되었습니다",
    done="{date}에 {sender}의 {matter} 수신에 동의하셨습니다. 동의는 언제든지 철회하실 수 있습니다.",
    expired_title="링크가 만료되었습니다",
    expired="변경된 내용은 없습니다. {sender}의 {matter} 수신을 원하시면 다시 신청해 주세요.",
    gone_title="확인할 내용이 없습니다",
    gone="신청이 철회되었거나 더 이상 존재하지 않습니다. 변경된 내용은 없습니다.",
)
CATALOGUES: Final[Mapping[str, Confirming]] = {"en": ENGLISH, "ko": KOREAN}
