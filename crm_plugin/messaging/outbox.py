"""The outbox: the rows of ``Message`` as a queue. Every write of a worker is guarded by the token of its claim.

A message goes queued -> sending -> sent | failed | unknown, or queued -> skipped; a worker that lost its lease writes
nothing. Times come from ``clock``, never from the database.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import connection, transaction

from crm_plugin import clock
from crm_plugin.conf import settings
from crm_plugin.messaging.models import Message, MessageState
from crm_plugin.messaging.outcomes import Item, Reason
from crm_plugin.money import Money

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
    m.message_class, m.due_at, m.stale_at, m.attempts, m.lease_token, m.data::text
"""  # noqa: S608 - the table's own name

_MARK_SENDING = f"""
UPDATE {_TABLE} AS m SET state = 'sending', lease_until = %s, attempts = m.attempts + 1, reason = '', detail = '',
    recipient = v.recipient, language = v.language, subject = v.subject, form = v.form
FROM unnest(%s::bigint[], %s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[])
    AS v (id, token, recipient, language, subject, form)
WHERE m.id = v.id AND m.lease_token = v.token AND m.state = 'queued'
RETURNING m.id
"""  # noqa: S608 - the table's own name

_SETTLE = f"""
UPDATE {_TABLE} AS m SET state = v.state, reason = v.reason, detail = v.detail, provider_id = v.provider_id,
    due_at = COALESCE(v.due_at, m.due_at), lease_until = NULL, lease_token = NULL,
    finished_at = CASE WHEN v.state = 'queued' THEN NULL ELSE %(now)s::timestamptz END,
    delivered_at = CASE WHEN v.is_delivered THEN %(now)s::timestamptz END,
    attempts = m.attempts - v.is_untried::int, cost = v.cost, cost_currency = v.cost_currency
FROM unnest(%(id)s::bigint[], %(token)s::uuid[], %(state)s::text[], %(reason)s::text[], %(detail)s::text[],
    %(provider_id)s::text[], %(due_at)s::timestamptz[], %(is_delivered)s::boolean[],
    %(is_untried)s::boolean[], %(cost)s::numeric[], %(cost_currency)s::text[])
    AS v (id, token, state, reason, detail, provider_id, due_at, is_delivered, is_untried, cost, cost_currency)
WHERE m.id = v.id AND m.lease_token = v.token AND m.state IN ('queued', 'sending')
RETURNING m.id
"""  # noqa: S608 - the table's own name

_SWEEP = f"""
UPDATE {_TABLE} AS m SET reason = %(reason)s, lease_until = NULL, lease_token = NULL,
    state = CASE WHEN m.channel = ANY(%(safe)s) THEN 'queued' ELSE 'unknown' END,
    finished_at = CASE WHEN m.channel = ANY(%(safe)s) THEN NULL ELSE %(now)s::timestamptz END
FROM (
    SELECT id FROM {_TABLE} WHERE state = 'sending' AND lease_until <= %(now)s
    ORDER BY lease_until, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
) AS lost
WHERE m.id = lost.id
RETURNING m.id, m.enrollment_id, m.contact_id, m.step_id, m.channel, m.state
"""  # noqa: S608 - the table's own name


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A message that a Send step asks for, or that an occasion does.

    Attributes:
        enrollment_id, campaign_id, step_id: whose step; empty for an occasion.
        occasion: what a notice is about; one message for each occasion and channel, for ever.
        data: what the notice says as ``event``.
    """

    contact_id: int
    template_id: int
    channel: str
    message_class: str
    due_at: datetime
    stale_at: datetime
    enrollment_id: int | None = None
    campaign_id: int | None = None
    step_id: str = ""
    occasion: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A due message that one worker has for the length of a lease. A notice has neither enrollment nor campaign."""

    message_id: int
    public_id: UUID
    enrollment_id: int | None
    contact_id: int
    campaign_id: int | None
    template_id: int
    step_id: str
    channel: str
    message_class: str
    due_at: datetime
    stale_at: datetime
    attempts: int
    lease_token: UUID
    data: str = "{}"


