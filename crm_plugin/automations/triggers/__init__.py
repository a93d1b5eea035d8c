"""What starts a campaign: one class each, by the word in ``type``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from crm_plugin.automations.triggers.abandoned import AbandonedTrigger
from crm_plugin.automations.triggers.activity import ActivityTrigger, Deed
from crm_plugin.automations.triggers.after import AfterTrigger, Which
from crm_plugin.automations.triggers.audience import AudienceTrigger, DailySchedule, OnceSchedule
from crm_plugin.automations.triggers.base import Concurrency, Reentry
from crm_plugin.automations.triggers.catalogue import (
    WAVES,
    BackInStockTrigger,
    NewVoucherTrigger,
    PriceDropTrigger,
    Wave,
)
from crm_plugin.automations.triggers.dates import CouponExpiryTrigger, DateTrigger

Trigger = (
    ActivityTrigger
    | AfterTrigger
    | AbandonedTrigger
    | AudienceTrigger
    | DateTrigger
    | CouponExpiryTrigger
    | PriceDropTrigger
    | BackInStockTrigger
    | NewVoucherTrigger
)
AnyTrigger = Annotated[Trigger, Field(discriminator="type")]

__all__ = [
    "WAVES",
    "AbandonedTrigger",
    "ActivityTrigger",
    "AfterTrigger",
    "AnyTrigger",
    "AudienceTrigger",
    "BackInStockTrigger",
    "Concurrency",
    "CouponExpiryTrigger",
    "DailySchedule",
    "DateTrigger",
    "Deed",
    "NewVoucherTrigger",
    "OnceSchedule",
    "PriceDropTrigger",
    "Reentry",
    "Trigger",
    "Wave",
    "Which",
]
