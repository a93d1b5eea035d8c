"""What a merchant probably does not mean: told before a campaign is published, and no reason to refuse it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from crm_plugin import coupons, merchant
from crm_plugin.automations.definition import Definition, ExitCondition
from crm_plugin.automations.program import Op, Program
from crm_plugin.automations.steps import (
    Attempt,
    ExitStep,
    IssueCouponStep,
    SendStep,
    SplitStep,
    WaitForStep,
    WaitStep,
    WebhookStep,
)
from crm_plugin.automations.triggers import WAVES, AbandonedTrigger, ActivityTrigger, AfterTrigger, BackInStockTrigger
from crm_plugin.errors import InvalidInput
from crm_plugin.merchant import Merchant
from crm_plugin.messaging import Advert, MessageClass, TemplateSource, advertises
from crm_plugin.shop import FactKind


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing to look at again.

    Attributes:
        field: its path in the definition, or the setting.
        code: a closed word: one of ``WORDS``.
        message: for people.
    """

    field: str
    code: str
    message: str


WORDS: dict[str, dict[str, str]] = {
    "NO_PURCHASE_EXIT": {
        "en": "Nothing ends a run when the person buys: they may get an offer for what they have just bought.",
        "ko": "구매해도 캠페인이 끝나지 않습니다. 방금 구매한 고객에게 같은 제안이 갈 수 있습니다.",
    },
    "ITEM_NEVER_BOUGHT": {
        "en": "Runs of this trigger are about no product, so `bought_item` never ends one; `ordered` would.",
        "ko": "이 트리거에는 대상 상품이 없어 `bought_item`으로는 끝나지 않습니다. `ordered`를 사용하세요.",
    },
    "NO_CONSENT_TEXT": {
        "en": "The settings do not say why the reader gets this advertisement (consent text).",
        "ko": "설정에 수신 동의 안내 문구가 없습니다. 광고성 메시지에는 받는 이유를 밝혀야 합니다.",
    },
    "NO_POSTAL_ADDRESS": {
        "en": "The settings have no postal address to put into the messages.",
        "ko": "설정에 메시지에 넣을 사업장 주소가 없습니다.",
    },
    "WITHIN_FREQUENCY_CAP": {
        "en": "This message can come so soon after the ones before it that the frequency cap skips it.",
        "ko": "앞선 메시지와의 간격이 짧아 발송 빈도 제한에 걸려 이 메시지가 건너뛰어질 수 있습니다.",
    },
    "NOTHING_SENT": {
        "en": "No step sends anything.",
        "ko": "아무것도 발송하지 않는 캠페인입니다.",
    },
    "ADVERTISES": {
        "en": "This looks like an advertisement ({words}), but is sent as information: no consent, label, way out.",
        "ko": "광고로 보이는 내용({words})이 정보성 메시지로 발송됩니다. 광고라면 수신 동의와 표기가 필요합니다.",
    },
    "LANGUAGE_MISSING": {
        "en": "There is no content in {words}; those readers get another language.",
        "ko": "{words} 내용이 없어 해당 고객은 다른 언어로 받게 됩니다.",
    },
    "POOL_RUNS_DRY": {
        "en": "The pool of the coupon holds {words} codes: fewer than people may get one.",
        "ko": "쿠폰에 남은 코드가 {words}개로, 받을 수 있는 사람보다 적습니다.",
    },
    "EMPTY_AUDIENCE": {
        "en": "Nobody is in the audience now.",
        "ko": "현재 대상 고객이 없습니다.",
    },
    "AUDIENCE_NOT_COUNTED": {
        "en": "Counting the audience took too long.",
        "ko": "대상 고객 수를 세는 데 시간이 너무 오래 걸립니다.",
    },
}

_PURCHASE = {ExitCondition.BOUGHT_ITEM, ExitCondition.ORDERED}
#: Activities that are about products, so that a run has items.
_OF_ORDERS = {
    FactKind.ORDERED, FactKind.BOUGHT, FactKind.PAID, FactKind.FULFILLED, FactKind.DELIVERED, FactKind.REVIEWED,
}  # fmt: skip
_ABOUT_PRODUCTS = {
    *(FactKind.VIEWED, FactKind.LIKED, FactKind.CARTED, FactKind.CART_CHANGED, FactKind.CHECKOUT_STARTED),
    *_OF_ORDERS,
}


def advice(code: str, field: str, *, language: str = "en", **values: str) -> Advice:
    """Return a piece of advice in words."""
    words = WORDS[code]
    return Advice(field, code, words.get(language, words["en"]).format(**values))


def warnings(definition: Definition, *, language: str = "en") -> list[Advice]:
    """Return what to look at again before publishing.

    Args:
        definition: one that could be saved.
        language: of the messages; ``en`` or ``ko``.
    """
    row = merchant.load()
    found = [*_of_exits(definition), *_of_settings(definition, row), *_of_sends(definition, row)]
    return [advice(code, field, language=language, **values) for code, field, values in found]


def of_pools(definition: Definition, people: int | None, *, language: str = "en") -> list[Advice]:
    """Return which coupons' pools hold too few codes for the audience; where that is not known, which hold none.

    Args:
        definition: one that could be saved.
        people: in the trigger's audience now; None: nobody knows.
        language: of the messages.
    """
    steps = [(op.path, op.step) for op in definition.program.ops if isinstance(op.step, IssueCouponStep)]
    left = {pk: one.free for pk, one in coupons.counts({step.coupon for _path, step in steps}).items()} if steps else {}
    return [
        advice("POOL_RUNS_DRY", f"definition.{path}.coupon", language=language, words=str(free))
        for path, step in steps
        if (free := left.get(step.coupon)) is not None and free < (1 if people is None else people)
    ]


