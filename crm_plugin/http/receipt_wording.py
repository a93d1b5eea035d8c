"""The words of the page on which somebody confirms the receipt of an order, one catalogue a language.

``{number}`` is the order's, ``{sender}`` the merchant.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from crm_plugin.http.confirm_wording import Question

ENGLISH: Final = Question(
    title="Has everything arrived?",
    question="Please confirm that order {number} arrived and that you are happy with it.",
    button="Yes, everything arrived",
    otherwise="If something is missing or broken, do not confirm: reply to our mail instead, and we put it right.",
    done_title="Thank you",
    done="You have confirmed that order {number} arrived. {sender} wishes you joy of it.",
    gone_title="There is nothing to confirm",
    gone="This order was cancelled or paid back, or is no longer known.",
)
KOREAN: Final = Question(
    title="상품을 모두 받으셨나요?",
    question="주문 {number}의 상품을 이상 없이 받으셨다면 구매확정을 해 주세요.",
    button="구매확정",
    otherwise="빠지거나 파손된 상품이 있다면 확정하지 마시고 메일에 답장해 주세요. 바로 해결해 드리겠습니다.",
    done_title="구매가 확정되었습니다",
    done="주문 {number}의 구매를 확정하셨습니다. {sender}을(를) 이용해 주셔서 감사합니다.",
    gone_title="확정할 주문이 없습니다",
    gone="취소되었거나 환불된 주문이거나 더 이상 존재하지 않는 주문입니다.",
)
CATALOGUES: Final[Mapping[str, Question]] = {"en": ENGLISH, "ko": KOREAN}
