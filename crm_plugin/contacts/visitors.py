"""Visitors: browsers of the storefront, and how a nameless one becomes a person.

A browser (``Visitor``) points at one contact. As long as nobody said who they are, that contact has neither customer
id nor e-mail. The first person who is seen in the browser takes the nameless contact's history over (a merge). Seen in
a browser that is another known person's, they take the browser over from now on, and no history moves: two known people
are never merged here. A fact that comes late takes no browser away from who used it later.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from crm_plugin import clock
from crm_plugin.contacts import _rows
from crm_plugin.contacts._races import retried
from crm_plugin.contacts.models import Contact
from crm_plugin.contacts.people import Handover, Merge, Person
from crm_plugin.contacts.selectors import visitor_ids

#: A browser can be new to two workers at once; more rounds than these need a third one.
ROUNDS = 4

#: By index, one look-up for each; see ``_rows``.
_READ = """
SELECT v.visitor_id, v.contact_id, v.known_at, c.is_nameless FROM unnest(%s::text[]) AS key
CROSS JOIN LATERAL (
    SELECT visitor_id, contact_id, known_at FROM crm_plugin_visitor WHERE visitor_id = key LIMIT 1 {lock}
) AS v
CROSS JOIN LATERAL (
    SELECT customer_id IS NULL AND email IS NULL AS is_nameless FROM crm_plugin_contact WHERE id = v.contact_id LIMIT 1
) AS c
"""
_READ_PLAIN, _READ_LOCKED = _READ.format(lock=""), _READ.format(lock="FOR UPDATE")

#: A visitor's foreign key is looked at when the transaction ends, so that who loses the race makes no contact.
_INSERT = """
WITH draft AS MATERIALIZED (
    SELECT visitor_id, known_at, seen_at, owner_id IS NULL AS is_nameless,
        COALESCE(owner_id, nextval(pg_get_serial_sequence('crm_plugin_contact', 'id'))) AS contact_id
    FROM unnest(%(visitor_ids)s::text[], %(owner_ids)s::bigint[], %(known_ats)s::timestamptz[],
        %(seen_ats)s::timestamptz[]) AS d(visitor_id, owner_id, known_at, seen_at)
), made AS (
    INSERT INTO crm_plugin_visitor (visitor_id, contact_id, created_at, known_at)
    SELECT visitor_id, contact_id, %(now)s, known_at FROM draft ORDER BY visitor_id
    ON CONFLICT DO NOTHING RETURNING visitor_id
), nameless AS (
    INSERT INTO crm_plugin_contact (id, first_name, last_name, language, country, time_zone, orders_count, last_seen_at,
        created_at)
    SELECT draft.contact_id, '', '', '', '', '', 0, COALESCE(draft.seen_at, %(now)s), %(now)s
    FROM draft JOIN made USING (visitor_id) WHERE draft.is_nameless
)
SELECT count(*) FROM made
"""

_POINT = """
UPDATE crm_plugin_visitor v SET contact_id = n.owner_id, known_at = n.known_at
FROM unnest(%s::text[], %s::bigint[], %s::timestamptz[]) AS n(visitor_id, owner_id, known_at)
WHERE v.visitor_id = n.visitor_id
"""

_UNSEEN = """
SELECT id FROM crm_plugin_contact
WHERE customer_id IS NULL AND email IS NULL AND erased_at IS NULL AND last_seen_at < %s
ORDER BY last_seen_at LIMIT %s FOR UPDATE SKIP LOCKED
"""


@dataclass(frozen=True, slots=True)
class Links:
    """What linking came to: nameless contacts to merge into people, and browsers that changed hands."""

    merges: tuple[Merge, ...] = ()
    handovers: tuple[Handover, ...] = ()


NONE = Links()


@dataclass(frozen=True, slots=True)
class _Owner:
    """A known person seen in a browser, from when to when."""

    contact_id: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class _State:
    """Whom a browser points at now; ``known_at`` is None as long as that contact is nameless."""

    contact_id: int
    known_at: datetime | None
    is_nameless: bool


@dataclass(frozen=True, slots=True)
class _Plan:
    """What to write for one browser. ``owner`` None: a nameless contact is to be made."""

    visitor_id: str
    owner: _Owner | None = None
    is_new: bool = False
    is_moved: bool = False
    merge: Merge | None = None
    handover: Handover | None = None

    @property
    def is_written(self) -> bool:
        return self.is_new or self.is_moved


def link(seen: Collection[Person], *, everybody: Collection[Person], merging: Sequence[Merge] = ()) -> Links:
    """Give every browser a contact, and browsers to the people who were seen in them.

    When nothing changes, that is two statements at most; a bounded number otherwise, however many browsers.

    Args:
        seen: people with a browser; those with a name have a contact already.
        everybody: all people of the batch. Whoever changes browsers takes the rows of all of them first, in the one
            order in which every worker does.
        merging: merges that are decided but not done: their sources have lost their names and are not nameless.
    """
    plans = _plans(seen, merging, is_locked=False)
    if any(plan.is_written for plan in plans):
        plans = _write(seen, everybody, merging)
    return Links(
        tuple(plan.merge for plan in plans if plan.merge), tuple(plan.handover for plan in plans if plan.handover)
    )


def forget_visitors(before: datetime, limit: int) -> list[str]:
    """Delete visitors who never said who they are and were not seen since ``before``, with all that they did.

    Nothing of them counts in any report, so that rows of other rooms go too. Those that a worker is busy with are left
    for the next time. Returns the ids of the browsers that are gone.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_UNSEEN, [before, limit])
            ids = [contact_id for (contact_id,) in cursor.fetchall()]
        browsers = sorted(visitor_ids(ids))
        Contact.objects.filter(pk__in=ids).delete()
    return browsers


