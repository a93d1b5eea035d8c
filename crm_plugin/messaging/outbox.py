"""The outbox: the rows of ``Message`` as a queue. Every write of a worker is guarded by the token of its claim.

A message goes queued -> sending -> sent | failed | unknown, or queued -> skipped; a worker that lost its lease writes
nothing. Times come from ``clock``, never from the database.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import connection, transaction

from crm_plugin import clock
from crm_plugin.conf import settings
from crm_plugin.messaging.models import Message, MessageState
from crm_plugin.messaging.outcomes import Item, Reason

_TABLE = Message._meta.db_table

_CLAIM = f"""
UPDATE {_TABLE} AS m SET lease_until = %(lease_until)s, lease_token = %(token)s
FROM (
    SELECT id FROM {_TABLE}
    WHERE state = 'queued' AND due_at <= %(now)s AND (lease_until IS NULL OR lease_until <= %(now)s)
    ORDER BY due_at, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
) AS due
WHERE m.id = due.id
RETURNING m.id, m.public_id, m.enrollment_id, m.contact_id, m.campaign_id, m.template_id, m.step_id, m.channel,
    m.message_class, m.due_at, m.stale_at, m.attempts, m.lease_token
"""  # noqa: S608 - the table's own name

_MARK_SENDING = f"""
UPDATE {_TABLE} AS m SET state = 'sending', lease_until = %s, attempts = m.attempts + 1, reason = '', detail = '',
    recipient = v.recipient, language = v.language, subject = v.subject
FROM unnest(%s::bigint[], %s::uuid[], %s::text[], %s::text[], %s::text[])
    AS v (id, token, recipient, language, subject)
WHERE m.id = v.id AND m.lease_token = v.token AND m.state = 'queued'
RETURNING m.id
"""  # noqa: S608 - the table's own name

_SETTLE = f"""
UPDATE {_TABLE} AS m SET state = v.state, reason = v.reason, detail = v.detail, provider_id = v.provider_id,
    due_at = COALESCE(v.due_at, m.due_at), lease_until = NULL, lease_token = NULL,
    finished_at = CASE WHEN v.state = 'queued' THEN NULL ELSE %s::timestamptz END
FROM unnest(%s::bigint[], %s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[])
    AS v (id, token, state, reason, detail, provider_id, due_at)
WHERE m.id = v.id AND m.lease_token = v.token AND m.state IN ('queued', 'sending')
RETURNING m.id
"""  # noqa: S608 - the table's own name

_SWEEP = f"""
UPDATE {_TABLE} AS m SET state = 'unknown', reason = %(reason)s, finished_at = %(now)s, lease_until = NULL,
    lease_token = NULL
FROM (
    SELECT id FROM {_TABLE} WHERE state = 'sending' AND lease_until <= %(now)s
    ORDER BY lease_until, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
) AS lost
WHERE m.id = lost.id
RETURNING m.id, m.enrollment_id, m.contact_id, m.step_id
"""  # noqa: S608 - the table's own name


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A message that a Send step asks for."""

    contact_id: int
    enrollment_id: int
    campaign_id: int
    template_id: int
    step_id: str
    channel: str
    message_class: str
    due_at: datetime
    stale_at: datetime


@dataclass(frozen=True, slots=True)
class Claimed:
    """A due message that one worker has for the length of a lease."""

    message_id: int
    public_id: UUID
    enrollment_id: int
    contact_id: int
    campaign_id: int
    template_id: int
    step_id: str
    channel: str
    message_class: str
    due_at: datetime
    stale_at: datetime
    attempts: int
    lease_token: UUID


