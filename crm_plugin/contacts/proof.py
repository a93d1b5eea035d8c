"""The proof of consent: everything that one person ever answered, when, where and to which text.

GDPR, article 7(1): the controller must be able to demonstrate consent; the Korean guide to article 50 asks senders to
keep it. An erased person leaves nothing to prove with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crm_plugin.contacts.models import ConsentEvent, Contact


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofLine:
    """One line of the consent log."""

    event_id: int
    occurred_at: datetime
    channel: str
    purpose: str
    is_granted: bool
    basis: str
    source: str
    text_version: str
    evidence: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Who a person is, and their consent log, the oldest line first."""

    contact_id: int
    customer_id: str
    email: str
    phone: str
    lines: tuple[ProofLine, ...]


def consent_proof(contact_id: int) -> Proof | None:
    """Return the proof for a contact; None when there is no such person (any more)."""
    contact = Contact.objects.filter(pk=contact_id, erased_at=None).first()
    if contact is None:
        return None
    columns = ("occurred_at", "channel", "purpose", "is_granted", "basis", "source", "text_version", "evidence")
    rows = ConsentEvent.objects.filter(contact_id=contact_id).order_by("occurred_at", "pk").values("pk", *columns)
    return Proof(
        contact_id=contact_id,
        customer_id=contact.customer_id or "",
        email=contact.email or "",
        phone=contact.phone,
        lines=tuple(ProofLine(event_id=row.pop("pk"), **row) for row in rows),
    )
