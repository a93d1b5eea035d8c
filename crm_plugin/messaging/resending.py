"""Sending failed messages again, by the merchant's choice.

A message goes back to the queue as it was: same row, same run, same step, so that the unique key of the outbox holds,
and every gate is asked anew. The run itself has gone on and is not moved again.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db import connection
from django.db.models import Exists, OuterRef, QuerySet

from crm_plugin import clock
from crm_plugin.conf import settings
from crm_plugin.messaging.models import Message, MessageState

#: As many as one transaction moves in well under a second; the rest is left for the next call.
LIMIT: Final = 10_000

#: A channel of the same step that reached the person, may have, or is about to.
_TAKEN: Final = (MessageState.SENT, MessageState.UNKNOWN, MessageState.QUEUED, MessageState.SENDING)
#: A campaign that is over, or was never begun, sends nothing; an erased person has no address.
_WORTH_IT: Final = {"campaign__state__in": ("running", "paused"), "contact__erased_at__isnull": True}
#: Two merchants who choose two channels of one step at the same moment would each not see what the other queues.
_TAKE_TURNS: Final = "SELECT pg_advisory_xact_lock(1129467225)"


@dataclass(frozen=True, slots=True)
class Resent:
    """How many messages are queued again, and how many more could be that were left for another call."""

    resent: int
    left: int


def resend(
    *,
    message_ids: Collection[int] | None = None,
    campaign_id: int | None = None,
    reasons: Collection[str] = (),
    includes_unknown: bool = False,
) -> Resent:
    """Queue failed messages again, the oldest first, up to ``LIMIT``. Must run in a transaction.

    Passed over: messages that did not fail, notices, those of campaigns that are neither running nor paused, of people
    who were erased, and those whose step reached the person on another channel, or is about to. Of several channels
    that all failed, the one that was tried first is tried again.

    Args:
        message_ids: these.
        campaign_id: those of this campaign.
        reasons: those that failed for one of these reasons; empty: for any.
        includes_unknown: those too of which nobody knows whether they arrived. Such a message may arrive twice.
    """
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_TURNS)
    now = clock.now()
    chosen = _failed(message_ids, campaign_id, reasons, includes_unknown=includes_unknown)
    earlier = chosen.filter(enrollment_id=OuterRef("enrollment_id"), step_id=OuterRef("step_id"), pk__lt=OuterRef("pk"))
    chosen = chosen.filter(~Exists(earlier), ~Exists(_elsewhere()), **_WORTH_IT)
    rows = chosen.order_by("created_at", "pk").select_for_update(of=("self",), no_key=True, skip_locked=True)
    ids = list(rows.values_list("pk", flat=True)[:LIMIT])
    resent = Message.objects.filter(pk__in=ids).update(
        state=MessageState.QUEUED,
        reason="",
        detail="",
        attempts=0,
        due_at=now,
        stale_at=now + timedelta(hours=settings().stale_after_hours),
        provider_id="",
        finished_at=None,
        delivered_at=None,
        lease_until=None,
        lease_token=None,
    )
    return Resent(resent, chosen.count())


def _failed(
    message_ids: Collection[int] | None, campaign_id: int | None, reasons: Collection[str], *, includes_unknown: bool
) -> QuerySet[Message]:
    states = (MessageState.FAILED, MessageState.UNKNOWN) if includes_unknown else (MessageState.FAILED,)
    rows = Message.objects.filter(state__in=states, enrollment__isnull=False)
    if message_ids is not None:
        rows = rows.filter(pk__in=message_ids)
    if campaign_id is not None:
        rows = rows.filter(campaign_id=campaign_id)
    return rows.filter(reason__in=reasons) if reasons else rows


def _elsewhere() -> QuerySet[Message]:
    """Return the messages of the same step that reached the person, or may, on another channel."""
    same = Message.objects.filter(enrollment_id=OuterRef("enrollment_id"), step_id=OuterRef("step_id"))
    return same.filter(state__in=_TAKEN).exclude(pk=OuterRef("pk"))
