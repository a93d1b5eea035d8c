"""Did, or did not: conditions on the stream of activities, and the SELECTs that other conditions build on."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import Field, field_validator, model_validator

from crm_plugin.activity import INTERNAL_KINDS
from crm_plugin.audience.conditions.base import Answer, Ask, Condition, Those
from crm_plugin.audience.conditions.comparing import Comparison
from crm_plugin.audience.conditions.wording import Wording
from crm_plugin.audience.conditions.wording_activities import amount_phrase, did_phrase, times_phrase
from crm_plugin.audience.fields import Currency, GroupKey, ShopId, Strict, Text, Whole
from crm_plugin.audience.windows import AnyWindow, Bounds, Window, passed
from crm_plugin.shop import FactKind

#: Activities about an order as a whole, or about no product at all: asking them for products finds nobody.
_WITHOUT_PRODUCT = frozenset(
    {
        FactKind.SIGNED_UP,
        FactKind.ACCOUNT_CONFIRMED,
        FactKind.LOGGED_IN,
        FactKind.VISITED,
        FactKind.SEARCHED,
        FactKind.ORDERED,
        FactKind.PAID,
        FactKind.CANCELLED,
        FactKind.RECEIPT_CONFIRMED,
        FactKind.BALANCE_CHANGED,
        FactKind.COUPON_ISSUED,
        FactKind.COUPON_USED,
        FactKind.SEGMENT_JOINED,
        FactKind.SEGMENT_LEFT,
        FactKind.MESSAGE_OPENED,
        FactKind.MESSAGE_CLICKED,
    }
)
#: Facts that make the drain act and are nobody's history.
NEVER_AN_ACTIVITY = frozenset(INTERNAL_KINDS) | {FactKind.IDENTIFIED}


#: What a cancelled order takes back: the audience asks for purchases that stand.
_TAKEN_BACK = frozenset({FactKind.BOUGHT, FactKind.ORDERED})
STANDS = """ AND NOT EXISTS (SELECT 1 FROM crm_plugin_activity x
    WHERE x.kind = 'cancelled' AND x.order_ref <> '' AND x.order_ref = crm_plugin_activity.order_ref)"""


class SubjectOp(StrEnum):
    """How the subject of an activity is compared; letters in either case are the same."""

    IS = "is"
    CONTAINS = "contains"


class Subject(Strict):
    """The words searched for, the name of a custom event, a coupon's code."""

    op: SubjectOp
    value: Text

    def sql(self, ask: Ask) -> str:
        """Return the test. Words searched for are stored in lower case, every other subject as it came."""
        if self.op is SubjectOp.IS:
            either = ask.param(list(dict.fromkeys((self.value, self.value.lower()))), "text[]")
            return f" AND subject <> '' AND subject = ANY({either})"
        return f" AND subject <> '' AND strpos(lower(subject), lower({ask.param(self.value, 'text')})) > 0"

    def holds_for(self, subject: str) -> bool:
        """Whether an activity with this subject is meant; the same answer as that of ``sql``."""
        if self.op is SubjectOp.IS:
            return subject in (self.value, self.value.lower())
        return self.value.lower() in subject.lower()


class What(Strict):
    """What it was done with. Products and groups are a union; everything else narrows."""

    products: tuple[ShopId, ...] = Field((), max_length=200)
    groups: tuple[GroupKey, ...] = Field((), max_length=50)
    subject: Subject | None = None
    shop_channels: tuple[ShopId, ...] = Field((), max_length=50)

    def sql(self, ask: Ask, kind: FactKind | None = None) -> str:
        """Return the tests, each with its leading AND."""
        return self._of_things(ask, kind) + (self.subject.sql(ask) if self.subject else "") + self._in_channels(ask)

    def names(self) -> tuple[str, ...]:
        """Return the keys of what it names."""
        return (*(f"product:{key}" for key in self.products), *self.groups)

    def _of_things(self, ask: Ask, kind: FactKind | None) -> str:
        if kind is not FactKind.GROUP_VIEWED or not self.groups:
            return of_products(ask, self.products, self.groups)
        return f" AND subject <> '' AND subject = ANY({ask.param(list(self.groups), 'text[]')})"

    def _in_channels(self, ask: Ask) -> str:
        wanted = list(self.shop_channels)
        return f" AND shop_channel = ANY({ask.param(wanted, 'text[]')})" if wanted else ""


def of_products(ask: Ask, products: tuple[str, ...], groups: tuple[str, ...]) -> str:
    """Return the test that an activity is about one of the products or of the products in the groups."""
    if not products and not groups:
        return ""
    if not groups:
        return f" AND product_id <> '' AND product_id = ANY({ask.param(list(products), 'text[]')})"
    wanted = ask.param(list(groups), "text[]")
    found = f"SELECT product_id FROM crm_plugin_productgroup WHERE group_key = ANY({wanted})"  # noqa: S608
    if products:
        found += f" UNION SELECT unnest({ask.param(list(products), 'text[]')})"
    return f" AND product_id <> '' AND product_id IN ({found})"


def in_time(ask: Ask, bounds: Bounds, column: str = "occurred_at") -> str:
    """Return the test of a stretch of time, with its leading AND."""
    start = f" AND {column} >= {ask.param(bounds.start, 'timestamptz')}" if bounds.start else ""
    end = f" AND {column} < {ask.param(bounds.end, 'timestamptz')}" if bounds.end else ""
    return start + end


