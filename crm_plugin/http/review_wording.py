"""The words of the page on which somebody writes a review, one catalogue a language.

``{product}`` is filled in with its name, ``{limit}`` with a number, ``{sender}`` with the merchant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewing:
    """The page: the form, what can be wrong with it, and what came of it. ``stars`` go from one to five."""

    title: str
    intro: str
    stars_legend: str
    stars: tuple[str, str, str, str, str]
    heading: str
    body: str
    author: str
    author_hint: str
    pictures: str
    pictures_hint: str
    button: str
    note: str
    problems: str
    no_stars: str
    too_long: str
    too_many_pictures: str
    picture_too_large: str
    no_picture: str
    done_title: str
    done: str
    published: str
    already_title: str
    already: str
    expired_title: str
    expired: str
    gone_title: str
    gone: str
    too_often: str


ENGLISH: Final = Reviewing(
    title="Your review",
    intro="How do you like {product}? Good or bad, it helps others to choose.",
    stars_legend="How many stars do you give? (required)",
    stars=("1 star: poor", "2 stars: not good", "3 stars: all right", "4 stars: good", "5 stars: very good"),
    heading="In a few words",
    body="Your review",
    author="Your name",
    author_hint="As it is shown beside the review.",
    pictures="Pictures",
    pictures_hint="Up to {limit}, of at most 5 MB each. Where and when they were taken is removed from them.",
    button="Send the review",
    note="Everybody can read your review. {sender} shows good and bad ones alike, and marks those of people who "
    "bought the product.",
    problems="Please look at these again:",
    no_stars="Choose one to five stars.",
    too_long="At most {limit} characters.",
    too_many_pictures="At most {limit} pictures.",
    picture_too_large="A picture is larger than 5 MB, or has too many pixels.",
    no_picture="This is not a picture that can be shown. Please take JPEG, PNG or WebP.",
    done_title="Thank you for your review",
    done="{sender} looks at reviews before they appear. Yours will be visible soon.",
    published="Everybody can read it now.",
    already_title="You have reviewed this already",
    already="Your review of {product} is with us. Thank you!",
    expired_title="This link has expired",
    expired="Reviews can be written for half a year after the order. You are welcome to write one in the shop.",
    gone_title="There is nothing to review here",
    gone="This product or this order is no longer known.",
    too_often="Too many tries from your connection. Please wait a minute and send the form again.",
)
KOREAN: Final = Reviewing(
    title="후기 쓰기",
    intro="{product}, 사용해 보니 어떠셨나요? 좋은 점도 아쉬운 점도 다른 고객님께 큰 도움이 됩니다.",
    stars_legend="별점을 선택해 주세요 (필수)",
    stars=("별 1개: 별로예요", "별 2개: 아쉬워요", "별 3개: 보통이에요", "별 4개: 좋아요", "별 5개: 아주 좋아요"),
    heading="한 줄 요약",
    body="후기",
    author="이름",
    author_hint="후기 옆에 표시됩니다.",
    pictures="사진",
    pictures_hint="최대 {limit}장, 장당 5MB까지 올릴 수 있습니다. 촬영 위치와 시각 정보는 삭제됩니다.",
    button="후기 등록",
    note="후기는 누구나 볼 수 있습니다. {sender}은(는) 좋은 후기와 아쉬운 후기를 모두 게시하며, "
    "실제 구매자의 후기를 표시합니다.",
    problems="다음 항목을 다시 확인해 주세요.",
    no_stars="별점을 1개에서 5개 사이로 선택해 주세요.",
    too_long="최대 {limit}자까지 쓸 수 있습니다.",
    too_many_pictures="사진은 최대 {limit}장까지 올릴 수 있습니다.",
    picture_too_large="사진이 5MB보다 크거나 해상도가 너무 높습니다.",
    no_picture="표시할 수 없는 사진입니다. JPEG, PNG, WebP 파일을 올려 주세요.",
    done_title="후기를 남겨 주셔서 감사합니다",
    done="{sender}에서 확인한 뒤 후기가 게시됩니다.",
    published="이제 누구나 후기를 볼 수 있습니다.",
    already_title="이미 후기를 작성하셨습니다",
    already="{product}의 후기가 등록되어 있습니다. 감사합니다!",
    expired_title="링크가 만료되었습니다",
    expired="후기는 주문 후 6개월 안에 작성할 수 있습니다. 쇼핑몰에서 직접 후기를 작성하실 수 있습니다.",
    gone_title="작성할 후기가 없습니다",
    gone="더 이상 존재하지 않는 상품이거나 주문입니다.",
    too_often="요청이 너무 많습니다. 1분 뒤에 다시 보내 주세요.",
)
CATALOGUES: Final[Mapping[str, Reviewing]] = {"en": ENGLISH, "ko": KOREAN}
