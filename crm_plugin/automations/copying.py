"""What this room keeps about people, for the copy that they may ask for."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import F

from crm_plugin.automations.models import Enrollment, Timer
from crm_plugin.contacts import Part


def copy_of(contact_ids: Collection[int]) -> list[Part]:
    """Return the parts of this room: the runs of people with what they knew, and those that may begin."""
    runs = Enrollment.objects.filter(contact_id__in=contact_ids)
    timers = Timer.objects.filter(contact_id__in=contact_ids)
    return [
        Part(name="enrollments", rows=runs.annotate(campaign_name=F("campaign__name"))),
        Part(name="timers", rows=timers.annotate(campaign_name=F("campaign__name"))),
    ]
