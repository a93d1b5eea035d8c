"""Consents that end, and those that a purchase stands for (soft opt-in). Every statement takes a whole batch.

ePrivacy directive, article 13(2): own similar goods may be advertised to who bought, until they object. Korean network
act, article 50(1): goods of the same kind, for six months from the deal. It is nobody's word: what a person says
themselves replaces it, and a refusal is never overruled by a purchase.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from crm_plugin import clock

SOURCE_PURCHASE = "purchase"
SOURCE_EXPIRED = "expired"

_LOCK = "SELECT FROM crm_plugin_contact WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"

#: A consent that stood for a purchase and ran out may come back with the next one; any other answer stays.
_GRANT = """
WITH bought AS (
    SELECT DISTINCT ON (contact_id, channel) * FROM unnest(%(contact_id)s::bigint[], %(channel)s::text[],
        %(bought_at)s::timestamptz[], %(expires_at)s::timestamptz[]) AS one (contact_id, channel, bought_at, expires_at)
    WHERE expires_at IS NULL OR expires_at > %(now)s
    ORDER BY contact_id, channel, bought_at DESC
), changed AS (
    INSERT INTO crm_plugin_consent AS consent (contact_id, channel, is_granted, basis, changed_at, expires_at)
    SELECT contact_id, channel, TRUE, 'soft_opt_in', %(now)s, expires_at
    FROM bought JOIN crm_plugin_contact contact ON contact.id = contact_id
    WHERE contact.erased_at IS NULL ORDER BY contact_id, channel
    ON CONFLICT (contact_id, channel) DO UPDATE
    SET is_granted = TRUE, changed_at = EXCLUDED.changed_at, expires_at = EXCLUDED.expires_at
    WHERE consent.basis = 'soft_opt_in' AND (NOT consent.is_granted OR consent.expires_at < EXCLUDED.expires_at)
    RETURNING contact_id, channel
), logged AS (
    INSERT INTO crm_plugin_consentevent (contact_id, channel, purpose, is_granted, basis, source, text_version,
        evidence, occurred_at)
    SELECT contact_id, channel, 'marketing', TRUE, 'soft_opt_in', %(source)s, '',
        jsonb_build_object('bought_at', bought_at, 'expires_at', expires_at), %(now)s
    FROM changed JOIN bought USING (contact_id, channel)
), touched AS (
    INSERT INTO crm_plugin_touched (contact_id) SELECT DISTINCT contact_id FROM changed
)
SELECT count(*) FROM changed
"""

#: Whoever is answering, merged or erased at this moment is passed over and looked at the next time.
_EXPIRE = """
WITH over AS (
    SELECT consent.id, consent.is_night_granted AS had_night
    FROM crm_plugin_consent consent JOIN crm_plugin_contact contact ON contact.id = consent.contact_id
    WHERE consent.expires_at IS NOT NULL AND consent.expires_at <= %(now)s
    ORDER BY consent.expires_at LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
), changed AS (
    UPDATE crm_plugin_consent consent
    SET is_granted = FALSE, is_night_granted = FALSE, changed_at = %(now)s, expires_at = NULL
    FROM over WHERE consent.id = over.id
    RETURNING consent.contact_id, consent.channel, consent.basis, over.had_night
), logged AS (
    INSERT INTO crm_plugin_consentevent (contact_id, channel, purpose, is_granted, basis, source, text_version,
        evidence, occurred_at)
    SELECT contact_id, channel, purpose, FALSE, basis, %(source)s, '', '{}', %(now)s
    FROM changed CROSS JOIN LATERAL (VALUES ('marketing', TRUE), ('night', had_night)) AS line (purpose, is_meant)
    WHERE is_meant
), touched AS (
    INSERT INTO crm_plugin_touched (contact_id) SELECT DISTINCT contact_id FROM changed
)
SELECT count(*) FROM changed
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """What a purchase stands for on one channel.

    ``expires_at``: until when; None: until the person objects.
    """

    contact_id: int
    channel: str
    bought_at: datetime
    expires_at: datetime | None


def grant_by_purchase(purchases: Sequence[Purchase]) -> int:
    """Let purchases stand for consent where the person has said nothing themselves; return how many consents changed.

    A later purchase moves the end on; one whose time is over already changes nothing. Must run in a transaction.
    """
    if not purchases:
        return 0
    values: dict[str, Any] = {
        "contact_id": [one.contact_id for one in purchases],
        "channel": [str(one.channel) for one in purchases],
        "bought_at": [one.bought_at for one in purchases],
        "expires_at": [one.expires_at for one in purchases],
        "now": clock.now(),
        "source": SOURCE_PURCHASE,
    }
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [sorted({one.contact_id for one in purchases})])
        cursor.execute(_GRANT, values)
        return int(cursor.fetchone()[0])


def expire_consents(limit: int) -> int:
    """End the consents whose time is over; return how many.

    Nobody is told: nobody consented, refused or withdrew (network act, article 50(7)).
    """
    with connection.cursor() as cursor:
        cursor.execute(_EXPIRE, {"now": clock.now(), "limit": limit, "source": SOURCE_EXPIRED})
        return int(cursor.fetchone()[0])
