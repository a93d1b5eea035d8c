"""Whom a price drop would concern before anybody made it: the rule of the fan-out, asked without writing anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection

from crm_plugin import activity
from crm_plugin.activity import Drop
from crm_plugin.automations.inside import inside
from crm_plugin.automations.running import running
from crm_plugin.automations.triggers import PriceDropTrigger
from crm_plugin.conf import settings


@dataclass(frozen=True, slots=True)
class Expected:
    """How many people a drop would concern in a campaign."""

    campaign_id: int
    people_count: int


def expect_drops(drops: Sequence[Drop]) -> list[Expected]:
    """Return how many people the drops would concern in each running campaign that waits for price drops.

    It is what the fan-out would find at this moment: interest, size of the drop, cool-down, audience. Who has a run of
    the campaign under way is counted too: it takes the new price in, or has it read at dispatch.
    """
    found = []
    for one in running():
        trigger = one.definition.trigger
        if isinstance(trigger, PriceDropTrigger):
            found.append(Expected(one.campaign_id, _count(trigger, drops)))
    return found


def _count(trigger: PriceDropTrigger, drops: Sequence[Drop]) -> int:
    select = activity.concerned_if(trigger.rule(), drops, after_contact=0, limit=None)
    with connection.cursor() as cursor:
        if trigger.audience is None:
            cursor.execute(f"SELECT count(*) FROM ({select.sql}) q", select.params)  # noqa: S608
            return int(cursor.fetchone()[0])
        cursor.execute(f"SELECT contact_id FROM ({select.sql}) q", select.params)  # noqa: S608
        people = [contact_id for (contact_id,) in cursor.fetchall()]
    chunk = settings().fan_out_batch
    chunks = (people[start : start + chunk] for start in range(0, len(people), chunk))
    return sum(len(inside(trigger.audience, some)) for some in chunks)
