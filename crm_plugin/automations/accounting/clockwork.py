"""Timers that run, moments of the schedule, and the days that they go by."""

from __future__ import annotations

from collections.abc import Iterator

from crm_plugin import contacts, coupons
from crm_plugin.automations.accounting.lines import Line, Teller
from crm_plugin.automations.accounting.wording import Code
from crm_plugin.automations.models import ScheduleSlot, SlotState, Timer
from crm_plugin.automations.running import Running
from crm_plugin.automations.scheduling.dates import OWN_DAYS
from crm_plugin.automations.triggers import DateTrigger
from crm_plugin.coupons import CouponState

#: The newest moments, timers and coupons that an account tells.
MOST_SLOTS = 5
MOST_TIMERS = 10
MOST_COUPONS = 10

_STATES = {
    CouponState.ISSUED: ("not used", "사용하지 않음"),
    CouponState.USED: ("used", "사용함"),
    CouponState.EXPIRED: ("expired", "만료됨"),
    CouponState.VOID: ("withdrawn", "취소됨"),
}


def about_timers(one: Running, contact_id: int, teller: Teller) -> Iterator[Line]:
    """Say which timers run."""
    rows = Timer.objects.filter(campaign_id=one.campaign_id, contact_id=contact_id).order_by("due_at", "pk")
    for row in rows[:MOST_TIMERS]:
        about = row.subject_key or teller.word("the person", "고객")
        yield teller.line(Code.TIMER, at=row.due_at, about=about)


def about_slots(one: Running, teller: Teller) -> Iterator[Line]:
    """Say what became of the newest moments of the schedule."""
    rows = ScheduleSlot.objects.filter(campaign_id=one.campaign_id).order_by("-slot_at", "-pk")
    newest = list(rows[:MOST_SLOTS])[::-1]
    if not newest:
        yield teller.line(Code.NO_SLOT_YET)
    for row in newest:
        is_dropped = row.state == SlotState.DROPPED
        code = Code.SLOT_DROPPED if is_dropped else Code.SLOT_DONE
        yield teller.line(code, at=row.slot_at, count=row.enrolled_count)


def about_date(trigger: DateTrigger, contact_id: int, teller: Teller) -> Iterator[Line]:
    """Say whether the person has the day that the campaign goes by."""
    row = contacts.rows_of([contact_id]).get()
    if trigger.attribute in OWN_DAYS:
        moment = getattr(row, trigger.attribute)
        value = f"{moment.astimezone(teller.zone):%Y-%m-%d}" if moment is not None else ""
    else:
        value = str(row.attributes.get(trigger.attribute) or "")
    if value:
        yield teller.line(Code.HAS_DATE, attribute=trigger.attribute, value=value)
    else:
        yield teller.line(Code.NO_DATE, attribute=trigger.attribute)


def about_coupons(contact_id: int, teller: Teller) -> Iterator[Line]:
    """Say which coupons with a last day the person got."""
    theirs = coupons.coupons().filter(contact_id=contact_id, expires_on__isnull=False).order_by("-pk")
    rows = list(theirs.values_list("code", "expires_on", "state")[:MOST_COUPONS])
    if not rows:
        yield teller.line(Code.NO_COUPON)
    for code, last_day, state in rows:
        yield teller.line(Code.HAS_COUPON, code=code, value=last_day, used=teller.word(*_STATES[CouponState(state)]))
