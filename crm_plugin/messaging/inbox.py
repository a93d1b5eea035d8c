"""The inbox that the shop shows to a customer: notes kept by the delivery loop, read and marked by their owner."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from django.db.models import QuerySet

from crm_plugin import clock
from crm_plugin.conf import settings
from crm_plugin.messaging.finished import Finished, Notification
from crm_plugin.messaging.models import InboxNote
from crm_plugin.messaging.outbox import Claimed


def keep_notes(sent: Sequence[tuple[Claimed, Finished]]) -> None:
    """Keep the content of messages that go to the inbox; one that is there already stays as it is."""
    now = clock.now()
    notes = [
        InboxNote(
            message_id=claimed.message_id,
            contact_id=claimed.contact_id,
            title=_kept(content.title)[:200],
            text=_kept(content.text),
            url=_kept(content.url),
            image_url=_kept(content.image_url),
            created_at=now,
        )
        for claimed, content in sent
        if isinstance(content, Notification)
    ]
    InboxNote.objects.bulk_create(notes, ignore_conflicts=True)


def notes_of(contact_id: int) -> QuerySet[InboxNote]:
    """Return the notes of a contact that are not too old, for lists; the caller orders and pages."""
    return InboxNote.objects.filter(contact_id=contact_id, created_at__gt=_oldest())


def unread_count(contact_id: int) -> int:
    """Return how many notes the contact has not read."""
    return notes_of(contact_id).filter(read_at=None).count()


def mark_read(contact_id: int, *, note_ids: Collection[int] | None = None) -> int:
    """Mark notes of the contact as read, all of them when none are named; return how many were unread.

    The ids of other people's notes name nothing.
    """
    unread = InboxNote.objects.filter(contact_id=contact_id, read_at=None)
    if note_ids is not None:
        unread = unread.filter(pk__in=note_ids)
    return unread.update(read_at=clock.now())


def absorb_notes(source_id: int, target_id: int) -> None:
    """Give the notes of one contact to another: the two were one person."""
    InboxNote.objects.filter(contact_id=source_id).update(contact_id=target_id)


def forget_notes(contact_ids: Collection[int]) -> None:
    """Delete the notes of people who are erased."""
    InboxNote.objects.filter(contact_id__in=contact_ids).delete()


def clear_notes(limit: int) -> int:
    """Delete notes that are too old, of the ``limit`` oldest; return how many."""
    oldest = InboxNote.objects.order_by("pk").values_list("pk", flat=True)[:limit]
    return InboxNote.objects.filter(pk__in=list(oldest), created_at__lte=_oldest()).delete()[0]


def _oldest() -> datetime:
    return clock.now() - timedelta(days=settings().inbox_days)


def _kept(text: str) -> str:
    """Return the text without NUL, which PostgreSQL does not take."""
    return text.replace("\0", "")
