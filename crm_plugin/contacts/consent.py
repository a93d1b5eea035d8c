"""Marketing consent by channel: the present state, and an append-only log that proves it.

What a line of the log is about is its ``purpose``: ``marketing``, ``night`` (advertisements at night), or
``confirmation`` (somebody asked to be written to and has not proven yet that the address is theirs: double opt-in).
A line whose result the person is to be told is queued as well (``consent_queue``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final

from django.db import transaction

from crm_plugin import clock, merchant
from crm_plugin.channel_kind import PHONE_CHANNELS, ChannelKind
from crm_plugin.contacts.models import Consent, ConsentBasis, ConsentEvent, ConsentNotice, Contact
from crm_plugin.contacts.touching import touch
from crm_plugin.errors import NotFound

#: How long the link of a double opt-in holds.
CONFIRM_WITHIN: Final = timedelta(days=7)
#: Channels whose address somebody else could have typed in; a device or an account answers for itself.
CONFIRMED_CHANNELS: Final = frozenset({ChannelKind.EMAIL, *PHONE_CHANNELS})


class Purpose(StrEnum):
    """What a line of the consent log is about; that of a topic is ``topic:`` and its slug."""

    MARKETING = "marketing"
    NIGHT = "night"
    CONFIRMATION = "confirmation"


class Confirmation(StrEnum):
    """What came of the link of a double opt-in."""

    OPEN = "open"  #: it can be confirmed
    DONE = "done"  #: it is confirmed
    EXPIRED = "expired"  #: the link is too old
    GONE = "gone"  #: the person took it back, or is erased


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """Who said what where, for the log."""

    contact_id: int
    channel: str
    source: str
    text_version: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


def set_consent(
    contact_id: int,
    *,
    channel: str,
    is_granted: bool,
    source: str,
    text_version: str = "",
    evidence: Mapping[str, Any] | None = None,
    expires_at: datetime | None = None,
    needs_confirmation: bool = False,
) -> bool:
    """Grant or withdraw; return whether that changed anything. What changes nothing is not logged.

    The first answer of a person is a change, a refusal too. An erased person answers nothing any more. Who withdraws
    withdraws the night as well. A consent that nobody gave a version of its text for keeps the text itself
    (``Merchant.consent_text``) and a digest of it.

    Args:
        contact_id: who.
        channel: one of ``ChannelKind``.
        is_granted: yes or no.
        source: where the person said so (``registration``, ``unsubscribe_link`` …).
        text_version: which consent text was shown.
        evidence: what proves it, plain JSON; no more personal data than needed.
        expires_at: until when a consent holds; None: until it is withdrawn.
        needs_confirmation: whether anybody could have said so for anybody (a form that asks for no account). Where the
            merchant has double opt-in, such a consent waits until the link sent to the address is confirmed. People
            who are signed in, and staff who record what they have proof of, need none.

    Raises:
        NotFound: when there is no such contact.
    """
    with transaction.atomic():
        if _lock(contact_id).erased_at:
            return False
        answer = _answer(contact_id, channel, source, text_version, evidence, is_granted=is_granted)
        present = Consent.objects.filter(contact_id=contact_id, channel=channel).first()
        if is_granted and needs_confirmation and channel in CONFIRMED_CHANNELS and merchant.load().is_double_opt_in:
            return _ask_to_confirm(answer, present)
        return _write(answer, present, is_granted=is_granted, expires_at=expires_at)


def set_night_consent(
    contact_id: int,
    *,
    channel: str,
    is_granted: bool,
    source: str,
    text_version: str = "",
    evidence: Mapping[str, Any] | None = None,
) -> bool:
    """Agree to advertisements at night too, or take that back; return whether that changed anything.

    It is a consent of its own (Korean network act, article 50(3)) on top of that to marketing: without one there is
    nothing that could come at night, and nothing is changed. The arguments are those of ``set_consent``.

    Raises:
        NotFound: when there is no such contact.
    """
    with transaction.atomic():
        contact = _lock(contact_id)
        present = Consent.objects.filter(contact_id=contact_id, channel=channel).first()
        if contact.erased_at or present is None or present.is_night_granted == is_granted:
            return False
        if is_granted and not _holds(present):
            return False
        answer = _answer(contact_id, channel, source, text_version, evidence, is_granted=is_granted)
        Consent.objects.filter(pk=present.pk).update(is_night_granted=is_granted)
        _log(answer, purpose=Purpose.NIGHT, is_granted=is_granted)
        touch([contact_id])
    return True


def look_at_confirmation(event_id: int) -> tuple[Confirmation, str, str]:
    """Return how it stands with a double opt-in, its channel, and the person's language.

    Args:
        event_id: the line of the log that says that it was asked for.
    """
    asked = ConsentEvent.objects.filter(pk=event_id, purpose=Purpose.CONFIRMATION).select_related("contact").first()
    if asked is None:
        return Confirmation.GONE, "", ""
    present = Consent.objects.filter(contact_id=asked.contact_id, channel=asked.channel).first()
    return _standing(asked, present), asked.channel, asked.contact.language


def confirm_consent(event_id: int, *, evidence: Mapping[str, Any] | None = None) -> Confirmation:
    """Grant what was asked for, once the person has proven that the address is theirs; return what came of it.

    A link that is older than ``CONFIRM_WITHIN``, or that the person has withdrawn from since, grants nothing. Doing it
    twice is fine.
    """
    with transaction.atomic():
        contact_id = ConsentEvent.objects.filter(pk=event_id).values_list("contact_id", flat=True).first()
        if contact_id is None or _lock(contact_id).erased_at:
            return Confirmation.GONE
        asked = ConsentEvent.objects.filter(pk=event_id, purpose=Purpose.CONFIRMATION).first()
        if asked is None:
            return Confirmation.GONE
        present = Consent.objects.filter(contact_id=asked.contact_id, channel=asked.channel).first()
        standing = _standing(asked, present)
        if standing is not Confirmation.OPEN:
            return standing
        proof = {**asked.evidence, **(evidence or {}), "asked_at": asked.occurred_at.isoformat(), "asked": asked.pk}
        answer = _Answer(
            contact_id=asked.contact_id,
            channel=asked.channel,
            source=asked.source,
            text_version=asked.text_version,
            evidence=proof,
        )
        _write(answer, present, is_granted=True, expires_at=None)
    return Confirmation.DONE


def _lock(contact_id: int) -> Contact:
    # The contact's row is the lock: two answers at once are one after the other, and the log tells the order.
    contact = Contact.objects.select_for_update(no_key=True).filter(pk=contact_id).first()
    if contact is None:
        raise NotFound(f"There is no contact {contact_id}.")
    return contact


def _answer(
    contact_id: int, channel: str, source: str, version: str, evidence: Mapping[str, Any] | None, *, is_granted: bool
) -> _Answer:
    proof = dict(evidence or {})
    if is_granted and not version and (text := merchant.load().consent_text):
        version = sha256(text.encode()).hexdigest()[:16]
        proof["text"] = text
    return _Answer(contact_id=contact_id, channel=channel, source=source, text_version=version, evidence=proof)


def _holds(present: Consent | None) -> bool:
    return present is not None and present.is_granted and (not present.expires_at or present.expires_at > clock.now())


def _is_same(present: Consent | None, *, is_granted: bool, expires_at: datetime | None) -> bool:
    """Whether the person's own word stands like that already; what a purchase stands for is not their word."""
    if present is None or present.basis != ConsentBasis.EXPRESS or present.pending_at:
        return False
    return _holds(present) == is_granted and (not is_granted or present.expires_at == expires_at)


