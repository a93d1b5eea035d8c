"""What other rooms ask of stored messages: lists, the merging of two contacts, the erasure of one."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from django.db.models import Count, F, Min, QuerySet
from django.db.models.functions import Greatest

from crm_plugin import clock
from crm_plugin.messaging.inbox import absorb_notes, forget_notes
from crm_plugin.messaging.models import CallState, Message, MessageState, WebhookCall
from crm_plugin.messaging.outcomes import Reason
from crm_plugin.messaging.receipts import lag_of_receipts
from crm_plugin.messaging.webhooks import lag_of_calls


def messages() -> QuerySet[Message]:
    """Return all messages, for lists."""
    return Message.objects.all()


def lag() -> dict[str, float]:
    """Return how far behind the outbox is, and what went wrong: rows by state, the age in seconds of what is due."""
    now = clock.now()
    waiting = Message.objects.filter(state__in=(MessageState.QUEUED, MessageState.SENDING))
    counts = dict(waiting.values_list("state").annotate(count=Count("pk")))
    today = Message.objects.filter(created_at__gt=now - timedelta(days=1))
    due = waiting.filter(state=MessageState.QUEUED, due_at__lte=now).aggregate(at=Min("due_at"))["at"]
    return {
        "queued_rows": counts.get(MessageState.QUEUED, 0),
        "sending_rows": counts.get(MessageState.SENDING, 0),
        "failed_rows_of_a_day": today.filter(state=MessageState.FAILED).count(),
        "unknown_rows": Message.objects.filter(state=MessageState.UNKNOWN).count(),
        "due_oldest_seconds": (now - due).total_seconds() if due else 0.0,
        **lag_of_receipts(),
        **lag_of_calls(),
    }


def refresh_stale(campaign_id: int, stale_at: datetime) -> int:
    """Give the queued messages of a campaign that goes on after a pause until ``stale_at``; return how many.

    Those that were held for the pause are due now.
    """
    queued = Message.objects.filter(campaign_id=campaign_id, state=MessageState.QUEUED)
    queued.filter(reason=Reason.CAMPAIGN_PAUSED, due_at__gt=clock.now()).update(due_at=clock.now())
    return queued.update(stale_at=Greatest(F("stale_at"), stale_at))


def absorb(source_id: int, target_id: int) -> None:
    """Give the messages of one contact to another: the two were one person.

    A worker that has claimed one of them loses its lease, so that the message is looked at anew, under its new owner.
    """
    Message.objects.filter(contact_id=source_id, state=MessageState.QUEUED).update(lease_until=None, lease_token=None)
    Message.objects.filter(contact_id=source_id).update(contact_id=target_id)
    absorb_notes(source_id, target_id)
    WebhookCall.objects.filter(contact_id=source_id).update(contact_id=target_id)


def forget(contact_ids: Collection[int]) -> None:
    """Blank what names a person in the messages, and skip what has not gone out; the counts stay true."""
    mine = Message.objects.filter(contact_id__in=contact_ids)
    mine.filter(state=MessageState.QUEUED).update(
        state=MessageState.SKIPPED,
        reason=Reason.EXITED,
        finished_at=clock.now(),
        lease_until=None,
        lease_token=None,
    )
    mine.update(recipient="", subject="", detail="", provider_id="", data={})
    forget_notes(contact_ids)
    calls = WebhookCall.objects.filter(contact_id__in=contact_ids)
    calls.filter(state=CallState.QUEUED).update(
        state=CallState.FAILED, finished_at=clock.now(), lease_until=None, lease_token=None
    )
    calls.update(payload={}, detail="")
