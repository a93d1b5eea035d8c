"""What a dry run cannot know, said to whoever reads it."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from crm_plugin.automations.definition import Definition
from crm_plugin.automations.foreseeing.model import Remark
from crm_plugin.automations.models import CampaignState
from crm_plugin.automations.steps import (
    BranchStep,
    IssueCouponStep,
    ListStep,
    SetAttributeStep,
    SplitStep,
    TagStep,
    WaitForStep,
    WebhookStep,
)
from crm_plugin.automations.triggers import (
    WAVES,
    AbandonedTrigger,
    ActivityTrigger,
    AfterTrigger,
)
from crm_plugin.contacts import ChannelKind
from crm_plugin.merchant import Merchant


class Code(StrEnum):
    """Each remark that there is."""

    DRAFT = "draft"
    PAUSED = "paused"
    OVER = "over"
    OLD_VERSION_RUNS = "old_version_runs"
    NEW_ACTIVITIES = "new_activities"
    NEW_CARTS = "new_carts"
    CATALOGUE = "catalogue"
    AS_OF_NOW = "as_of_now"
    TIMES_OUT = "times_out"
    NO_EFFECTS = "no_effects"
    NO_WINNER_YET = "no_winner_yet"
    SLOWED_DOWN = "slowed_down"
    RUNS_DRY = "runs_dry"
    TOO_MANY = "too_many"


_SENTENCES: Final = MappingProxyType[Code, tuple[str, str]](
    {
        Code.DRAFT: (
            "The campaign is a draft: this is what it would do if it were published now.",
            "초안 캠페인입니다. 지금 게시한다고 가정한 결과입니다.",
        ),
        Code.PAUSED: (
            "The campaign is paused: this is what it would do if it went on now.",
            "일시 중지된 캠페인입니다. 지금 다시 시작한다고 가정한 결과입니다.",
        ),
        Code.OVER: (
            "The campaign is over: nobody enters, and whoever is under way leaves without a message.",
            "종료된 캠페인입니다. 새로 들어오는 사람이 없고, 진행 중인 사람도 메시지 없이 끝납니다.",
        ),
        Code.OLD_VERSION_RUNS: (
            "There are changes that were not published; this is about the version that runs.",
            "게시하지 않은 변경 사항이 있습니다. 지금 실행 중인 버전의 결과입니다.",
        ),
        Code.NEW_ACTIVITIES: (
            "What people will do cannot be foreseen: whoever enters by it from now on is not listed.",
            "앞으로의 행동은 예측할 수 없습니다. 지금부터 행동으로 들어올 사람은 포함되지 않습니다.",
        ),
        Code.NEW_CARTS: (
            "Only carts that wait already are listed; those that will be left from now on cannot be foreseen.",
            "이미 대기 중인 장바구니만 포함됩니다. 앞으로 방치될 장바구니는 예측할 수 없습니다.",
        ),
        Code.CATALOGUE: (
            "Prices, stock and vouchers to come cannot be foreseen: only people under way are listed, and their "
            "products are looked at again when the message goes out.",
            "앞으로의 가격·재고·쿠폰 변동은 예측할 수 없습니다. 이미 진행 중인 사람만 포함되며, 상품은 발송 시점에 "
            "다시 확인됩니다.",
        ),
        Code.AS_OF_NOW: (
            "Audiences are asked as far as is known today; what people do until then changes who is in them.",
            "대상은 오늘까지 알려진 정보로 계산합니다. 그때까지의 행동에 따라 달라질 수 있습니다.",
        ),
        Code.TIMES_OUT: (
            "Where the campaign waits for something, it is taken not to happen.",
            "기다리는 행동은 일어나지 않는다고 가정합니다.",
        ),
        Code.NO_EFFECTS: (
            "Attributes, tags, lists and webhooks of the campaign are passed over, and no coupon is issued; what they "
            "would change is not taken into account.",
            "속성·태그·목록 변경, 웹훅 단계는 실행하지 않고 쿠폰도 발급하지 않으며, 그 영향도 반영하지 않습니다.",
        ),
        Code.NO_WINNER_YET: (
            "A test has no winner yet: whoever waits for it is listed up to there.",
            "아직 승자가 정해지지 않은 테스트가 있습니다. 결과를 기다리는 사람은 그 단계까지만 표시됩니다.",
        ),
        Code.SLOWED_DOWN: (
            "Mail goes out slowly to some or all people, by the settings: how much others take up is not known, so "
            "messages may come later than listed.",
            "설정에 따라 일부 또는 전체 메일이 천천히 발송됩니다. 다른 발송량은 알 수 없으므로 표시된 시각보다 늦게 "
            "발송될 수 있습니다.",
        ),
        Code.RUNS_DRY: (
            "A pool holds fewer codes than people would get one: upload more, or some get none.",
            "쿠폰을 받을 사람보다 남은 코드가 적습니다. 코드를 더 올리지 않으면 일부는 받지 못합니다.",
        ),
        Code.TOO_MANY: (
            "There are more people than a dry run follows; the totals are of those who come first.",
            "미리 보기가 따라갈 수 있는 인원보다 많습니다. 합계는 먼저 들어오는 사람들만의 것입니다.",
        ),
    }
)
_OF_STATES: Final = MappingProxyType[CampaignState, Code](
    {
        CampaignState.DRAFT: Code.DRAFT,
        CampaignState.PAUSED: Code.PAUSED,
        CampaignState.ENDED: Code.OVER,
        CampaignState.ARCHIVED: Code.OVER,
    }
)
_EFFECTS = (IssueCouponStep, SetAttributeStep, TagStep, ListStep, WebhookStep)


def about(definition: Definition, *, state: CampaignState, has_changes: bool) -> list[Code]:
    """Return the remarks that a campaign's definition and state call for."""
    codes = [_OF_STATES[state]] if state in _OF_STATES else []
    if has_changes and state is not CampaignState.DRAFT:
        codes.append(Code.OLD_VERSION_RUNS)
    return [*codes, *_of_trigger(definition), *_of_steps(definition)]


