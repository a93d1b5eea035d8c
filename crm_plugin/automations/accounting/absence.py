"""Why somebody never entered: the trigger's own questions, put about this one person."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from crm_plugin import audience
from crm_plugin.audience import AudienceRule, Explanation
from crm_plugin.automations.accounting.clockwork import about_coupons, about_date, about_slots, about_timers
from crm_plugin.automations.accounting.deeds import about_deeds
from crm_plugin.automations.accounting.lines import Line, Teller
from crm_plugin.automations.accounting.waves import about_waves
from crm_plugin.automations.accounting.wording import Code
from crm_plugin.automations.models import Enrollment
from crm_plugin.automations.running import Running
from crm_plugin.automations.triggers import (
    AbandonedTrigger,
    ActivityTrigger,
    AfterTrigger,
    AudienceTrigger,
    BackInStockTrigger,
    CouponExpiryTrigger,
    DateTrigger,
    NewVoucherTrigger,
    PriceDropTrigger,
)
from crm_plugin.errors import InvalidInput


def why_not(one: Running, contact_id: int, teller: Teller) -> Iterator[Line]:
    """Walk over what kept the person out, or did not."""
    yield from _about_trigger(one, contact_id, teller)
    if one.definition.trigger.audience is not None:
        yield from about_audience(one.definition.trigger.audience, contact_id, teller)


def why_not_since(one: Running, newest: Enrollment, teller: Teller) -> Iterator[Line]:
    """Walk over what the person has done since the newest run, and why that began no other."""
    trigger = one.definition.trigger
    if isinstance(trigger, ActivityTrigger | AfterTrigger):
        yield from about_deeds(one, trigger, newest.contact_id, teller, after=newest.entered_at)


def about_audience(definition: dict[str, object], contact_id: int, teller: Teller) -> Iterator[Line]:
    """Say whether the person is in the audience now, condition by condition."""
    try:
        found = audience.explain(AudienceRule.parse(definition), contact_id, language=teller.language)
    except InvalidInput as error:  # what it names was deleted
        yield teller.line(Code.NOT_IN_AUDIENCE)
        yield teller.line(Code.CONDITION_FAILS, depth=1, condition=error.message)
        return
    yield teller.line(Code.IN_AUDIENCE if found.holds else Code.NOT_IN_AUDIENCE)
    for child in found.children:
        yield from _conditions(child, teller, depth=1)


def _conditions(found: Explanation, teller: Teller, *, depth: int) -> Iterator[Line]:
    code = Code.CONDITION_HOLDS if found.holds else Code.CONDITION_FAILS
    yield teller.line(code, depth=depth, condition=found.sentence)
    for child in found.children:
        yield from _conditions(child, teller, depth=depth + 1)


def _about_trigger(one: Running, contact_id: int, teller: Teller) -> Iterator[Line]:
    trigger = one.definition.trigger
    match trigger:
        case ActivityTrigger() | AfterTrigger():
            yield from about_deeds(one, trigger, contact_id, teller)
            yield from about_timers(one, contact_id, teller)
        case AbandonedTrigger():
            lines = list(about_timers(one, contact_id, teller))
            yield from lines or [teller.line(Code.NO_CART_WAITS)]
        case AudienceTrigger():
            yield from about_slots(one, teller)
        case DateTrigger():
            yield from about_date(trigger, contact_id, teller)
            yield from about_slots(one, teller)
        case CouponExpiryTrigger():
            yield from about_coupons(contact_id, teller)
            yield from about_slots(one, teller)
        case PriceDropTrigger() | BackInStockTrigger() | NewVoucherTrigger():
            yield from about_waves(one, contact_id, teller)
        case _ as never:
            assert_never(never)
