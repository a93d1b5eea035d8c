"""An e-mail provider that looks at what it gets, at the moment at which it gets it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from crm_plugin import clock
from crm_plugin.models import Campaign, Consent, Enrollment, Message
from tests.automations.engine.naive import held, past_of


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail that was handed out.

    Attributes:
        what: campaign, contact, subject, epoch and step.
        faults: what was wrong with sending it then.
    """

    public_id: UUID
    at: datetime
    what: tuple[int, int, str, int, str]
    faults: tuple[str, ...]


class Postbox(BaseEmailBackend):
    """Keeps everything.

    Attributes:
        known: the last activity that the database knew before the workers began; None: all that it knows now. What
            another worker learns at this very moment nobody can ask for.
    """

    letters: list[Letter] = []  # Django makes a new object for every connection
    known: int | None = None
    ended: frozenset[int] = frozenset()
    _one_at_a_time = threading.Lock()

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Keep them."""
        for message in email_messages:
            with self._one_at_a_time:
                self.letters.append(_read(message))
        return len(email_messages)


def _read(mail: EmailMessage) -> Letter:
    public_id = UUID(mail.extra_headers["Message-ID"][1:37])
    message = Message.objects.get(public_id=public_id)
    run = Enrollment.objects.get(pk=message.enrollment_id)
    what = (run.campaign_id, run.contact_id, run.subject_key, run.epoch, message.step_id)
    return Letter(public_id, clock.now(), what, tuple(_faults(public_id, what, run)))


def _faults(public_id: UUID, what: tuple[int, int, str, int, str], run: Enrollment) -> list[str]:
    faults = [f"after {name}" for name in held(run, _exits_of(run), past_of(run.contact_id, until=Postbox.known))]
    if run.pk in Postbox.ended:
        faults.append("after its run had ended")
    if not Consent.objects.filter(contact_id=run.contact_id, channel="email", is_granted=True).exists():
        faults.append("without consent")
    if any(letter.public_id == public_id or letter.what == what for letter in Postbox.letters):
        faults.append("a second time")
    if (state := Campaign.objects.get(pk=run.campaign_id).state) != "running":
        faults.append(f"while {state}")
    return faults


def _exits_of(run: Enrollment) -> Sequence[str]:
    return tuple(run.version.definition.get("exit_when", ("bought_item",)))
