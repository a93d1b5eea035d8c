"""What happened to products, and whether the person cared for any."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection

from crm_plugin.automations.accounting.lines import Line, Teller
from crm_plugin.automations.accounting.wording import Code
from crm_plugin.automations.models import FanOut
from crm_plugin.automations.running import Running

#: The newest waves that an account tells.
MOST_WAVES = 5

_INTERESTS = """
SELECT count(*), max(last_interest_at) FROM crm_plugin_interest WHERE contact_id = %s AND last_interest_at IS NOT NULL
"""


def about_waves(one: Running, contact_id: int, teller: Teller) -> Iterator[Line]:
    """Say what the person is interested in at all, and which waves there were."""
    with connection.cursor() as cursor:
        cursor.execute(_INTERESTS, [contact_id])
        count, last = cursor.fetchone()
    if count:
        yield teller.line(Code.HAS_INTEREST, at=last, count=count)
    else:
        yield teller.line(Code.NO_INTEREST)
    rows = FanOut.objects.filter(campaign_id=one.campaign_id, created_at__gte=one.since).order_by("-created_at", "-pk")
    newest = list(rows[:MOST_WAVES])[::-1]
    if not newest:
        yield teller.line(Code.NO_WAVE)
    for row in newest:
        yield teller.line(Code.HAD_WAVE, at=row.created_at, count=row.enrolled_count)
