"""The statements behind identity: each one takes a whole batch as arrays.

Rows are always locked by ascending id and inserted by ascending e-mail, so that two workers wait for each other in one
direction only.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from django.db import connection

from crm_plugin import clock
from crm_plugin.contacts.people import Person, normalize_email
from crm_plugin.contacts.phones import normalize_phone
from crm_plugin.contacts.touching import TOUCH_CHANGED
from crm_plugin.shop import Customer


@dataclass(frozen=True, slots=True)
class Draft:
    """A contact as it should be; ``customer_id`` is empty for a guest, ``email`` for who cannot be written to."""

    customer_id: str = ""
    email: str = ""
    first_name: str = ""
    last_name: str = ""
    language: str = ""
    country: str = ""
    joined_at: datetime | None = None
    phone: str = ""


NOBODY = Draft()

#: The drafts of a batch as one derived table, a column for each field of ``Draft``.
_DRAFTS = """unnest(%(customer_id)s::text[], %(email)s::text[], %(first_name)s::text[], %(last_name)s::text[],
    %(language)s::text[], %(country)s::text[], %(joined_at)s::timestamptz[], %(phone)s::text[])
    AS draft (customer_id, email, first_name, last_name, language, country, joined_at, phone)"""

#: What the shop leaves empty does not blank what is known already, except for names: people may take them back.
_NAMES = """first_name = draft.first_name, last_name = draft.last_name,
    language = COALESCE(NULLIF(draft.language, ''), contact.language),
    country = COALESCE(NULLIF(draft.country, ''), contact.country),
    phone = COALESCE(NULLIF(draft.phone, ''), contact.phone),
    joined_at = COALESCE(draft.joined_at, contact.joined_at)"""

#: By index, one look-up for each identity: ``= ANY`` with thousands of values makes PostgreSQL read the whole table.
_READ = """
SELECT id, customer_id, email FROM crm_plugin_contact
WHERE id = ANY(ARRAY(
    SELECT contact.id FROM unnest(%(ids)s::text[]) AS key
    CROSS JOIN LATERAL (SELECT id FROM crm_plugin_contact WHERE customer_id = key LIMIT 1) AS contact
    UNION
    SELECT contact.id FROM unnest(%(emails)s::text[]) AS key
    CROSS JOIN LATERAL (SELECT id FROM crm_plugin_contact WHERE email = key LIMIT 1) AS contact
    UNION
    SELECT visitor.contact_id FROM unnest(%(visitor_ids)s::text[]) AS key
    CROSS JOIN LATERAL (SELECT contact_id FROM crm_plugin_visitor WHERE visitor_id = key LIMIT 1) AS visitor
)) ORDER BY id"""

_INSERT = f"""
WITH changed AS (
    INSERT INTO crm_plugin_contact (customer_id, email, first_name, last_name, language, country, joined_at,
                                    phone, time_zone, orders_count, created_at)
    SELECT NULLIF(customer_id, ''), NULLIF(email, ''), first_name, last_name, language, country, joined_at, phone, '',
        0, %(now)s
    FROM {_DRAFTS} ORDER BY email, customer_id
    ON CONFLICT DO NOTHING RETURNING id
) {TOUCH_CHANGED}"""  # noqa: S608 - only constants are put in

_ADOPT = f"""
WITH changed AS (
    UPDATE crm_plugin_contact contact SET customer_id = draft.customer_id, {_NAMES}
    FROM {_DRAFTS}
    WHERE contact.email = draft.email AND contact.customer_id IS NULL RETURNING contact.id
) {TOUCH_CHANGED}"""  # noqa: S608 - only constants are put in

_REFRESH = f"""
WITH changed AS (
    UPDATE crm_plugin_contact contact SET email = NULLIF(draft.email, ''), {_NAMES}
    FROM {_DRAFTS}
    WHERE contact.customer_id = draft.customer_id RETURNING contact.id
) {TOUCH_CHANGED}"""  # noqa: S608 - only constants are put in

_RELEASE = f"""
WITH changed AS (UPDATE crm_plugin_contact SET email = NULL WHERE id = ANY(%s) RETURNING id)
{TOUCH_CHANGED}"""  # noqa: S608 - only constants are put in


@dataclass(frozen=True, slots=True)
class Row:
    """The identity of an existing contact; ``customer_id`` and ``email`` are empty when there is none."""

    contact_id: int
    customer_id: str
    email: str


class Holders:
    """Who holds which identity now."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.by_customer = {row.customer_id: row for row in rows if row.customer_id}
        self.by_email = {row.email: row for row in rows if row.email}

    def has(self, draft: Draft) -> bool:
        """Whether the identity that decides has a contact."""
        return draft.customer_id in self.by_customer if draft.customer_id else draft.email in self.by_email

    def is_guest(self, email: str) -> bool:
        """Whether a contact without an account holds the e-mail."""
        return email in self.by_email and not self.by_email[email].customer_id

    def is_taken(self, email: str) -> bool:
        """Whether a contact with an account holds the e-mail."""
        return email in self.by_email and bool(self.by_email[email].customer_id)


