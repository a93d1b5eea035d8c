"""Interested in products or groups: views, likes, carts and checkouts, weighted (features rows 24 and 48)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, model_validator

from crm_plugin.audience.conditions.activities import in_time, in_window, of_products
from crm_plugin.audience.conditions.base import Answer, Ask, Condition, Those
from crm_plugin.audience.conditions.wording import Wording
from crm_plugin.audience.conditions.wording_activities import window_phrase
from crm_plugin.audience.fields import GroupKey, ShopId, Strict, Whole
from crm_plugin.audience.windows import LastDays, Window, passed
from crm_plugin.shop import FactKind

Weight = Annotated[Whole, Field(ge=0, le=100)]


class Weights(Strict):
    """What one activity of each kind adds to the score."""

    viewed: Weight = 1
    liked: Weight = 2
    carted: Weight = 2
    checkout_started: Weight = 3

    def counted(self) -> Iterator[tuple[FactKind, int]]:
        """Walk over the kinds that add anything."""
        for name in type(self).model_fields:
            if weight := getattr(self, name):
                yield FactKind(name), weight


class Search(Strict):
    """Products and groups that the merchant looked up."""

    products: tuple[ShopId, ...] = Field((), max_length=200)
    groups: tuple[GroupKey, ...] = Field((), max_length=50)


class Interest(Condition):
    """The score over all products of the tags and of the search is high enough."""

    type: Literal["interest"]
    tags: tuple[GroupKey, ...] = Field((), max_length=50)
    search: Search = Search()
    min_score: Whole = Field(2, ge=1, le=100_000)
    weights: Weights = Weights()
    window: Window = LastDays(type="last_days", days=30)

    @model_validator(mode="after")
    def _asks_something(self) -> Interest:
        if not (self.tags or self.search.products or self.search.groups):
            raise ValueError("choose a tag, or search for a product or a group")
        if not any(self.weights.counted()):
            raise ValueError("with every weight 0, nobody reaches any score")
        return self

    def answer(self, ask: Ask) -> Answer:
        """Return the question in SQL."""
        counted = list(self.weights.counted())
        weights = " ".join(f"WHEN {ask.param(k.value, 'text')} THEN {ask.param(w, 'bigint')}" for k, w in counted)
        return Those(
            f"""SELECT contact_id {self._source(ask)}{in_window(ask, self.window)} GROUP BY contact_id
            HAVING sum(CASE kind {weights} END) >= {ask.param(self.min_score, "bigint")}"""
        )

    def _source(self, ask: Ask) -> str:
        kinds = ask.param([kind.value for kind, _weight in self.weights.counted()], "text[]")
        groups = tuple(dict.fromkeys((*self.tags, *self.search.groups)))
        things = of_products(ask, self.search.products, groups)
        return f"FROM crm_plugin_activity WHERE kind = ANY({kinds}){things}{ask.narrowed()}"

    def kinds(self) -> frozenset[FactKind]:
        """Return the kinds of activity that can change the answer."""
        return frozenset(kind for kind, _weight in self.weights.counted())

    def edges(self, ask: Ask, since: datetime) -> list[str]:
        """Return the contacts with an activity that left or entered the window."""
        slices = passed(self.window, since=since, until=ask.now, zone=ask.zone)
        return [f"SELECT contact_id {self._source(ask)}{in_time(ask, bounds)}" for bounds in slices]

    def warnings(self, wording: Wording) -> tuple[str, ...]:
        """Return that tags and search add up, when both are used (features row 50)."""
        if not (self.tags and (self.search.products or self.search.groups)):
            return ()
        return (
            wording(
                "Both tags and a search are set: people interested in either are counted. Clear the tags to use only "
                "the search.",
                "태그와 검색이 모두 설정되어 둘 중 하나에 관심 있는 고객이 모두 포함됩니다. "
                "검색만 사용하려면 태그를 지우세요.",
            ),
        )

    def names(self) -> tuple[str, ...]:
        """Return what the phrase names."""
        return (*self.tags, *self.search.groups, *(f"product:{key}" for key in self.search.products))

    def say(self, wording: Wording) -> str:
        """Return it as a phrase."""
        things, when = wording.names(dict.fromkeys(self.names())), window_phrase(wording, self.window)
        return wording(
            f"is interested in {things} (score at least {self.min_score}) {when}",
            f"{when} {things}에 관심(점수 {self.min_score} 이상)",
        )
