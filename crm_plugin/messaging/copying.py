"""What this room keeps about people, for the copy that they may ask for."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from django.db.models import F

from crm_plugin.contacts import Part
from crm_plugin.messaging.models import InboxNote, Message, WebhookCall

_LEASE: Final = frozenset({"lease_until", "lease_token"})


def copy_of(contact_ids: Collection[int]) -> list[Part]:
    """Return the parts of this room: messages, notes in the shop's inbox, and what other systems were told.

    Where those systems are is the merchant's: an address may hold a secret.
    """
    messages = Message.objects.filter(contact_id__in=contact_ids)
    calls = WebhookCall.objects.filter(contact_id__in=contact_ids)
    return [
        Part(name="messages", rows=messages.annotate(campaign_name=F("campaign__name")), without=_LEASE),
        Part(name="inbox_notes", rows=InboxNote.objects.filter(contact_id__in=contact_ids)),
        Part(
            name="webhook_calls",
            rows=calls.annotate(campaign_name=F("campaign__name")),
            without=_LEASE | {"url", "detail"},
        ),
    ]
