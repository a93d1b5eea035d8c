"""What happened to products, and whether the person cared for any."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection

from crm_plugin import activity
from crm_plugin.automations.accounting.lines import Line, Teller
from crm_plugin.automations.accounting.wording import Code
from crm_plugin.automations.models import FanOut
from crm_plugin.automations.running import Running
from crm_plugin.automations.triggers import BackInStockTrigger

#: The newest waves that an account tells.
MOST_WAVES = 5

_INTERESTS = """
SELECT count(*), max(last_interest_at) FROM crm_plugin_interest WHERE contact_id = %s AND last_interest_at IS NOT NULL
"""


def about_waves(one: Running, contact_id: int, teller: Teller) -> Iterator[Line]:
    """Say what the person waits for or is interested in at all, and which waves there were."""
    trigger = one.definition.trigger
    if isinstance(trigger, BackInStockTrigger) and trigger.hears_waiting:
        yield _wait(contact_id, teller)
    if not (isinstance(trigger, BackInStockTrigger) and trigger.is_asked_for):
        yield _interest(contact_id, teller)
    rows = FanOut.objects.filter(campaign_id=one.campaign_id, created_at__gte=one.since).order_by("-created_at", "-pk")
    newest = list(rows[:MOST_WAVES])[::-1]
    if not newest:
        yield teller.line(Code.NO_WAVE)
    for row in newest:
        yield teller.line(Code.HAD_WAVE, at=row.created_at, count=row.enrolled_count)


def _wait(contact_id: int, teller: Teller) -> Line:
    waits = activity.awaited_by(contact_id)
    if not waits:
        return teller.line(Code.WAITS_FOR_NOTHING)
    return teller.line(Code.WAITS_FOR_STOCK, at=waits[0].asked_at, count=len(waits))


def _interest(contact_id: int, teller: Teller) -> Line:
    with connection.cursor() as cursor:
        cursor.execute(_INTERESTS, [contact_id])
        count, last = cursor.fetchone()
    return teller.line(Code.HAS_INTEREST, at=last, count=count) if count else teller.line(Code.NO_INTEREST)
