"""How activities, windows and comparisons are said."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from crm_plugin.audience.conditions.comparing import Comparison, Op
from crm_plugin.audience.conditions.wording import Wording
from crm_plugin.audience.windows import AnyWindow, Before, Between, Duration, ExactlyAgo, LastDays, Unit, Within
from crm_plugin.shop import FactKind

if TYPE_CHECKING:
    from crm_plugin.audience.conditions.activities import Deed, Price, What

_UNITS = {Unit.MINUTES: ("minute", "분"), Unit.HOURS: ("hour", "시간"), Unit.DAYS: ("day", "일")}
#: (English, Korean) of a deed, after "they".
VERBS = {
    FactKind.SIGNED_UP: ("signed up", "회원 가입"),
    FactKind.ACCOUNT_CONFIRMED: ("confirmed the account", "계정 확인"),
    FactKind.LOGGED_IN: ("logged in", "로그인"),
    FactKind.VISITED: ("visited the shop", "방문"),
    FactKind.VIEWED: ("viewed", "조회"),
    FactKind.GROUP_VIEWED: ("viewed the page of a category", "카테고리 조회"),
    FactKind.SEARCHED: ("searched", "검색"),
    FactKind.LIKED: ("liked", "좋아요"),
    FactKind.UNLIKED: ("took back the like of", "좋아요 취소"),
    FactKind.CARTED: ("put in the cart", "장바구니에 담음"),
    FactKind.CHECKOUT_STARTED: ("started the checkout with", "주문서 작성"),
    FactKind.ORDERED: ("ordered", "주문"),
    FactKind.BOUGHT: ("bought", "구매"),
    FactKind.PAID: ("paid", "결제"),
    FactKind.FULFILLED: ("received", "배송 완료"),
    FactKind.CANCELLED: ("cancelled an order", "주문 취소"),
    FactKind.REFUNDED: ("got a refund", "환불"),
    FactKind.RECEIPT_CONFIRMED: ("confirmed the receipt of an order", "구매 확정"),
    FactKind.REVIEWED: ("reviewed", "리뷰 작성"),
    FactKind.REVIEW_PUBLISHED: ("had a review published of", "리뷰 게시"),
    FactKind.STOCK_AWAITED: ("asked to be told of stock of", "재입고 알림 신청"),
    FactKind.COUPON_ISSUED: ("got a coupon", "쿠폰 발급"),
    FactKind.COUPON_USED: ("used a coupon", "쿠폰 사용"),
    FactKind.BALANCE_CHANGED: ("had a balance changed", "잔액 변동"),
    FactKind.CUSTOM: ("did a custom event", "사용자 지정 이벤트"),
    FactKind.SEGMENT_JOINED: ("joined a segment", "세그먼트 진입"),
    FactKind.SEGMENT_LEFT: ("left a segment", "세그먼트 이탈"),
    FactKind.MESSAGE_OPENED: ("opened a message", "메시지 열람"),
    FactKind.MESSAGE_CLICKED: ("clicked in a message", "메시지 클릭"),
}


def did_phrase(wording: Wording, deed: Deed, *, window: AnyWindow | None, times: str, amount: str = "") -> str:
    """Return ``viewed 12, at least 3 times, in the last 5 days``."""
    parts = [deed_phrase(wording, deed), amount, window_phrase(wording, window), times]
    return ", ".join(part for part in parts if part)


def deed_phrase(wording: Wording, deed: Deed) -> str:
    """Return what was done, with what."""
    english, korean = VERBS.get(deed.activity, (deed.activity.value, deed.activity.value))
    what = what_phrase(wording, deed.what)
    return wording(f"{english} {what}".strip(), f"{what} {korean}".strip())


def what_phrase(wording: Wording, what: What) -> str:
    """Return the products, groups, subject and shop channels."""
    parts = []
    if what.products or what.groups:
        parts.append(wording.names([*(f"product:{key}" for key in what.products), *what.groups]))
    if what.subject:
        is_whole = what.subject.op.value == "is"
        text = what.subject.value
        parts.append(f"“{text}”" if is_whole else wording(f"with “{text}” in it", f"“{text}” 포함"))
    if what.shop_channels:
        channels = wording.names(what.shop_channels)
        parts.append(wording(f"in the shop channel {channels}", f"{channels} 채널에서"))
    return " ".join(parts)


def times_phrase(wording: Wording, op: str, count: int) -> str:
    """Return how often."""
    if not count:
        return wording("never", "한 번도 안 함")
    times = wording("once" if count == 1 else f"{count} times", f"{count}회")
    match op:
        case "at_least":
            return wording(f"at least {times}", f"{times} 이상")
        case "at_most":
            return wording(f"at most {times}", f"{times} 이하")
        case _:
            return wording(f"exactly {times}", f"정확히 {times}")


def amount_phrase(wording: Wording, price: Price) -> str:
    """Return what an activity was worth."""
    return comparison_phrase(wording, price, price.currency)


def comparison_phrase(wording: Wording, comparison: Comparison, unit: str = "") -> str:
    """Return ``at least 100 EUR``."""
    tail = f" {unit}".rstrip()
    if isinstance(comparison.value, tuple):
        low, high = comparison.value
        return wording(f"between {low:f} and {high:f}{tail}", f"{low:f}~{high:f}{tail}")
    value = f"{comparison.value:f}{tail}"
    english, korean = {
        Op.GT: ("more than {}", "{} 초과"),
        Op.GTE: ("at least {}", "{} 이상"),
        Op.LT: ("less than {}", "{} 미만"),
        Op.LTE: ("at most {}", "{} 이하"),
    }.get(comparison.op, ("exactly {}", "정확히 {}"))
    return wording(english.format(value), korean.format(value))


def window_phrase(wording: Wording, window: AnyWindow | None) -> str:
    """Return the time it is about; nothing for all time."""
    match window:
        case None:
            return ""
        case LastDays(days=days):
            return wording(f"in the last {days} days before today", f"오늘 이전 최근 {days}일 동안")
        case Within():
            length = length_phrase(wording, window)
            return wording(f"within the last {length}", f"최근 {length} 이내")
        case Before():
            length = length_phrase(wording, window)
            return wording(f"longer than {length} ago", f"{length} 이전")
        case ExactlyAgo():
            length = length_phrase(wording, window)
            return wording(f"exactly {length} ago", f"정확히 {length} 전")
        case Between():
            return wording(f"from {window.from_} to {window.to}", f"{window.from_}부터 {window.to}까지")
        case _:
            assert_never(window)


def length_phrase(wording: Wording, length: Within | Before | ExactlyAgo | Duration) -> str:
    """Return ``3 days``."""
    english, korean = _UNITS[length.unit]
    return wording(f"{length.amount} {english}{'' if length.amount == 1 else 's'}", f"{length.amount}{korean}")
