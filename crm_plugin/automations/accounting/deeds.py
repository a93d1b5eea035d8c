"""What the person did, and why that did not start the campaign."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from django.db import connection

from crm_plugin import activity
from crm_plugin.activity import Happening
from crm_plugin.automations.accounting.lines import Line, Teller
from crm_plugin.automations.accounting.wording import Code
from crm_plugin.automations.matching import Index, has_crossed
from crm_plugin.automations.running import Running
from crm_plugin.automations.triggers import AfterTrigger, Deed
from crm_plugin.clock import utc

#: The newest activities of the kind, which an account looks at.
MOST_DEEDS = 10

_NEWEST = """
SELECT id FROM crm_plugin_activity WHERE contact_id = %s AND kind = %s ORDER BY occurred_at DESC, id DESC LIMIT %s
"""


def about_deeds(
    one: Running, deed: Deed, contact_id: int, teller: Teller, *, after: datetime | None = None
) -> Iterator[Line]:
    """Say of each of the person's newest activities of the kind, those ``after`` a moment, why it did not count."""
    happenings = [one for one in _happenings(deed, contact_id) if after is None or one.occurred_at > after]
    if not happenings and after is None:
        yield teller.line(Code.NO_ACTIVITY, activity=deed.activity.value)
    groups = activity.groups_of({p for happening in happenings for p in happening.product_ids})
    for happening in happenings:
        yield from _about_one(one, deed, happening, groups, teller)


def _happenings(deed: Deed, contact_id: int) -> list[Happening]:
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST, [contact_id, deed.activity.value, MOST_DEEDS])
        ids = [pk for (pk,) in cursor.fetchall()]
    return sorted(activity.happenings(ids), key=lambda happening: happening.occurred_at)


def _about_one(
    one: Running, deed: Deed, happening: Happening, groups: Mapping[str, frozenset[str]], teller: Teller
) -> Iterator[Line]:
    names = {"activity": deed.activity.value}
    if happening.occurred_at < one.since and not isinstance(deed, AfterTrigger):
        yield teller.line(Code.TOO_OLD, names, at=happening.occurred_at, since=one.since)
        return
    wrong = list(_wrong(one, deed, happening, groups))
    for code, found in wrong:
        yield teller.line(code, {**names, **found}, at=happening.occurred_at)
    if not wrong:
        yield teller.line(Code.SUITS, names, at=happening.occurred_at)
        if isinstance(deed, AfterTrigger):
            times = ", ".join(f"{at.astimezone(teller.zone):%Y-%m-%d %H:%M}" for at in _times(deed, happening, teller))
            yield teller.line(Code.TIMES_COME_LATER, depth=1, times=times)


def _wrong(
    one: Running, deed: Deed, happening: Happening, groups: Mapping[str, frozenset[str]]
) -> Iterator[tuple[Code, dict[str, str]]]:
    """Walk over the filters that the activity does not pass: those of ``matching``, one by one."""
    index = Index()
    index.add(one, deed)
    if not list(index.candidates(happening, groups)):
        yield Code.OTHER_PRODUCT, {}
    if deed.what.subject is not None and not deed.what.subject.holds_for(happening.subject):
        yield Code.OTHER_SUBJECT, {"subject": happening.subject}
    if deed.what.shop_channels and happening.shop_channel not in deed.what.shop_channels:
        yield Code.OTHER_SHOP_CHANNEL, {"shop_channel": happening.shop_channel}
    if other := next((one for one in deed.said if not one.holds_for(happening.data)), None):
        yield Code.OTHER_DATA, {"key": other.key, "value": str(happening.data.get(other.key, "-"))}
    if deed.is_first_order and not happening.is_first_order:
        yield Code.NOT_FIRST_ORDER, {}
    if deed.crosses is not None and not has_crossed(deed.crosses, happening):
        after = happening.data.get("after")
        yield Code.NOT_CROSSED, {"mark": f"{deed.crosses:f}", "balance": "-" if after is None else str(after)}
    if deed.amount is not None and not (
        happening.amount is not None
        and happening.currency == deed.amount.currency
        and deed.amount.holds_for(happening.amount)
    ):
        amount = f"{happening.amount:f} {happening.currency}" if happening.amount is not None else "-"
        yield Code.OTHER_AMOUNT, {"amount": amount}


def _times(trigger: AfterTrigger, happening: Happening, teller: Teller) -> Iterator[datetime]:
    for amount, seconds in zip(trigger.amounts, trigger.seconds(), strict=True):
        if trigger.at is None:
            yield happening.occurred_at + timedelta(seconds=seconds)
        else:
            day = happening.occurred_at.astimezone(teller.zone).date() + timedelta(days=amount)
            yield utc(datetime.combine(day, trigger.at), teller.zone)
