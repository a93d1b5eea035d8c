"""Tombstones: digests by which an erased identity is recognised without being kept."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from django.db import connection

from crm_plugin import clock, ids
from crm_plugin.contacts.kept_key import keep_key
from crm_plugin.contacts.models import Erasure
from crm_plugin.contacts.people import Person

_BURY = """
INSERT INTO crm_plugin_erasure (identity_digest, erased_at)
SELECT digest, %(now)s FROM unnest(%(digests)s::text[]) AS digest ORDER BY digest
ON CONFLICT (identity_digest) DO UPDATE SET erased_at = GREATEST(crm_plugin_erasure.erased_at, EXCLUDED.erased_at)
"""


def bury(people: Collection[Person]) -> None:
    """Write a tombstone for every identity of the people."""
    digests = {digest for person in people for digest in _digests(person)}
    if not digests:
        return
    with connection.cursor() as cursor:
        cursor.execute(_BURY, {"digests": list(digests), "now": clock.now()})
    keep_key()


def erasures_of(people: Collection[Person], *, accounts_with_contact: Collection[str]) -> dict[Person, datetime]:
    """Return when people were erased last.

    For an account that has a contact only its customer id counts: the e-mail of one of its facts may be an address
    that somebody else was erased under. A browser counts only for who is nothing but a visitor: others may use it too.
    """
    digests = {
        person: _digests(Person(person.customer_id) if person.customer_id in accounts_with_contact else person)
        for person in people
    }
    wanted = {digest for found in digests.values() for digest in found}
    erased: Mapping[str, datetime] = dict(
        Erasure.objects.filter(identity_digest__in=wanted).values_list("identity_digest", "erased_at")
    )
    latest = {person: [erased[key] for key in found if key in erased] for person, found in digests.items()}
    return {person: max(moments) for person, moments in latest.items() if moments}


def _digests(person: Person) -> tuple[str, ...]:
    found = []
    if person.customer_id:
        found.append(ids.digest("erasure.customer", person.customer_id))
    if person.email:
        found.append(ids.digest("erasure.email", person.email))
    if person.visitor_id and not person.is_named:
        found.append(ids.digest("erasure.visitor", person.visitor_id))
    return tuple(found)
