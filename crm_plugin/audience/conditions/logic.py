"""All, any, not, everybody: how conditions are put together. The compiler knows the first three; they have no SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from crm_plugin.audience.conditions.base import Answer, Ask, Condition, Every, Row
from crm_plugin.audience.conditions.wording import Wording

if TYPE_CHECKING:
    from crm_plugin.audience.conditions import AnyCondition

MAX_WIDTH = 50


class AllOf(Every):
    """Every one of them holds."""

    type: Literal["all"]
    of: tuple[AnyCondition, ...] = Field(min_length=1, max_length=MAX_WIDTH)

    def members(self) -> tuple[Condition, ...]:
        """Return the conditions inside."""
        return self.of

    def say(self, wording: Wording) -> str:
        """Return it as a phrase."""
        return wording("all of these hold", "다음을 모두 만족")


class AnyOf(Condition):
    """At least one of them holds."""

    type: Literal["any"]
    of: tuple[AnyCondition, ...] = Field(min_length=1, max_length=MAX_WIDTH)

    def members(self) -> tuple[Condition, ...]:
        """Return the conditions inside."""
        return self.of

    def say(self, wording: Wording) -> str:
        """Return it as a phrase."""
        return wording("at least one of these holds", "다음 중 하나 이상을 만족")


class Not(Condition):
    """It does not hold."""

    type: Literal["not"]
    of: AnyCondition

    def members(self) -> tuple[Condition, ...]:
        """Return the condition inside."""
        return (self.of,)

    def say(self, wording: Wording) -> str:
        """Return it as a phrase."""
        return wording("this does not hold", "다음에 해당하지 않음")


class Everybody(Condition):
    """Every contact."""

    type: Literal["everybody"]

    def answer(self, _ask: Ask) -> Answer:
        """Return the question in SQL."""
        return Row("TRUE")

    def say(self, wording: Wording) -> str:
        """Return it as a phrase."""
        return wording("everybody", "모든 고객")