@dataclass(frozen=True, slots=True)
class Delivered:
    """A message that reached its final state. ``items`` are those that it was sent about."""

    message_id: int
    enrollment_id: int
    contact_id: int
    step_id: str
    state: MessageState
    reason: str
    items: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Marking:
    """A claimed message on the point of being handed out."""

    claimed: Claimed
    recipient: str
    language: str
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What became of a claimed message.

    Attributes:
        state: a final state, or queued for a message that is held or tried again.
        due_at: when to look again, for a queued one.
    """

    claimed: Claimed
    state: MessageState
    reason: Reason | None = None
    detail: str = ""
    provider_id: str = ""
    due_at: datetime | None = None
    items: tuple[Item, ...] = field(default=())


def enqueue(drafts: Sequence[Draft]) -> None:
    """Put messages into the outbox; one that is there already (enrollment, step, channel) stays as it is."""
    now = clock.now()
    rows = [
        Message(
            contact_id=draft.contact_id,
            enrollment_id=draft.enrollment_id,
            campaign_id=draft.campaign_id,
            template_id=draft.template_id,
            step_id=draft.step_id,
            channel=draft.channel,
            message_class=draft.message_class,
            due_at=draft.due_at,
            stale_at=draft.stale_at,
            created_at=now,
        )
        for draft in drafts
    ]
    Message.objects.bulk_create(rows, ignore_conflicts=True, batch_size=2_000)


def claim(limit: int) -> list[Claimed]:
    """Take up to ``limit`` due messages, the longest due first; no other worker gets them while the lease lasts."""
    now = clock.now()
    lease_until = now + timedelta(seconds=settings().lease_seconds)
    values = {"now": now, "lease_until": lease_until, "token": uuid4(), "limit": limit}
    with transaction.atomic():
        found = [Claimed(*row) for row in _rows(_CLAIM, values)]
    return sorted(found, key=lambda claimed: (claimed.due_at, claimed.message_id))


def mark_sending(markings: Sequence[Marking], *, lease_until: datetime) -> set[int]:
    """Mark the messages ``sending`` where the claim still holds; return the ids of those."""
    columns: list[list[Any]] = [
        [one.claimed.message_id for one in markings],
        [one.claimed.lease_token for one in markings],
        [_fit(one.recipient, 254) for one in markings],
        [_fit(one.language, 12) for one in markings],
        [_fit(one.subject, 300) for one in markings],
    ]
    return {row[0] for row in _rows(_MARK_SENDING, [lease_until, *columns])} if markings else set()


def settle(settlements: Sequence[Settlement]) -> list[Delivered]:
    """Write what became of the messages where the claim still holds; return those that are final."""
    if not settlements:
        return []
    columns: list[list[Any]] = [
        [one.claimed.message_id for one in settlements],
        [one.claimed.lease_token for one in settlements],
        [one.state.value for one in settlements],
        [one.reason.value if one.reason else "" for one in settlements],
        [_fit(one.detail, 500) for one in settlements],
        [_fit(one.provider_id, 200) for one in settlements],
        [one.due_at for one in settlements],
    ]
    written = {row[0] for row in _rows(_SETTLE, [clock.now(), *columns])}
    final = [one for one in settlements if one.state != MessageState.QUEUED]
    return [_delivered(one) for one in final if one.claimed.message_id in written]


def sweep(limit: int) -> list[Delivered]:
    """Declare messages ``unknown`` whose worker died while handing them out. They are never sent again."""
    values = {"now": clock.now(), "limit": limit, "reason": Reason.LEASE_EXPIRED.value}
    return [
        Delivered(message_id, enrollment_id, contact_id, step_id, MessageState.UNKNOWN, Reason.LEASE_EXPIRED.value)
        for message_id, enrollment_id, contact_id, step_id in _rows(_SWEEP, values)
    ]


def _delivered(one: Settlement) -> Delivered:
    claimed, reason = one.claimed, one.reason.value if one.reason else ""
    who = (claimed.message_id, claimed.enrollment_id, claimed.contact_id, claimed.step_id)
    return Delivered(*who, one.state, reason, one.items)


def _rows(statement: str, values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())


def _fit(text: str, length: int) -> str:
    """Cut what a provider or a template wrote to the column; PostgreSQL takes no NUL."""
    return text.replace("\0", "")[:length]
