"""Whom a moment concerns, by the kind of trigger: to let them in, or for a look ahead."""

from __future__ import annotations

from typing import assert_never

from crm_plugin.automations.scheduling import after, audience, coupons, dates
from crm_plugin.automations.scheduling.base import Cohort, Occasion
from crm_plugin.automations.scheduling.moments import CalendarTrigger
from crm_plugin.automations.triggers import AfterTrigger, AudienceTrigger, CouponExpiryTrigger, DateTrigger


def expected(trigger: CalendarTrigger, occasion: Occasion) -> Cohort:
    """Return the next people whom the moment concerns, as far as it can be known now; nothing is written."""
    match trigger:
        case AudienceTrigger():
            return audience.concerned(trigger, occasion)
        case AfterTrigger():
            return after.concerned(trigger, occasion)
        case DateTrigger():
            return dates.concerned(trigger, occasion)
        case CouponExpiryTrigger():
            return coupons.concerned(trigger, occasion)
        case _ as never:
            assert_never(never)
