"""What people made of their messages: who opened, who clicked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q

from crm_plugin.messaging.models import Message, MessageState


@dataclass(frozen=True, slots=True)
class Responses:
    """How many messages of a step went out, and how many of those were opened and clicked (at least once).

    Who clicked has opened it, whether or not images were shown.
    """

    sent: int = 0
    opened: int = 0
    clicked: int = 0


def responses(campaign_id: int, templates: Mapping[str, int], *, since: datetime) -> Mapping[str, Responses]:
    """Return the responses to the messages of each step, in one query.

    Args:
        campaign_id: whose.
        templates: the template of each step that is asked for: messages of the step with other content do not count.
        since: messages that were queued before it do not count.
    """
    sent = Q(state=MessageState.SENT)
    opened = sent & (Q(opened_at__isnull=False) | Q(clicked_at__isnull=False))
    asked = Q(pk__in=())
    for step_id, template_id in templates.items():
        asked |= Q(step_id=step_id, template_id=template_id)
    rows = (
        Message.objects.filter(asked, campaign_id=campaign_id, created_at__gte=since)
        .values_list("step_id")
        .annotate(
            sent=Count("pk", filter=sent),
            opened=Count("pk", filter=opened),
            clicked=Count("pk", filter=sent & Q(clicked_at__isnull=False)),
        )
    )
    found = {step_id: Responses(*counts) for step_id, *counts in rows}
    return {step_id: found.get(step_id, Responses()) for step_id in templates}
