"""Quiet hours of a campaign: when its advertising waits, by the clocks of its reader or of the shop.

What the law of a place and the merchant's own rules for all campaigns ask for are gates of messaging.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from crm_plugin import clock
from crm_plugin.automations.definition import QuietHours


def end_of_quiet(hours: QuietHours, *, now: datetime, zone: ZoneInfo) -> datetime | None:
    """Return when the quiet hours end in which ``now`` lies; None when it lies in none.

    The first moment belongs to them, the last does not. On days on which clocks are changed, they begin and end when
    the clock on the wall says so.
    """
    today = now.astimezone(zone).date()
    is_overnight = hours.end < hours.start
    for begins_on in (today - timedelta(days=1), today):
        ends_on = begins_on + timedelta(days=1) if is_overnight else begins_on
        start = clock.utc(datetime.combine(begins_on, hours.start), zone)
        end = clock.utc(datetime.combine(ends_on, hours.end), zone)
        if start <= now < end:
            return end
    return None
