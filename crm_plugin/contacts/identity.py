"""From the identities of a batch of facts to contacts, set-wise.

``resolve`` is on the hot path of the drain: one statement when everybody is known, a bounded number otherwise, however
many people. Two workers may resolve the same people at once: rows are inserted and locked in one fixed order, an insert
that lost the race does nothing, and what is there is read again.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import connection, transaction

from crm_plugin import clock, shop
from crm_plugin.contacts import _rows, visitors
from crm_plugin.contacts._races import retried
from crm_plugin.contacts.models import Contact
from crm_plugin.contacts.people import Person, Resolution
from crm_plugin.contacts.refreshing import refresh_customers
from crm_plugin.contacts.tombstones import erasures_of

#: An insert can lose to another worker and then find a guest to adopt; more rounds than these need a third worker.
ROUNDS = 4

#: One index look-up for each identity, by ``LIMIT``: as a join or ``= ANY``, PostgreSQL reads the whole table.
_KNOWN = """
SELECT ARRAY(SELECT key FROM unnest(%(ids)s::text[]) AS key
             CROSS JOIN LATERAL (SELECT FROM crm_plugin_contact WHERE customer_id = key LIMIT 1) AS contact),
       ARRAY(SELECT key FROM unnest(%(emails)s::text[]) AS key
             CROSS JOIN LATERAL (SELECT FROM crm_plugin_contact WHERE email = key LIMIT 1) AS contact),
       EXISTS(SELECT FROM crm_plugin_erasure WHERE erased_at > %(floor)s)
"""


@dataclass(frozen=True, slots=True)
class _Known:
    """Which identities have a contact, and whether any tombstone is young enough to matter."""

    customer_ids: frozenset[str]
    emails: frozenset[str]
    has_erasures: bool

    def has(self, person: Person) -> bool:
        """Whether the identity that decides, the customer id before the e-mail, has a contact."""
        return person.customer_id in self.customer_ids if person.customer_id else person.email in self.emails


def resolve(people: Collection[Person], *, seen_before: datetime) -> Resolution:
    """Make sure that a contact exists for every person.

    By customer id first, then by e-mail. A guest's contact gets the account that the shop has under its e-mail. An
    e-mail that belongs to another account's contact stays there, unless the shop says that this account has moved on. A
    known account's e-mail is the shop's to say (``refresh_customers``), not that of an order form.

    A browser without a contact gets one: a nameless one, or that of the person seen in it. How a visitor becomes a
    known person is in ``visitors.py``.

    Args:
        people: who the facts of a batch are about; nobody (no id, no e-mail, no browser) is passed over.
        seen_before: when the oldest fact of the batch happened. Erasures since then are looked at; who was erased after
            it, and has no ``seen_at`` of their own, gets no contact.
    """
    somebody = {person for person in people if person.is_named or person.visitor_id}
    if not somebody:
        return Resolution()
    known = _known(somebody, floor=min(seen_before, *(person.seen_at or seen_before for person in somebody)))
    erased_at = erasures_of(somebody, accounts_with_contact=known.customer_ids) if known.has_erasures else {}
    late = {person for person, at in erased_at.items() if at > (person.seen_at or seen_before)}
    dropped = frozenset(person for person in late if not known.has(person))
    unknown = [person for person in somebody - dropped if person.is_named and not known.has(person)]
    seen = [person for person in somebody - late if person.visitor_id]
    if not (unknown or seen):
        return Resolution(dropped=dropped, erased_at=erased_at)
    with transaction.atomic():
        contested = _ensure(unknown, somebody) if unknown else ()
        merges = refresh_customers(contested) if contested else ()
        links = visitors.link(seen, everybody=somebody, merging=merges) if seen else visitors.NONE
    return Resolution((*merges, *links.merges), dropped, erased_at, links.handovers)


def get_or_create(person: Person) -> Contact:
    """Return the contact of somebody who is here now, made on the spot when there is none.

    Raises:
        ValueError: when the person has neither customer id nor e-mail.
    """
    if not (person.customer_id or person.email):
        raise ValueError("a contact needs a customer id or an e-mail")
    if not _known({person}, floor=clock.now()).has(person):
        _ensure([person], [person])
    if person.customer_id:
        return Contact.objects.get(customer_id=person.customer_id)
    return Contact.objects.get(email=person.email)


def _known(people: Collection[Person], *, floor: datetime) -> _Known:
    ids = [person.customer_id for person in people if person.customer_id]
    emails = [person.email for person in people if person.email and not person.customer_id]
    with connection.cursor() as cursor:
        cursor.execute(_KNOWN, {"ids": ids, "emails": emails, "floor": floor})
        found_ids, found_emails, has_erasures = cursor.fetchone()
    return _Known(frozenset(found_ids), frozenset(found_emails), has_erasures)


@retried
def _ensure(unknown: Collection[Person], everybody: Collection[Person]) -> set[str]:
    """Create or adopt a contact for each of ``unknown``; return the accounts whose e-mail another account holds."""
    drafts = _drafts(unknown)
    contested: set[str] = set()
    for _ in range(ROUNDS):
        holders = _rows.read_drafts(drafts)
        if any(holders.is_guest(draft.email) and not holders.has(draft) for draft in drafts):
            # The drain goes on to update these contacts, as every worker does by ascending id: taking all of them now,
            # in that order, keeps two workers from waiting for each other.
            _rows.lock_people(everybody)
            holders = _rows.read_drafts(drafts)
        missing = [draft for draft in drafts if not holders.has(draft)]
        adoptions = [draft for draft in missing if holders.is_guest(draft.email)]
        taken = {draft.customer_id for draft in missing if holders.is_taken(draft.email)}
        new = [
            replace(draft, email="") if draft.customer_id in taken else draft
            for draft in missing
            if not holders.is_guest(draft.email)
        ]
        contested |= taken
        if _rows.adopt(adoptions) + _rows.insert(new) == len(missing):
            break
    return contested


def _drafts(people: Collection[Person]) -> list[_rows.Draft]:
    """Return the contacts that should exist. An account's e-mail is the shop's, or the fact's if the shop is silent."""
    customer_ids = sorted({person.customer_id for person in people if person.customer_id})
    accounts = shop.current().customers(customer_ids) if customer_ids else {}
    told = {person.customer_id: person.email for person in people if person.email}
    drafts: list[_rows.Draft] = []
    emails: set[str] = set()
    for key in customer_ids:
        draft = _rows.of_account(accounts[key]) if key in accounts else _rows.Draft(key, told.get(key, ""))
        # A shop that tells addresses apart by case may have two accounts with what is one address to a mail server.
        drafts.append(replace(draft, email="") if draft.email in emails else draft)
        emails.add(draft.email)
    guests = {person.email for person in people if not person.customer_id} - emails - {""}
    return [*drafts, *(_rows.Draft("", email) for email in guests)]
