"""Calls of other systems: the rows of ``WebhookCall`` as a queue (``docs/decisions/webhooks.md``).

A call is made at least once: one whose worker died is made again, under the same id, by which the receiver tells. Its
outcome moves nobody: the campaign went on when it was asked for.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from django.db import connection, transaction
from django.db.models import Count, Min

from crm_plugin import clock, contacts, merchant
from crm_plugin.conf import settings
from crm_plugin.messaging import calling
from crm_plugin.messaging.calling import Answer
from crm_plugin.messaging.models import CallState, WebhookCall

MAX_ATTEMPTS: Final = 8
#: The longest that a receiver may ask to be left alone.
MAX_WAIT: Final = timedelta(hours=24)
#: Calls made side by side by one worker: a receiver that is slow holds up fifteen others, not everybody.
AT_ONCE: Final = 16

_TABLE = WebhookCall._meta.db_table
_GONE: Final = 410
_ASK_TO_WAIT: Final = (429, 503)

_CLAIM = f"""
UPDATE {_TABLE} AS c SET state = 'sending', attempts = c.attempts + 1, lease_until = %(lease_until)s,
    lease_token = %(token)s
FROM (
    SELECT id FROM {_TABLE} WHERE state IN ('queued', 'sending') AND due_at <= %(now)s
        AND (lease_until IS NULL OR lease_until <= %(now)s)
    ORDER BY due_at, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
) AS due
WHERE c.id = due.id
RETURNING c.id, c.public_id, c.contact_id, c.url, c.payload, c.attempts, c.lease_token
"""  # noqa: S608 - the table's own name

_SETTLE = f"""
UPDATE {_TABLE} AS c SET state = v.state, response_status = v.status, detail = v.detail,
    due_at = COALESCE(v.due_at, c.due_at), lease_until = NULL, lease_token = NULL,
    finished_at = CASE WHEN v.state = 'queued' THEN NULL ELSE %s::timestamptz END
FROM unnest(%s::bigint[], %s::uuid[], %s::text[], %s::int[], %s::text[], %s::timestamptz[])
    AS v (id, token, state, status, detail, due_at)
WHERE c.id = v.id AND c.lease_token = v.token AND c.state = 'sending'
"""  # noqa: S608 - the table's own name


@dataclass(frozen=True, slots=True, kw_only=True)
class CallDraft:
    """A call that a Webhook step asks for.

    ``payload`` is what the receiver gets, without the contact: who that is is looked up when the call is made, so that
    names and addresses are kept in one place.
    """

    contact_id: int
    enrollment_id: int
    campaign_id: int
    step_id: str
    url: str
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """A call that this worker has claimed."""

    call_id: int
    public_id: UUID
    contact_id: int
    url: str
    payload: Mapping[str, Any]
    attempts: int
    token: UUID


def enqueue_calls(drafts: Sequence[CallDraft]) -> None:
    """Put calls into the queue; the same run and step asked for again stays one call."""
    now = clock.now()
    rows = [
        WebhookCall(
            contact_id=draft.contact_id,
            enrollment_id=draft.enrollment_id,
            campaign_id=draft.campaign_id,
            step_id=draft.step_id,
            url=draft.url,
            payload=dict(draft.payload),
            due_at=now,
            created_at=now,
        )
        for draft in drafts
    ]
    WebhookCall.objects.bulk_create(rows, ignore_conflicts=True)


def claim_calls(limit: int) -> list[Call]:
    """Take due calls, and those whose worker's lease ran out; each is another worker's after our lease."""
    now = clock.now()
    values: dict[str, Any] = {
        "now": now,
        "lease_until": now + timedelta(seconds=settings().lease_seconds),
        "token": uuid4(),
        "limit": limit,
    }
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(_CLAIM, values)
        rows = cursor.fetchall()
    return [
        Call(pk, public_id, who, url, json.loads(payload), *rest) for pk, public_id, who, url, payload, *rest in rows
    ]


def deliver_calls(limit: int) -> int:
    """Make due calls, side by side, outside of any transaction; return how many were made.

    Args:
        limit: at most so many, and at most ``AT_ONCE``: the caller asks again until there are none.
    """
    calls = claim_calls(min(limit, AT_ONCE))
    if not calls:
        return 0
    secrets, people, now = merchant.webhook_secrets(), _people({call.contact_id for call in calls}), clock.now()

    def make(call: Call) -> Answer:
        if call.attempts > MAX_ATTEMPTS:
            return Answer(None, "Given up: its worker died time and again.", is_refused=True)
        if call.contact_id not in people:
            return Answer(None, "The person was erased.", is_refused=True)
        body = _body(call, people[call.contact_id])
        headers = calling.headers_of(str(call.public_id), body, at=now, secrets=secrets)
        return calling.post(call.url, body, headers)

    with ThreadPoolExecutor(max_workers=len(calls)) as pool:
        answers = list(pool.map(make, calls))
    _settle(list(zip(calls, answers, strict=True)))
    return len(calls)


def lag_of_calls() -> dict[str, float]:
    """Return how far behind the queue of calls is: open and failed ones, the age in seconds of what is due."""
    now = clock.now()
    waiting = WebhookCall.objects.filter(state__in=(CallState.QUEUED, CallState.SENDING))
    found = waiting.aggregate(count=Count("pk"))
    due = waiting.filter(due_at__lte=now).aggregate(at=Min("due_at"))["at"]
    failed = WebhookCall.objects.filter(state=CallState.FAILED, finished_at__gt=now - timedelta(days=1))
    return {
        "calls_open": found["count"],
        "calls_failed_of_a_day": failed.count(),
        "calls_due_oldest_seconds": (now - due).total_seconds() if due else 0.0,
    }


def _people(contact_ids: Collection[int]) -> dict[int, dict[str, str]]:
    """Return who the contacts are, as receivers learn it; the erased are left out."""
    rows = contacts.rows_of(contact_ids).filter(erased_at=None).values_list("pk", "customer_id", "email")
    return {pk: {"customer_id": customer_id or "", "email": email or ""} for pk, customer_id, email in rows}


def _body(call: Call, person: Mapping[str, str]) -> bytes:
    payload = {**call.payload, "data": {**call.payload.get("data", {}), "contact": person}}
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()


def _settle(done: Sequence[tuple[Call, Answer]]) -> None:
    now = clock.now()
    columns = list(zip(*(_outcome(call, answer, now) for call, answer in done), strict=True))
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(_SETTLE, [now, *(list(column) for column in columns)])


def _outcome(call: Call, answer: Answer, now: datetime) -> tuple[int, UUID, str, int | None, str, datetime | None]:
    """Return what the call becomes: its state, and when to try again."""
    state, due_at = CallState.QUEUED, None
    if answer.is_good:
        state = CallState.SENT
    elif answer.is_refused or answer.status == _GONE or call.attempts >= MAX_ATTEMPTS:
        state = CallState.FAILED
    else:
        pause = timedelta(seconds=settings().retry_seconds * 2 ** (call.attempts - 1))
        if answer.status in _ASK_TO_WAIT:
            pause = max(pause, min(calling.wait_asked_for(answer.retry_after, now=now), MAX_WAIT))
        due_at = now + pause
    detail = answer.detail.replace("\0", "")[:500]
    return call.call_id, call.token, state.value, answer.status, detail, due_at