@retried
def _write(seen: Collection[Person], everybody: Collection[Person], merging: Sequence[Merge]) -> list[_Plan]:
    for _ in range(ROUNDS):
        _rows.lock_people(everybody)
        plans = _plans(seen, merging, is_locked=True)
        new = [plan for plan in plans if plan.is_new]
        if len(new) == _insert(new, seen):
            break
    _point([plan for plan in plans if plan.is_moved])
    return plans


def _plans(seen: Collection[Person], merging: Sequence[Merge], *, is_locked: bool) -> list[_Plan]:
    targets = {merge.source_id: merge.target_id for merge in merging}
    states = _read({person.visitor_id for person in seen}, targets, is_locked=is_locked)
    owners = _owners_of([person for person in seen if person.is_named])
    return [
        _plan(visitor_id, states.get(visitor_id), owners.get(visitor_id, []))
        for visitor_id in sorted({person.visitor_id for person in seen})
    ]


def _plan(visitor_id: str, state: _State | None, owners: Sequence[_Owner]) -> _Plan:
    if not owners:
        return _Plan(visitor_id, is_new=state is None)
    last = max(owners, key=lambda owner: (owner.last_at, owner.contact_id))
    first = min(owners, key=lambda owner: (owner.first_at, owner.contact_id))
    shared = Handover(visitor_id, None) if len(owners) > 1 else None
    if state is None:
        return _Plan(visitor_id, last, is_new=True, handover=shared)
    if state.is_nameless:
        merge = Merge(source_id=state.contact_id, target_id=first.contact_id)
        return _Plan(visitor_id, last, is_moved=True, merge=merge, handover=shared)
    is_shared = any(owner.contact_id != state.contact_id for owner in owners)
    is_late = state.known_at is not None and last.last_at < state.known_at
    return _Plan(
        visitor_id,
        last,
        is_moved=last.contact_id != state.contact_id and not is_late,
        handover=Handover(visitor_id, state.contact_id) if is_shared else None,
    )


def _read(visitor_ids: Collection[str], targets: Mapping[int, int], *, is_locked: bool) -> dict[str, _State]:
    with connection.cursor() as cursor:
        cursor.execute(_READ_LOCKED if is_locked else _READ_PLAIN, [sorted(visitor_ids)])
        return {
            visitor_id: _State(targets.get(contact_id, contact_id), known_at, is_nameless and contact_id not in targets)
            for visitor_id, contact_id, known_at, is_nameless in cursor.fetchall()
        }


def _owners_of(named: Collection[Person]) -> dict[str, list[_Owner]]:
    """Return the known people seen in each browser, each person once."""
    if not named:
        return {}
    holders = _rows.read([person.customer_id for person in named], [person.email for person in named])
    now = clock.now()
    spans: defaultdict[str, dict[int, _Owner]] = defaultdict(dict)
    for person in named:
        row = holders.by_customer.get(person.customer_id) or holders.by_email.get(person.email)
        if row is None:
            continue
        last_at = person.seen_at or now
        span = _Owner(row.contact_id, person.first_seen_at or last_at, last_at)
        known = spans[person.visitor_id].get(row.contact_id, span)
        spans[person.visitor_id][row.contact_id] = _Owner(
            row.contact_id, min(known.first_at, span.first_at), max(known.last_at, span.last_at)
        )
    return {visitor_id: list(found.values()) for visitor_id, found in spans.items()}


def _insert(plans: Sequence[_Plan], seen: Collection[Person]) -> int:
    if not plans:
        return 0
    seen_at = {person.visitor_id: person.seen_at for person in seen if not person.is_named}
    columns: dict[str, Any] = {
        "visitor_ids": [plan.visitor_id for plan in plans],
        "owner_ids": [plan.owner.contact_id if plan.owner else None for plan in plans],
        "known_ats": [plan.owner.first_at if plan.owner else None for plan in plans],
        "seen_ats": [seen_at.get(plan.visitor_id) for plan in plans],
    }
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, {**columns, "now": clock.now()})
        (count,) = cursor.fetchone()
    return int(count)


def _point(plans: Sequence[_Plan]) -> None:
    moved = [(plan.visitor_id, plan.owner) for plan in plans if plan.owner is not None]
    if not moved:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _POINT,
            [
                [visitor_id for visitor_id, _owner in moved],
                [owner.contact_id for _visitor_id, owner in moved],
                [owner.first_at for _visitor_id, owner in moved],
            ],
        )