def of_account(account: Customer) -> Draft:
    """Return the contact that an account stands for, cut to what the columns hold."""
    return Draft(
        customer_id=account.customer_id,
        email=normalize_email(account.email),
        first_name=account.first_name[:256],
        last_name=account.last_name[:256],
        language=account.language[:12],
        country=account.country[:2],
        joined_at=account.joined_at,
        phone=normalize_phone(account.phone, country=account.country),
    )


def read(
    customer_ids: Collection[str], emails: Collection[str], *, visitor_ids: Collection[str] = (), lock: bool = False
) -> Holders:
    """Return who holds the identities; ``lock`` takes the rows until the transaction ends, those of visitors too."""
    keys = {"ids": customer_ids, "emails": emails, "visitor_ids": visitor_ids}
    with connection.cursor() as cursor:
        cursor.execute(
            _READ + (" FOR NO KEY UPDATE" if lock else ""),
            {name: [key for key in found if key] for name, found in keys.items()},
        )
        return Holders([Row(pk, customer_id or "", email or "") for pk, customer_id, email in cursor.fetchall()])


def read_drafts(drafts: Collection[Draft]) -> Holders:
    """Return who holds the identities of the drafts."""
    return read([draft.customer_id for draft in drafts], [draft.email for draft in drafts])


def lock_people(people: Collection[Person]) -> None:
    """Take the contacts of all these people, those behind their browsers too, until the transaction ends."""
    read(
        [person.customer_id for person in people],
        [person.email for person in people],
        visitor_ids=[person.visitor_id for person in people],
        lock=True,
    )


def insert(drafts: Collection[Draft]) -> int:
    """Insert contacts and return how many; one that another worker was quicker to insert is left out."""
    return _run(_INSERT, drafts) if drafts else 0


def adopt(drafts: Collection[Draft]) -> int:
    """Give the guests who hold the drafts' e-mails their accounts. Return how many."""
    return _run(_ADOPT, drafts) if drafts else 0


def refresh(drafts: Collection[Draft]) -> int:
    """Write e-mail and names of accounts that have a contact. The e-mails must be free."""
    return _run(_REFRESH, drafts) if drafts else 0


def release_emails(contact_ids: Collection[int]) -> None:
    """Take the e-mail away from contacts, before it is given to others."""
    with connection.cursor() as cursor:
        cursor.execute(_RELEASE, [list(contact_ids)])


def lock_for_delete(contact_ids: Collection[int]) -> None:
    """Wait until nobody is writing rows that refer to the contacts, and let nobody begin to."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT FROM crm_plugin_contact WHERE id = ANY(%s) ORDER BY id FOR UPDATE", [sorted(contact_ids)]
        )


def _run(statement: str, drafts: Collection[Draft]) -> int:
    columns: dict[str, Any] = {
        column.name: [getattr(draft, column.name) for draft in drafts] for column in fields(Draft)
    }
    with connection.cursor() as cursor:
        cursor.execute(statement, {**columns, "now": clock.now()})
        return int(cursor.rowcount)
