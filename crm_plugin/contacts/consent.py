"""Marketing consent by channel: the present state, and an append-only log that proves it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from django.db import transaction

from crm_plugin import clock
from crm_plugin.contacts.models import Consent, ConsentEvent, Contact
from crm_plugin.contacts.touching import touch
from crm_plugin.errors import NotFound


def set_consent(
    contact_id: int,
    *,
    channel: str,
    is_granted: bool,
    source: str,
    text_version: str = "",
    evidence: Mapping[str, Any] | None = None,
) -> bool:
    """Grant or withdraw; return whether that changed anything. What changes nothing is not logged.

    The first answer of a person is a change, a refusal too. An erased person answers nothing any more.

    Args:
        contact_id: who.
        channel: one of ``ChannelKind``.
        is_granted: yes or no.
        source: where the person said so (``registration``, ``unsubscribe_link`` …).
        text_version: which consent text was shown.
        evidence: what proves it, plain JSON; no more personal data than needed.

    Raises:
        NotFound: when there is no such contact.
    """
    with transaction.atomic():
        # The contact's row is the lock: two answers at once are one after the other, and the log tells the order.
        contact = Contact.objects.select_for_update(no_key=True).filter(pk=contact_id).first()
        if contact is None:
            raise NotFound(f"There is no contact {contact_id}.")
        present = Consent.objects.filter(contact_id=contact_id, channel=channel).first()
        if contact.erased_at or (present and present.is_granted == is_granted):
            return False
        now = clock.now()
        Consent.objects.update_or_create(
            contact_id=contact_id, channel=channel, defaults={"is_granted": is_granted, "changed_at": now}
        )
        ConsentEvent.objects.create(
            contact_id=contact_id,
            channel=channel,
            is_granted=is_granted,
            source=source,
            text_version=text_version,
            evidence=dict(evidence or {}),
            occurred_at=now,
        )
        touch([contact_id])
    return True


def consents_of(contact_ids: Collection[int]) -> Mapping[int, Mapping[str, bool]]:
    """Return, for each contact, the channels on which the person has answered, and the answer."""
    found: dict[int, dict[str, bool]] = {contact_id: {} for contact_id in contact_ids}
    rows = Consent.objects.filter(contact_id__in=contact_ids).values_list("contact_id", "channel", "is_granted")
    for contact_id, channel, is_granted in rows:
        found[contact_id][channel] = is_granted
    return found