@dataclass(frozen=True, slots=True)
class Delivered:
    """A message of a run that reached its final state, or that failed after it was sent.

    ``items`` are those that it was sent about.
    """

    message_id: int
    enrollment_id: int
    contact_id: int
    step_id: str
    channel: str
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
    form: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What became of a claimed message.

    Attributes:
        state: a final state, or queued for a message that is held or tried again.
        due_at: when to look again, for a queued one.
        is_untried: it was marked, but offered to nobody: that was no try.
    """

    claimed: Claimed
    state: MessageState
    reason: Reason | None = None
    detail: str = ""
    provider_id: str = ""
    due_at: datetime | None = None
    is_delivered: bool = False
    is_untried: bool = False
    cost: Money | None = None
    items: tuple[Item, ...] = field(default=())


def enqueue(drafts: Sequence[Draft]) -> None:
    """Put messages into the outbox; one that is there already (same step, or occasion, and channel) stays as it is."""
    now = clock.now()
    rows = [
        Message(
            contact_id=draft.contact_id,
            enrollment_id=draft.enrollment_id,
            campaign_id=draft.campaign_id,
            template_id=draft.template_id,
            step_id=draft.step_id,
            occasion=draft.occasion,
            data=dict(draft.data),
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
        [one.form for one in markings],
    ]
    return {row[0] for row in _rows(_MARK_SENDING, [lease_until, *columns])} if markings else set()


def settle(settlements: Sequence[Settlement]) -> list[Delivered]:
    """Write what became of the messages where the claim still holds; return those of runs that are final."""
    if not settlements:
        return []
    columns: dict[str, list[Any]] = {
        "id": [one.claimed.message_id for one in settlements],
        "token": [one.claimed.lease_token for one in settlements],
        "state": [one.state.value for one in settlements],
        "reason": [one.reason.value if one.reason else "" for one in settlements],
        "detail": [_fit(one.detail, 500) for one in settlements],
        "provider_id": [_fit(one.provider_id, 200) for one in settlements],
        "due_at": [one.due_at for one in settlements],
        "is_delivered": [one.is_delivered for one in settlements],
        "is_untried": [one.is_untried for one in settlements],
        "cost": [one.cost.amount if one.cost else None for one in settlements],
        "cost_currency": [one.cost.currency if one.cost else "" for one in settlements],
    }
    written = {row[0] for row in _rows(_SETTLE, {"now": clock.now(), **columns})}
    final = [one for one in settlements if one.state != MessageState.QUEUED and one.claimed.message_id in written]
    return [
        Delivered(
            message_id=one.claimed.message_id,
            enrollment_id=one.claimed.enrollment_id,
            contact_id=one.claimed.contact_id,
            step_id=one.claimed.step_id,
            channel=one.claimed.channel,
            state=one.state,
            reason=one.reason.value if one.reason else "",
            items=one.items,
        )
        for one in final
        if one.claimed.enrollment_id is not None
    ]


def sweep(limit: int, *, safe: Collection[str] = ()) -> list[Delivered]:
    """Declare messages ``unknown`` whose worker died while handing them out. They are never sent again.

    Args:
        limit: how many at most.
        safe: channels whose provider takes a message only once, however often it is offered: theirs are queued again.
    """
    reason = Reason.LEASE_EXPIRED.value
    lost = _rows(_SWEEP, {"now": clock.now(), "limit": limit, "reason": reason, "safe": list(safe)})
    return [
        Delivered(message_id, enrollment_id, contact_id, step_id, channel, MessageState.UNKNOWN, reason)
        for message_id, enrollment_id, contact_id, step_id, channel, state in lost
        if enrollment_id is not None and state == MessageState.UNKNOWN
    ]


def _rows(statement: str, values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())


def _fit(text: str, length: int) -> str:
    """Cut what a provider or a template wrote to the column; PostgreSQL takes no NUL."""
    return text.replace("\0", "")[:length]
