"""Who did something on a calendar day, each activity by its filters: the SQL behind ``after`` with days.

The filters mean what they mean when an activity starts a campaign at once (``matching``), so that a campaign by the
clock concerns the same people (features row 58). Here they are SQL, because also the question whether somebody did the
same again later has to be asked, of everything they did since.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from django.db import connection

from crm_plugin import activity
from crm_plugin.automations.triggers import AfterTrigger, Which
from crm_plugin.clock import day_start
from crm_plugin.shop import FactKind

#: A purchase that was taken back is none (as in audiences); what an order goes through is told by its own exits.
_TAKEN_BACK: Final = frozenset({FactKind.ORDERED, FactKind.BOUGHT, FactKind.PAID})
_STANDS = """ AND NOT EXISTS (SELECT 1 FROM crm_plugin_activity x
    WHERE x.kind = 'cancelled' AND x.order_ref <> '' AND x.order_ref = {row}.order_ref)"""
#: What is known of an order by the activity of its being placed.
_OF_ORDER = """(SELECT o.{column} FROM crm_plugin_activity o
    WHERE o.order_ref <> '' AND o.order_ref = {row}.order_ref AND o.kind = 'ordered' LIMIT 1)"""
_IS_OF_ORDER_WITH = """EXISTS (SELECT 1 FROM crm_plugin_activity b WHERE b.order_ref <> ''
    AND b.order_ref = {row}.order_ref AND b.kind = 'bought' AND b.product_id IN ({products}))"""

#: The day of one amount. Its bounds stand there as values, so that PostgreSQL knows how little of the stream they are.
_DAY = """
SELECT a.contact_id, a.id, {amount} AS amount FROM crm_plugin_activity a
JOIN crm_plugin_contact c ON c.id = a.contact_id AND (c.customer_id IS NOT NULL OR c.email IS NOT NULL)
WHERE a.kind = %(kind)s AND a.occurred_at >= %(start{amount})s AND a.occurred_at < %(end{amount})s
    AND a.contact_id > %(after)s{passes}{is_last}
"""
#: Materialized, so that PostgreSQL reads the days by time and sorts what it found, whatever it thinks of the LIMIT.
#: WITH TIES: all activities of a person are in the same chunk.
_COHORT = """
WITH told AS MATERIALIZED ({days})
SELECT contact_id, id, amount FROM told ORDER BY contact_id FETCH FIRST %(limit)s ROWS WITH TIES
"""
_IS_LAST = """ AND NOT EXISTS (SELECT 1 FROM crm_plugin_activity l WHERE l.contact_id = a.contact_id
    AND l.kind = %(kind)s AND l.occurred_at > a.occurred_at AND l.occurred_at <= %(asked_at)s{passes})"""


class Told(NamedTuple):
    """An activity whose day has come round, and the amount of the ladder that says so."""

    contact_id: int
    activity_id: int
    amount: int


def cohort(
    trigger: AfterTrigger, *, day: date, asked_at: datetime, zone: ZoneInfo, after_contact: int, limit: int
) -> list[Told]:
    """Return the activities of the next people, about ``limit`` rows by contact id; all of a person's are among them.

    Args:
        trigger: what was done, and how many days ago; one day for each of its amounts.
        day: the calendar day from which is counted back.
        asked_at: what happened later is not known yet.
        zone: whose calendar.
        after_contact: people up to this one are left out.
        limit: how many rows.
    """
    filters = Filters(trigger)
    is_last = _IS_LAST.format(passes=filters.of("l")) if trigger.which is Which.LAST else ""
    parts = [_DAY.format(amount=amount, passes=filters.of("a"), is_last=is_last) for amount in trigger.amounts]
    values = {**filters.values, "asked_at": asked_at, "after": after_contact, "limit": limit}
    for amount in trigger.amounts:
        then = day - timedelta(days=amount)
        values[f"start{amount}"] = day_start(then, zone)
        values[f"end{amount}"] = day_start(then + timedelta(days=1), zone)
    with connection.cursor() as cursor:
        cursor.execute(_COHORT.format(days=" UNION ALL ".join(parts)), values)
        return [Told(*row) for row in cursor.fetchall()]


class Filters:
    """The filters of a deed as SQL over any alias of the table of activities; ``c`` is the contact."""

    def __init__(self, trigger: AfterTrigger) -> None:
        """Take the filters of a trigger."""
        self._deed = trigger
        self._is_of_orders = trigger.activity in activity.OF_ORDERS
        self.values: dict[str, Any] = {"kind": trigger.activity.value}

    def of(self, row: str) -> str:
        """Return the tests of a row, each with its leading AND."""
        deed = self._deed
        tests = [self._things(row), self._subject(row), self._channels(row), self._amount(row)]
        if deed.is_first_order:
            placed_at = f"COALESCE({_of_order('occurred_at', row)}, {row}.occurred_at)"
            tests.append(f" AND {row}.order_ref <> '' AND {placed_at} <= c.first_order_at")
        if deed.activity in _TAKEN_BACK:
            tests.append(_STANDS.format(row=row))
        return "".join(tests)

    def _things(self, row: str) -> str:
        what = self._deed.what
        if not what.products and not what.groups:
            return ""
        products = f"SELECT unnest({self._value('products', what.products)}::text[])"
        if what.groups:
            groups = self._value("groups", what.groups)
            products += f" UNION SELECT product_id FROM crm_plugin_productgroup WHERE group_key = ANY({groups})"  # noqa: S608
        if self._is_of_orders:
            return f" AND {_IS_OF_ORDER_WITH.format(row=row, products=products)}"
        test = f"{row}.product_id <> '' AND {row}.product_id IN ({products})"
        if self._deed.activity is FactKind.GROUP_VIEWED and what.groups:
            test = f"(({test}) OR ({row}.subject <> '' AND {row}.subject = ANY({groups})))"
        return f" AND {test}"

    def _subject(self, row: str) -> str:
        subject = self._deed.what.subject
        if subject is None:
            return ""
        if subject.op.value == "is":
            either = self._value("subjects", (subject.value, subject.value.lower()))
            return f" AND {row}.subject = ANY({either})"
        self.values["words"] = subject.value.lower()
        return f" AND strpos(lower({row}.subject), %(words)s) > 0"

    def _channels(self, row: str) -> str:
        wanted = self._deed.what.shop_channels
        if not wanted:
            return ""
        channel = f"{row}.shop_channel"
        if self._is_of_orders:
            channel = f"COALESCE(NULLIF({channel}, ''), {_of_order('shop_channel', row)})"
        return f" AND {channel} = ANY({self._value('channels', wanted)})"

    def _amount(self, row: str) -> str:
        price = self._deed.amount
        if price is None:
            return ""
        number, currency = f"{row}.amount", f"{row}.currency"
        if self._is_of_orders:  # most of what an order goes through says no amount: the order's is meant
            currency = f"CASE WHEN {number} IS NULL THEN {_of_order('currency', row)} ELSE {currency} END"
            number = f"COALESCE({number}, {_of_order('amount', row)})"
        self.values["currency"] = price.currency
        return f" AND {currency} = %(currency)s AND {price.test(number, self._number)}"

    def _number(self, value: Decimal) -> str:
        name = f"number{len(self.values)}"
        self.values[name] = value
        return f"%({name})s"

    def _value(self, name: str, values: Sequence[str]) -> str:
        self.values[name] = list(values)
        return f"%({name})s"


def _of_order(column: str, row: str) -> str:
    return _OF_ORDER.format(column=column, row=row)
