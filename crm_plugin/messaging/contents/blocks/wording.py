"""What blocks say by themselves, where the merchant says nothing else. Other languages than these read English."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from crm_plugin.messaging.languages import is_korean

_ENGLISH: Final[Mapping[str, str]] = {
    "code": "Your coupon code",
    "until": "Valid until {{ coupon.expires_on }}. Enter the code at checkout.",
    "use": "Enter the code at checkout.",
    "cart": "Back to your cart",
    "total": "Total: {{ cart.total }}",
    "review": "Write a review",
    "unsubscribe": "Unsubscribe",
    "preferences": "Preferences",
}
_KOREAN: Final[Mapping[str, str]] = {
    "code": "쿠폰 코드",
    "until": "{{ coupon.expires_on }}까지 사용할 수 있습니다. 주문할 때 코드를 입력해 주세요.",
    "use": "주문할 때 코드를 입력해 주세요.",
    "cart": "장바구니로 돌아가기",
    "total": "합계 {{ cart.total }}",
    "review": "후기 쓰기",
    "unsubscribe": "수신거부",
    "preferences": "수신 설정",
}


def said(key: str, language: str) -> str:
    """Return the block's own words in the language of the mail."""
    return (_KOREAN if is_korean(language) else _ENGLISH)[key]