def _write(answer: _Answer, present: Consent | None, *, is_granted: bool, expires_at: datetime | None) -> bool:
    if _is_same(present, is_granted=is_granted, expires_at=expires_at):
        return False
    had_night = present is not None and present.is_night_granted
    Consent.objects.update_or_create(
        contact_id=answer.contact_id,
        channel=answer.channel,
        defaults={
            "is_granted": is_granted,
            "is_night_granted": had_night and is_granted,
            "basis": ConsentBasis.EXPRESS,
            "changed_at": clock.now(),
            "expires_at": expires_at if is_granted else None,
            "pending_at": None,
            "reminded_at": None,
        },
    )
    _log(answer, purpose=Purpose.MARKETING, is_granted=is_granted)
    if had_night and not is_granted:
        _log(answer, purpose=Purpose.NIGHT, is_granted=False)
    touch([answer.contact_id])
    return True


def _ask_to_confirm(answer: _Answer, present: Consent | None) -> bool:
    """Let a consent wait for its confirmation; asked again on the same day, no second message is due."""
    if _is_same(present, is_granted=True, expires_at=None):
        return False
    now = clock.now()
    if present and present.pending_at and present.pending_at.date() == now.date():
        return False
    if present is None:
        Consent.objects.create(
            contact_id=answer.contact_id, channel=answer.channel, is_granted=False, changed_at=now, pending_at=now
        )
    else:  # what holds until then goes on holding: a purchase may stand for consent meanwhile
        Consent.objects.filter(pk=present.pk).update(pending_at=now)
    _log(answer, purpose=Purpose.CONFIRMATION, is_granted=False)
    touch([answer.contact_id])
    return True


def _standing(asked: ConsentEvent, present: Consent | None) -> Confirmation:
    if present is None:
        return Confirmation.GONE
    if present.pending_at is None:
        return Confirmation.DONE if _is_same(present, is_granted=True, expires_at=None) else Confirmation.GONE
    return Confirmation.OPEN if clock.now() <= asked.occurred_at + CONFIRM_WITHIN else Confirmation.EXPIRED


def _log(answer: _Answer, *, purpose: Purpose, is_granted: bool) -> None:
    now = clock.now()
    line = ConsentEvent.objects.create(
        contact_id=answer.contact_id,
        channel=answer.channel,
        purpose=purpose,
        is_granted=is_granted,
        source=answer.source,
        text_version=answer.text_version,
        evidence=dict(answer.evidence),
        occurred_at=now,
    )
    ConsentNotice.objects.create(event=line, created_at=now)
