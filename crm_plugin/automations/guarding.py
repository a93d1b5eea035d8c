"""Watching over running campaigns: one whose mail bounces, or annoys, pauses itself before it spoils the sender's name.

Gmail and Yahoo ask bulk senders to stay below 0.3 % complaints (features part 5); providers close accounts from about
5 % bounces on. The merchant's settings say where to stop; 0 is never.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

from crm_plugin import clock, merchant, messaging
from crm_plugin.automations.models import Campaign, CampaignState
from crm_plugin.automations.publishing import pause
from crm_plugin.errors import InvalidInput
from crm_plugin.merchant import Merchant
from crm_plugin.messaging import Rates

logger = logging.getLogger(__name__)

#: What was sent longer ago says nothing about the mail of today.
WINDOW: Final = timedelta(hours=24)
#: Of fewer, a handful of dead addresses would be a rate; a list of a hundred with over 5 % of them is a bad list.
LEAST_SENT: Final = 100
#: One person may press the button by mistake.
LEAST_COMPLAINTS: Final = 2


class PauseReason(StrEnum):
    """Why a campaign paused itself. The words are stored and shown."""

    BOUNCE_RATE = "bounce_rate"
    COMPLAINT_RATE = "complaint_rate"


def guard_campaigns() -> int:
    """Pause the running campaigns whose mail of the last day bounced, or was complained about, too often.

    After a pause only what was sent since counts, so that a merchant who goes on is not stopped by the same mails.

    Returns:
        How many were paused.
    """
    us = merchant.load()
    if not us.pause_bounce_percent and not us.pause_complaint_percent:
        return 0
    began = clock.now() - WINDOW
    running = Campaign.objects.filter(state=CampaignState.RUNNING).values_list("pk", "running_since")
    since: dict[int, datetime] = {pk: max(began, running_since or began) for pk, running_since in running}
    return sum(
        _stop(pk, reason, rates)
        for pk, rates in messaging.rates(since).items()
        if (reason := _reason(rates, us)) is not None
    )


def _reason(rates: Rates, us: Merchant) -> PauseReason | None:
    if rates.sent < LEAST_SENT:
        return None
    is_annoying = rates.complained >= LEAST_COMPLAINTS
    if is_annoying and _is_above(rates.complained, rates.sent, us.pause_complaint_percent):
        return PauseReason.COMPLAINT_RATE
    return PauseReason.BOUNCE_RATE if _is_above(rates.bounced, rates.sent, us.pause_bounce_percent) else None


def _is_above(count: int, whole: int, percent: Decimal) -> bool:
    return bool(percent) and Decimal(count) * 100 > percent * whole


def _stop(campaign_id: int, reason: PauseReason, rates: Rates) -> bool:
    try:
        pause(campaign_id, reason=reason)
    except InvalidInput:  # somebody else stopped it at this moment
        return False
    logger.warning(
        "crm: campaign %s paused itself (%s): of %s e-mails of a day %s bounced and %s were complained about",
        campaign_id, reason, rates.sent, rates.bounced, rates.complained,
    )  # fmt: skip
    return True
