"""The end of a merge: what the contacts room keeps about the source moves to the target, then the source is gone."""

from __future__ import annotations

from django.db import connection, transaction

from crm_plugin.contacts.models import Contact
from crm_plugin.contacts.people import Merge
from crm_plugin.contacts.touching import touch

_CONSENTS = """
INSERT INTO crm_plugin_consent (contact_id, channel, is_granted, is_night_granted, basis, changed_at, expires_at,
    pending_at, reminded_at)
SELECT %(target)s, channel, is_granted, is_night_granted, basis, changed_at, expires_at, pending_at, reminded_at
FROM crm_plugin_consent WHERE contact_id = %(source)s
ON CONFLICT (contact_id, channel) DO UPDATE SET is_granted = EXCLUDED.is_granted,
    is_night_granted = EXCLUDED.is_night_granted, basis = EXCLUDED.basis, changed_at = EXCLUDED.changed_at,
    expires_at = EXCLUDED.expires_at, pending_at = EXCLUDED.pending_at, reminded_at = EXCLUDED.reminded_at
WHERE EXCLUDED.changed_at > crm_plugin_consent.changed_at
"""

_REFUSED_TOPICS = """
INSERT INTO crm_plugin_refusedtopic (contact_id, topic_id, refused_at)
SELECT %(target)s, topic_id, refused_at FROM crm_plugin_refusedtopic WHERE contact_id = %(source)s
ON CONFLICT DO NOTHING
"""

_SPENDS = """
INSERT INTO crm_plugin_contactspend (contact_id, currency, amount, orders_count)
SELECT %(target)s, currency, amount, orders_count FROM crm_plugin_contactspend WHERE contact_id = %(source)s
ON CONFLICT (contact_id, currency) DO UPDATE SET amount = crm_plugin_contactspend.amount + EXCLUDED.amount,
    orders_count = crm_plugin_contactspend.orders_count + EXCLUDED.orders_count
"""

#: ``LEAST`` and ``GREATEST`` pass over NULLs.
_COUNTERS = """
UPDATE crm_plugin_contact target SET
    orders_count = target.orders_count + source.orders_count,
    first_order_at = LEAST(target.first_order_at, source.first_order_at),
    last_order_at = GREATEST(target.last_order_at, source.last_order_at),
    last_seen_at = GREATEST(target.last_seen_at, source.last_seen_at),
    joined_at = COALESCE(target.joined_at, source.joined_at),
    created_at = LEAST(target.created_at, source.created_at),
    language = COALESCE(NULLIF(target.language, ''), source.language),
    country = COALESCE(NULLIF(target.country, ''), source.country),
    time_zone = COALESCE(NULLIF(target.time_zone, ''), source.time_zone),
    phone = COALESCE(NULLIF(target.phone, ''), source.phone),
    attributes = source.attributes || target.attributes
FROM crm_plugin_contact source WHERE target.id = %(target)s AND source.id = %(source)s
"""

_STATEMENTS = (
    _CONSENTS,
    "UPDATE crm_plugin_consentevent SET contact_id = %(target)s WHERE contact_id = %(source)s",
    _SPENDS,
    _COUNTERS,
    "UPDATE crm_plugin_endpoint SET contact_id = %(target)s WHERE contact_id = %(source)s",
    _REFUSED_TOPICS,
    "UPDATE crm_plugin_attributechange SET contact_id = %(target)s WHERE contact_id = %(source)s",
    "UPDATE crm_plugin_visitor SET contact_id = %(target)s WHERE contact_id = %(source)s",
    "DELETE FROM crm_plugin_consent WHERE contact_id = %(source)s",
    "DELETE FROM crm_plugin_contactspend WHERE contact_id = %(source)s",
    "DELETE FROM crm_plugin_refusedtopic WHERE contact_id = %(source)s",
    "DELETE FROM crm_plugin_blocked WHERE contact_id = %(source)s",
    # Not through Django, which would delete rows of other rooms that nobody has moved; the database refuses instead.
    "DELETE FROM crm_plugin_contact WHERE id = %(source)s",
)


def absorb(merge: Merge) -> None:
    """Move consents (the newest wins), the consent log, spends and counters to the target, and delete the source.

    The browsers of the source are the target's too. Of an attribute that both have, the target's value stays.

    The other rooms must have moved their rows before. Doing it twice changes nothing.
    """
    pair = (merge.source_id, merge.target_id)
    with transaction.atomic():
        locked = Contact.objects.select_for_update().filter(pk__in=pair).order_by("pk")
        if merge.source_id == merge.target_id or len(locked) < len(pair):
            return
        with connection.cursor() as cursor:
            for statement in _STATEMENTS:
                cursor.execute(statement, {"source": merge.source_id, "target": merge.target_id})
        touch([merge.target_id])
