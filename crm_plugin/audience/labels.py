"""What a place among all buyers is called: the labels of RFM classes and the stages of a life with the shop.

The labels are the grid of recency and frequency that is in general use for RFM in fifths: ``[1-2][1-2]`` hibernating,
``[1-2][3-4]`` at risk, ``[1-2]5`` cannot lose, ``3[1-2]`` about to sleep, ``33`` need attention, ``[3-4][4-5]`` loyal,
``41`` promising, ``51`` new, ``[4-5][2-3]`` potential loyalist, ``5[4-5]`` champions. It leaves no class without a
label and gives none two, unlike the intervals of the eleven segments that it comes from (as in ``rfm_segment`` of the R
package ``rfm`` 0.2.2, https://rdocumentation.org/packages/rfm/versions/0.2.2/topics/rfm_segment). Of those it lacks
only "lost", the lowest class of all, which is ``11`` here. Spend is no part of a label; it is asked for beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from crm_plugin.audience.models import Stage


class Label(StrEnum):
    """The name of an RFM class."""

    CHAMPIONS = "champions"
    LOYAL = "loyal"
    POTENTIAL_LOYALIST = "potential_loyalist"
    NEW = "new"
    PROMISING = "promising"
    NEED_ATTENTION = "need_attention"
    ABOUT_TO_SLEEP = "about_to_sleep"
    AT_RISK = "at_risk"
    CANNOT_LOSE = "cannot_lose"
    HIBERNATING = "hibernating"
    LOST = "lost"


#: A row for each recency, a column for each frequency, 1 to 5.
_GRID = (
    (Label.LOST, Label.HIBERNATING, Label.AT_RISK, Label.AT_RISK, Label.CANNOT_LOSE),
    (Label.HIBERNATING, Label.HIBERNATING, Label.AT_RISK, Label.AT_RISK, Label.CANNOT_LOSE),
    (Label.ABOUT_TO_SLEEP, Label.ABOUT_TO_SLEEP, Label.NEED_ATTENTION, Label.LOYAL, Label.LOYAL),
    (Label.PROMISING, Label.POTENTIAL_LOYALIST, Label.POTENTIAL_LOYALIST, Label.LOYAL, Label.LOYAL),
    (Label.NEW, Label.POTENTIAL_LOYALIST, Label.POTENTIAL_LOYALIST, Label.CHAMPIONS, Label.CHAMPIONS),
)

#: The label of each (recency, frequency).
LABELS: Mapping[tuple[int, int], Label] = {
    (recency, frequency): label
    for recency, row in enumerate(_GRID, start=1)
    for frequency, label in enumerate(row, start=1)
}

#: What merchants read, by language.
LABEL_NAMES: Mapping[str, Mapping[Label, str]] = {
    "en": {
        Label.CHAMPIONS: "Champions",
        Label.LOYAL: "Loyal customers",
        Label.POTENTIAL_LOYALIST: "Potential loyalists",
        Label.NEW: "New customers",
        Label.PROMISING: "Promising",
        Label.NEED_ATTENTION: "Need attention",
        Label.ABOUT_TO_SLEEP: "About to sleep",
        Label.AT_RISK: "At risk",
        Label.CANNOT_LOSE: "Cannot lose them",
        Label.HIBERNATING: "Hibernating",
        Label.LOST: "Lost",
    },
    "ko": {
        Label.CHAMPIONS: "최우수 고객",
        Label.LOYAL: "충성 고객",
        Label.POTENTIAL_LOYALIST: "잠재 충성 고객",
        Label.NEW: "신규 고객",
        Label.PROMISING: "유망 고객",
        Label.NEED_ATTENTION: "관심 필요 고객",
        Label.ABOUT_TO_SLEEP: "휴면 예정 고객",
        Label.AT_RISK: "이탈 위험 고객",
        Label.CANNOT_LOSE: "놓치면 안 될 고객",
        Label.HIBERNATING: "휴면 고객",
        Label.LOST: "이탈 고객",
    },
}

#: What merchants read, by language.
STAGE_NAMES: Mapping[str, Mapping[Stage, str]] = {
    "en": {
        Stage.VISITOR: "Visitor",
        Stage.LEAD: "Lead (has not ordered yet)",
        Stage.NEW: "New (first order in the last 30 days)",
        Stage.ACTIVE: "Active (ordered in the last 90 days)",
        Stage.AT_RISK: "At risk (last order 90 to 180 days ago)",
        Stage.LAPSED: "Lapsed (no order for 180 days)",
    },
    "ko": {
        Stage.VISITOR: "방문자",
        Stage.LEAD: "잠재 고객 (아직 주문 없음)",
        Stage.NEW: "신규 (최근 30일 내 첫 주문)",
        Stage.ACTIVE: "활성 (최근 90일 내 주문)",
        Stage.AT_RISK: "이탈 위험 (마지막 주문 후 90~180일)",
        Stage.LAPSED: "이탈 (180일 넘게 주문 없음)",
    },
}