_Found = tuple[str, str, dict[str, str]]


def _of_exits(definition: Definition) -> Iterator[_Found]:
    marketing = [op for op, step in definition.sends() if step.message_class is MessageClass.MARKETING]
    asked = _PURCHASE & set(definition.exit_when)
    if marketing and not asked and definition.exit_audience is None:
        yield "NO_PURCHASE_EXIT", "definition.exit_when", {}
    elif marketing and asked == {ExitCondition.BOUGHT_ITEM} and not _has_items(definition):
        yield "ITEM_NEVER_BOUGHT", "definition.exit_when", {}


def _has_items(definition: Definition) -> bool:
    match definition.trigger:
        case ActivityTrigger() | AfterTrigger():
            return definition.trigger.activity in _ABOUT_PRODUCTS
        case AbandonedTrigger():
            return True
        case _:
            return isinstance(definition.trigger, WAVES)


def _of_settings(definition: Definition, row: Merchant) -> Iterator[_Found]:
    classes = {step.message_class for _op, step in definition.sends()}
    if MessageClass.MARKETING in classes and not row.consent_text:
        yield "NO_CONSENT_TEXT", "consent_text", {}
    if MessageClass.MARKETING not in classes and classes and not row.postal_address:
        yield "NO_POSTAL_ADDRESS", "postal_address", {}


def _of_sends(definition: Definition, row: Merchant) -> Iterator[_Found]:
    program = definition.program
    if not any(isinstance(op.step, SendStep | WebhookStep) for op in program.ops):
        yield "NOTHING_SENT", "definition.steps", {}
    for op, step in definition.sends():
        for attempt in step.attempts:
            if step.message_class is MessageClass.TRANSACTIONAL and (found := _adverts(attempt, definition)):
                yield "ADVERTISES", f"definition.{op.path}.{attempt.path}", {"words": found}
            for language in row.languages:
                if language not in attempt.template:
                    yield "LANGUAGE_MISSING", f"definition.{op.path}.{attempt.path}", {"words": language}
    too_soon = {
        place
        for op, step in definition.sends()
        if step.message_class is MessageClass.MARKETING
        for cap in row.cap_rules
        if cap.channel in ("", step.channel)
        for place in _too_soon(program, op, channel=cap.channel, count=cap.count, within=cap.longest)
    }
    for place in sorted(too_soon):
        yield "WITHIN_FREQUENCY_CAP", f"definition.{program.ops[place].path}", {}


def _adverts(attempt: Attempt, definition: Definition) -> str:
    """Return why the content looks like an advertisement; empty when nothing speaks for it, or it cannot be read.

    Products of an order are no offer, nor is what the person asked to be told of.
    """
    trigger = definition.trigger
    is_asked_for = isinstance(trigger, BackInStockTrigger) and trigger.is_asked_for
    is_no_offer = is_asked_for or getattr(trigger, "activity", None) in _OF_ORDERS
    excused = {Advert.PRODUCTS, Advert.PRICE} if is_no_offer else set()
    try:
        found = advertises(TemplateSource.parse(attempt.template, channel=attempt.channel))
    except InvalidInput:
        return ""
    return ", ".join(reason for reason in found if reason not in excused)


def _too_soon(program: Program, start: Op, *, channel: str, count: int, within: timedelta) -> Iterator[int]:
    """Walk over the places at which a person may get ``count`` more advertisements within the time.

    Steps lead forward only, so one pass in the order of places finds the shortest time to each, by the number of
    messages on the way.
    """
    soonest: dict[int, dict[int, float]] = {start.following: {0: 0.0}}
    for op in program.ops[start.place + 1 :]:
        for sent, seconds in soonest.get(op.place, {}).items():
            here = sent
            if _counts(op, channel):
                here += 1
                if here == count:
                    if seconds < within.total_seconds():
                        yield op.place
                    continue
            for place, more in _ways_on(op):
                known = soonest.setdefault(place, {})
                known[here] = min(known.get(here, float("inf")), seconds + more)


def _counts(op: Op, channel: str) -> bool:
    """Whether what is sent here counts for the cap of the channel; of all channels, when it is empty."""
    step = op.step
    if not isinstance(step, SendStep) or step.message_class is not MessageClass.MARKETING:
        return False
    return channel in ("", step.channel)


def _ways_on(op: Op) -> list[tuple[int, float]]:
    """Return where a run may go from here, and after how many seconds at the soonest."""
    match op.step:
        case ExitStep():
            return []
        case WaitStep():
            return [(op.following, float(op.step.seconds))]
        case SplitStep():
            arms = zip(op.step.arms, op.ways, strict=True)
            return [(way, 0.0) for arm, way in arms if not arm.is_holdout]
        case WaitForStep():
            return [(op.ways[0], 0.0), (op.ways[1], float(op.step.timeout_seconds))]
        case _:
            return [(way, 0.0) for way in op.ways] or [(op.following, 0.0)]


__all__ = ["WORDS", "Advice", "advice", "of_pools", "warnings"]
