"""What people are still to be told about their consents: the queue of log lines, and the consents that grow old.

Whether the law asks for it is not known here, but in ``messaging.compliance``: the queue holds every line of the log
that a person's own doing has written, whatever their country.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import Q
from django.db.models.functions import Coalesce

from crm_plugin import clock
from crm_plugin.contacts.models import Consent, ConsentBasis

#: The contacts are locked with their lines, so that no merge takes them away before the messages are written; one that
#: is merged at this moment is passed over and looked at the next time.
_CLAIM = """
WITH due AS (
    SELECT notice.id AS notice_id, event.id, event.contact_id, event.channel, event.purpose, event.is_granted,
        event.occurred_at
    FROM crm_plugin_consentnotice notice
    JOIN crm_plugin_consentevent event ON event.id = notice.event_id
    JOIN crm_plugin_contact contact ON contact.id = event.contact_id
    ORDER BY notice.id LIMIT %s
    FOR UPDATE OF notice SKIP LOCKED FOR KEY SHARE OF contact SKIP LOCKED
), gone AS (
    DELETE FROM crm_plugin_consentnotice WHERE id IN (SELECT notice_id FROM due)
)
SELECT id, contact_id, channel, purpose, is_granted, occurred_at FROM due ORDER BY id
"""


@dataclass(frozen=True, slots=True)
class ToTell:
    """A line of the consent log whose result its person is to be told."""

    event_id: int
    contact_id: int
    channel: str
    purpose: str
    is_granted: bool
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class OldConsent:
    """A consent that its person has not been reminded of for long."""

    consent_id: int
    contact_id: int
    channel: str
    granted_at: datetime
    seen_at: datetime  #: when it was given, or last reminded of


@dataclass(frozen=True, slots=True, kw_only=True)
class Residents:
    """People of some countries.

    Attributes:
        countries: ISO 3166.
        calling_codes: by which a telephone tells the country of somebody whose country is not known (``+82``).
        language: whose readers belong to them wherever they live; empty: of no language.
        with_unknown_country, with_unknown_language: whether those of whom it is not known belong to them.
    """

    countries: Collection[str]
    calling_codes: Collection[str]
    language: str
    with_unknown_country: bool
    with_unknown_language: bool


def claim_consent_notices(limit: int) -> list[ToTell]:
    """Take lines off the queue, the oldest first; another worker gets others. Must run in a transaction."""
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [limit])
        return [ToTell(*row) for row in cursor.fetchall()]


def old_consents(*, channel: str, before: datetime, among: Residents, limit: int) -> list[OldConsent]:
    """Return consents that were given, or last reminded of, before a moment, the oldest first, and lock them.

    Those of people whom no message can tell it are left out, and those that a purchase stands for. Must run in a
    transaction.
    """
    seen_at = Coalesce("reminded_at", "changed_at")
    rows = (
        Consent.objects.filter(_lives_among(among), channel=channel, is_granted=True, basis=ConsentBasis.EXPRESS)
        .filter(~Q(contact__phone="") | Q(contact__email__isnull=False), contact__erased_at=None)
        .annotate(seen_at=seen_at)
        .filter(seen_at__lte=before)
        .order_by(seen_at, "pk")
        .select_related("contact")
        .select_for_update(skip_locked=True, of=("self", "contact"), no_key=True)[:limit]
    )
    return [OldConsent(row.pk, row.contact_id, row.channel, row.changed_at, row.seen_at) for row in rows]


def mark_reminded(consent_ids: Sequence[int]) -> None:
    """Write that the people of these consents are reminded of them now."""
    Consent.objects.filter(pk__in=consent_ids).update(reminded_at=clock.now())


def _lives_among(among: Residents) -> Q:
    by_phone = Q()
    for code in among.calling_codes:
        by_phone |= Q(contact__phone__startswith=code)
    nowhere = Q(contact__phone="") if among.with_unknown_country else Q(pk__in=())
    found = Q(contact__country__in=among.countries) | (Q(contact__country="") & (by_phone | nowhere))
    if among.language:
        found |= Q(contact__language__istartswith=among.language)
    if among.with_unknown_language:
        found |= Q(contact__language="")
    return found
