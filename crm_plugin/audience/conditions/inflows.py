"""Where somebody came from, and with which browser."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, model_validator

from crm_plugin.audience.conditions.base import Answer, Ask, Condition, Those
from crm_plugin.audience.conditions.wording import Wording
from crm_plugin.audience.fields import Text
from crm_plugin.shop import FactKind

Words = Annotated[tuple[Text, ...], Field(min_length=1, max_length=200)]


class Touch(StrEnum):
    """Which visit: the first, the last, or either of them."""

    FIRST = "first"
    LAST = "last"
    ANY = "any"


class InflowField(StrEnum):
    """What is known of how a visit began."""

    SOURCE = "source"
    MEDIUM = "medium"
    CAMPAIGN = "campaign"
    KEYWORD = "keyword"
    REFERRER = "referrer"


class InflowOp(StrEnum):
    """How it is compared; letters in either case are the same."""

    IS = "is"
    IN = "in"
    CONTAINS = "contains"


class CameFrom(Condition):
    """The first or last visit began with this source, medium, campaign, keyword or referrer."""

    type: Literal["inflow"]
    touch: Touch
    field: InflowField
    op: InflowOp
    value: Text | Words

    @model_validator(mode="after")
    def _has_the_value_it_needs(self) -> CameFrom:
        if isinstance(self.value, tuple) != (self.op is InflowOp.IN):
            raise ValueError("`in` takes a list of words, `is` and `contains` take one")
        return self

    def answer(self, ask: Ask) -> Answer:
        """Return the question in SQL."""
        touches = (Touch.FIRST, Touch.LAST) if self.touch is Touch.ANY else (self.touch,)
        tests = " OR ".join(self._test(f"lower({touch.value}_{self.field.value})", ask) for touch in touches)
        return Those(f"SELECT contact_id FROM crm_plugin_inflow WHERE ({tests}){ask.narrowed()}")  # noqa: S608

    def _test(self, own: str, ask: Ask) -> str:
        if isinstance(self.value, tuple):
            return f"{own} = ANY(ARRAY(SELECT lower(unnest({ask.param(list(self.value), 'text[]')}))))"
        wanted = f"lower({ask.param(self.value, 'text')})"
        return f"{own} = {wanted}" if self.op is InflowOp.IS else f"strpos({own}, {wanted}) > 0"

    def kinds(self) -> frozenset[FactKind]:
        """Return the kind of activity that can change the answer."""
        return frozenset({FactKind.VISITED})

    def say(self, wording: Wording) -> str:
        """Return it as a phrase."""
        touch = {
            Touch.FIRST: wording("first came", "첫 방문"),
            Touch.LAST: wording("last came", "최근 방문"),
            Touch.ANY: wording("first or last came", "첫 방문 또는 최근 방문"),
        }[self.touch]
        field = {
            InflowField.SOURCE: wording("source", "유입 채널"),
            InflowField.MEDIUM: wording("medium", "유입 매체"),
            InflowField.CAMPAIGN: wording("campaign", "캠페인"),
            InflowField.KEYWORD: wording("keyword", "검색어"),
            InflowField.REFERRER: wording("referrer", "유입 사이트"),
        }[self.field]
        said = wording.either(self.value if isinstance(self.value, tuple) else [self.value])
        if self.op is InflowOp.CONTAINS:
            return wording(f"{touch} with {said} in the {field}", f"{touch} {field}: {said} 포함")
        return wording(f"{touch} with the {field} {said}", f"{touch} {field}: {said}")


class UsesBrowser(Condition):
    """The browser family of the last visit."""

    type: Literal["browser"]
    in_: Words = Field(alias="in")

    def answer(self, ask: Ask) -> Answer:
        """Return the question in SQL."""
        wanted = ask.param(list(self.in_), "text[]")
        return Those(
            f"""SELECT contact_id FROM crm_plugin_inflow
            WHERE lower(browser) = ANY(ARRAY(SELECT lower(unnest({wanted})))){ask.narrowed()}"""  # noqa: S608
        )

    def kinds(self) -> frozenset[FactKind]:
        """Return the kind of activity that can change the answer."""
        return frozenset({FactKind.VISITED})

    def say(self, wording: Wording) -> str:
        """Return it as a phrase."""
        browsers = wording.either(self.in_)
        return wording(f"uses the browser {browsers}", f"브라우저: {browsers}")
