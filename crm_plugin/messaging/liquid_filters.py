"""The filters that say a value as its reader expects it: money, days, what is left of time and of stock.

Each writes in the language of the message (Unicode CLDR, through Babel). What a filter cannot read stays as it is, or
is left out: a campaign must not stop at one odd value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_timedelta
from babel.numbers import format_currency, format_decimal
from liquid.context import RenderContext
from liquid.filter import with_context

from crm_plugin import clock
from crm_plugin.messaging.languages import is_korean
from crm_plugin.messaging.liquid_output import LINKS

#: The variables that hold the language of the message and the clocks of its reader; no template can name them.
LANGUAGE, ZONES = "crm_language", "crm_zones"
#: Longer amounts than that are no money.
_MAX_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Zones:
    """Whose clocks a time is told by: a moment by the reader's, a day of the calendar is one of the shop's."""

    reader: tzinfo = UTC
    shop: tzinfo = UTC


class ShownDay(str):
    """A day in words that still knows which day it is."""

    day: date

    @classmethod
    def of(cls, day: date, *, language: str) -> ShownDay:
        """Return the day as its reader expects it."""
        made = cls(format_date(day, "long", locale=_locale(language)))
        made.day = day
        return made


@with_context
def _track(value: object, *, context: RenderContext) -> str:
    """Turn an address into the one that counts the click."""
    return str(context.resolve(LINKS).track(value))


@with_context
def _number(value: object, *, context: RenderContext) -> str:
    """Write a number as the reader expects it (3,000 or 3.000); what is none stays as it is."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return str(value)
    return str(format_decimal(value, locale=_locale(_language(context))))


@with_context
def _money(value: object, currency: object = "", *, context: RenderContext) -> str:
    """Write an amount and its currency; an amount that is in words already, or that is none, stays as it is."""
    amount, code = _amount(value), str(currency).strip().upper()
    if amount is None or len(code) != 3 or not code.isalpha() or not code.isascii():
        return str(value)
    return str(format_currency(amount, code, locale=_locale(_language(context))))


@with_context
def _date(value: object, form: object = "long", *, context: RenderContext) -> str:
    """Write a day: ``short``, ``medium``, ``long`` or ``full``. ``now`` is the moment of sending."""
    day = _day(value, context)
    if day is None:
        return str(value)
    chosen = str(form) if str(form) in ("short", "medium", "long", "full") else "long"
    return str(format_date(day, chosen, locale=_locale(_language(context))))


@with_context
def _days_until(value: object, *, context: RenderContext) -> int | str:
    """Count the days until a day; below zero once it is over, nothing for what is no day."""
    left = _left(value, context)
    return "" if left is None else left


@with_context
def _countdown(value: object, form: object = "", *, context: RenderContext) -> str:
    """Say how long it is until a day: "in 3 days", or "D-3" when asked for ``short``; nothing once it is over."""
    left, language = _left(value, context), _language(context)
    if left is None or left < 0:
        return ""
    if str(form) == "short":
        return f"D-{left}" if left else "D-DAY"
    if is_korean(language):
        return f"{left}일 남음" if left else "오늘 마감"
    if left < 2 and _locale(language).language == "en":
        return "tomorrow" if left else "today"
    days = timedelta(days=left)
    return str(format_timedelta(days, granularity="day", threshold=10**6, add_direction=True, locale=_locale(language)))


@with_context
def _stock(value: object, below: object = 0, *, context: RenderContext) -> str:
    """Say how many are left when there are at most ``below``; nothing when there are more, or nobody counts."""
    if isinstance(value, bool) or not isinstance(value, int) or not isinstance(below, int) or not 0 < value <= below:
        return ""
    return f"재고 {value}개 남음" if is_korean(_language(context)) else f"Only {value} left"


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "countdown": _countdown,
    "date": _date,
    "days_until": _days_until,
    "money": _money,
    "number": _number,
    "stock": _stock,
    "track": _track,
}


def _language(context: RenderContext) -> str:
    return str(context.resolve(LANGUAGE, default="en"))


def _locale(language: str) -> Locale:
    try:
        return Locale.parse(language.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        return Locale("en")


def _zones(context: RenderContext) -> Zones:
    found = context.resolve(ZONES, default=None)
    return found if isinstance(found, Zones) else Zones()


def _amount(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str) or len(str(value)) > _MAX_DIGITS:
        return None
    try:
        found = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def _day(value: object, context: RenderContext) -> date | None:
    """Return the day that a value stands for, by the clocks that it is told by."""
    zones = _zones(context)
    match value:
        case ShownDay(day=day):
            return day
        case datetime():
            return value.astimezone(zones.reader).date() if value.tzinfo else value.date()
        case date():
            return value
        case "now" | "today":
            return clock.now().astimezone(zones.reader).date()
        case str() if 10 <= len(value) <= 40:
            return _written_day(value, zones)
        case _:
            return None


def _written_day(text: str, zones: Zones) -> date | None:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return moment.astimezone(zones.reader).date() if moment.tzinfo else moment.date()


def _left(value: object, context: RenderContext) -> int | None:
    """Return the days from today until a day, by the shop's calendar."""
    day = _day(value, context)
    return None if day is None else (day - clock.now().astimezone(_zones(context).shop).date()).days
