"""What this room keeps about people, for the copy that they may ask for."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import F

from crm_plugin.audience.models import Member, Score
from crm_plugin.contacts import Part


def copy_of(contact_ids: Collection[int]) -> list[Part]:
    """Return the parts of this room: the segments that people are in, and how they stand among all."""
    members = Member.objects.filter(contact_id__in=contact_ids)
    return [
        Part(name="memberships", rows=members.annotate(segment_name=F("segment__name"))),
        Part(name="scores", rows=Score.objects.filter(contact_id__in=contact_ids)),
    ]
