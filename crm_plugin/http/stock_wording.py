"""The words of the pages behind the links of a request for stock, one catalogue a language.

``{sender}`` and ``{product}`` are filled in. The names of the fields are what the page is about.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page; ``button`` and ``otherwise`` only where there is something to do."""

    title: str
    text: str
    button: str = ""
    otherwise: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """All pages of a request for stock. ``product`` stands for one whose name is not known any more."""

    product: str
    look: str
    confirm: Page
    confirmed: Page
    available: Page
    expired: Page
    gone: Page
    cancel: Page
    cancelled: Page


ENGLISH: Final = Asking(
    product="this product",
    look="View product",
    confirm=Page(
        title="Shall we tell you?",
        text="Do you want {sender} to write to you once when {product} can be ordered again?",
        button="Yes, tell me",
        otherwise="If you did not ask for it, close this page: nothing will be sent.",
    ),
    confirmed=Page(
        title="We will tell you",
        text="{sender} writes to you once when {product} can be ordered again. Whoever asked first hears of it first.",
    ),
    available=Page(title="You can order it now", text="{product} is in stock, so there is nothing to wait for."),
    expired=Page(title="This link has expired", text="If you still want to hear of {product}, please ask again."),
    gone=Page(
        title="There is nothing to confirm",
        text="This request was taken back or is no longer known. Nothing will be sent.",
    ),
    cancel=Page(
        title="Take the request back?",
        text="You asked {sender} to tell you when {product} can be ordered again.",
        button="Do not tell me",
        otherwise="If you close this page, everything stays as it is.",
    ),
    cancelled=Page(title="Nothing will be sent", text="{sender} will not write to you about {product}."),
)
KOREAN: Final = Asking(
    product="이 상품",
    look="상품 보기",
    confirm=Page(
        title="재입고 알림을 받으시겠습니까?",
        text="{sender}에서 “{product}” 상품이 다시 입고되면 한 번 알려 드립니다.",
        button="알림 받기",
        otherwise="신청하지 않으셨다면 이 페이지를 닫아 주세요. 아무것도 발송되지 않습니다.",
    ),
    confirmed=Page(
        title="알림 신청이 완료되었습니다",
        text="“{product}” 상품이 다시 입고되면 {sender}에서 신청하신 순서대로 한 번 알려 드립니다.",
    ),
    available=Page(
        title="지금 주문하실 수 있습니다", text="“{product}” 상품은 현재 재고가 있어 기다리지 않으셔도 됩니다."
    ),
    expired=Page(title="링크가 만료되었습니다", text="“{product}” 상품의 재입고 알림을 원하시면 다시 신청해 주세요."),
    gone=Page(
        title="확인할 내용이 없습니다",
        text="신청이 취소되었거나 더 이상 존재하지 않습니다. 아무것도 발송되지 않습니다.",
    ),
    cancel=Page(
        title="알림 신청을 취소하시겠습니까?",
        text="{sender}에 “{product}” 상품의 재입고 알림을 신청하셨습니다.",
        button="신청 취소",
        otherwise="이 페이지를 닫으시면 신청이 그대로 유지됩니다.",
    ),
    cancelled=Page(
        title="신청이 취소되었습니다", text="{sender}에서 “{product}” 상품의 재입고 알림을 보내지 않습니다."
    ),
)
CATALOGUES: Final[Mapping[str, Asking]] = {"en": ENGLISH, "ko": KOREAN}