def of_merchant(us: Merchant, definition: Definition) -> Iterator[Code]:
    """Walk over the remarks that the merchant's settings call for."""
    mails = any(attempt.channel == ChannelKind.EMAIL for _op, step in definition.sends() for attempt in step.attempts)
    if mails and (us.warm_up_from is not None or us.domain_limits):
        yield Code.SLOWED_DOWN


def told(code: Code, language: str) -> Remark:
    """Return a remark in a language: Korean, else English."""
    english, korean = _SENTENCES[code]
    is_korean = language.partition("-")[0] == "ko"
    return Remark(code=code.value, sentence=korean if is_korean else english)


def _of_trigger(definition: Definition) -> Iterator[Code]:
    trigger = definition.trigger
    if isinstance(trigger, ActivityTrigger | AfterTrigger):
        yield Code.NEW_ACTIVITIES
    if isinstance(trigger, AbandonedTrigger):
        yield Code.NEW_CARTS
    if isinstance(trigger, WAVES):
        yield Code.CATALOGUE
    has_branches = any(isinstance(op.step, BranchStep) for op in definition.program.ops)
    is_asked = trigger.audience is not None and not isinstance(trigger, ActivityTrigger)
    if has_branches or is_asked or definition.exit_audience is not None:
        yield Code.AS_OF_NOW


def _of_steps(definition: Definition) -> Iterator[Code]:
    steps = [op.step for op in definition.program.ops]
    if any(isinstance(step, WaitForStep) for step in steps):
        yield Code.TIMES_OUT
    if any(isinstance(step, _EFFECTS) for step in steps):
        yield Code.NO_EFFECTS
    if any(isinstance(step, SplitStep) and step.winner is not None for step in steps):
        yield Code.NO_WINNER_YET