def in_window(ask: Ask, window: AnyWindow | None) -> str:
    """Return the test of a window as it lies now; nothing when there is none."""
    return in_time(ask, window.bounds(ask.now, ask.zone)) if window else ""


class Deed(Strict):
    """An activity of a kind, with something."""

    activity: FactKind
    what: What = What()

    @field_validator("activity")
    @classmethod
    def _becomes_an_activity(cls, value: FactKind) -> FactKind:
        if value in NEVER_AN_ACTIVITY:
            raise ValueError(f"{value.value} is nothing that a person does; nobody would ever match")
        return value

    def source(self, ask: Ask) -> str:
        """Return FROM and WHERE of the activities; what a cancelled order bought is none of them."""
        return (
            f"FROM crm_plugin_activity WHERE kind = {ask.param(self.activity.value, 'text')}"
            f"{self.what.sql(ask, self.activity)}{ask.narrowed()}{STANDS if self.activity in _TAKEN_BACK else ''}"
        )

    def changed_by(self) -> frozenset[FactKind]:
        """Return the kinds of activity that add such a deed or take one back."""
        return frozenset({self.activity} | ({FactKind.CANCELLED} if self.activity in _TAKEN_BACK else set()))

    def passed(self, ask: Ask, window: AnyWindow | None, since: datetime) -> list[str]:
        """Return SELECTs of the contacts whose deed left or entered the window since then."""
        slices = passed(window, since=since, until=ask.now, zone=ask.zone) if window else []
        return [f"SELECT contact_id {self.source(ask)}{in_time(ask, bounds)}" for bounds in slices]

    def doubts(self, wording: Wording) -> tuple[str, ...]:
        """Return what is probably not meant."""
        if self.activity not in _WITHOUT_PRODUCT or not (self.what.products or self.what.groups):
            return ()
        kind = self.activity.value
        return (
            wording(
                f"`{kind}` names no product; no activity will match.",
                f"`{kind}`에는 상품 정보가 없어 일치하는 활동이 없습니다.",
            ),
        )


class TimesOp(StrEnum):
    """How often."""

    AT_LEAST = "at_least"
    EXACTLY = "exactly"
    AT_MOST = "at_most"


class Times(Strict):
    """How often something was done; never is ``at_most`` 0."""

    op: TimesOp = TimesOp.AT_LEAST
    count: Whole = Field(1, ge=0, le=100_000)

    @model_validator(mode="after")
    def _asks_something(self) -> Times:
        if self.op is TimesOp.AT_LEAST and not self.count:
            raise ValueError("at least 0 times is everybody; `at_most` 0 is never")
        return self

    @property
    def is_negative(self) -> bool:
        """Whether those who never did it match."""
        return self.op is TimesOp.AT_MOST or not self.count

    def having(self, ask: Ask) -> str:
        """Return how to group the deeds; for the negative form, of those who did it too often."""
        if self.is_negative:
            return _at_least(ask, self.count + 1)
        if self.op is TimesOp.AT_LEAST:
            return _at_least(ask, self.count)
        return f" GROUP BY contact_id HAVING count(*) = {ask.param(self.count, 'bigint')}"


def _at_least(ask: Ask, count: int) -> str:
    return f" GROUP BY contact_id HAVING count(*) >= {ask.param(count, 'bigint')}" if count > 1 else ""


class Price(Comparison):
    """The amount of one activity: an order's total, or the price of the product that the person saw."""

    currency: Currency


class Did(Deed, Condition):
    """Did it so often, with something, in some time; ``at_most`` 0 times is "did not"."""

    type: Literal["did"]
    times: Times = Times()
    window: Window | None = None
    amount: Price | None = None

    def source(self, ask: Ask) -> str:
        """Return FROM and WHERE of the activities."""
        if self.amount is None:
            return super().source(ask)
        currency = ask.param(self.amount.currency, "text")
        return f"{super().source(ask)} AND currency = {currency} AND {self.amount.sql(ask, 'amount')}"

    def answer(self, ask: Ask) -> Answer:
        """Return the question in SQL."""
        deeds = f"SELECT contact_id {self.source(ask)}{in_window(ask, self.window)}{self.times.having(ask)}"
        return Those(deeds, is_without=self.times.is_negative)

    def kinds(self) -> frozenset[FactKind]:
        """Return the kinds of activity that can change the answer."""
        return self.changed_by()

    def edges(self, ask: Ask, since: datetime) -> list[str]:
        """Return the contacts whose deed left or entered the window."""
        return self.passed(ask, self.window, since)

    def warnings(self, wording: Wording) -> tuple[str, ...]:
        """Return what is probably not meant."""
        return self.doubts(wording)

    def names(self) -> tuple[str, ...]:
        """Return what the phrase names."""
        return self.what.names()

    def say(self, wording: Wording) -> str:
        """Return it as a phrase."""
        times = times_phrase(wording, self.times.op.value, self.times.count)
        amount = amount_phrase(wording, self.amount) if self.amount else ""
        return did_phrase(wording, self, window=self.window, times=times, amount=amount)
