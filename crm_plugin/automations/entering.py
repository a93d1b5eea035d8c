"""Entering a campaign: the one place that writes new enrollments.

Two unique keys decide races, whoever repeats what: (campaign, contact, subject, epoch) says what may happen once ever,
(campaign, contact, lane) what may be under way once. Who is refused by either is passed over without a word.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from crm_plugin.activity import Happening
from crm_plugin.automations.triggers import Concurrency, Deed, Reentry

MAX_SUBJECT = 120

#: What every statement that enrolls begins with; the columns in the order of ``Entrant``.
INSERT = """INSERT INTO crm_plugin_enrollment (campaign_id, version_id, contact_id, subject_key, epoch, lane, due_at,
    entered_at, items, context, is_collecting, state, reason, step, arms, waits_for)
"""
#: The values of the columns that every new run has in common.
REST = "FALSE, 'active', '', 0, '{}'::jsonb, ''"

_ENROLL = f"""{INSERT}
SELECT n.campaign_id, n.version_id, n.contact_id, n.subject_key, n.epoch, n.lane, n.due_at, n.entered_at,
    n.items, n.context, {REST}
FROM jsonb_to_recordset(%s::jsonb) AS n(campaign_id bigint, version_id bigint, contact_id bigint, subject_key text,
    epoch bigint, lane text, due_at timestamptz, entered_at timestamptz, items jsonb, context jsonb,
    not_since timestamptz)
JOIN crm_plugin_contact c ON c.id = n.contact_id AND (c.customer_id IS NOT NULL OR c.email IS NOT NULL)
WHERE n.not_since IS NULL OR NOT EXISTS (SELECT 1 FROM crm_plugin_enrollment e
    WHERE e.campaign_id = n.campaign_id AND e.contact_id = n.contact_id AND e.entered_at > n.not_since)
ORDER BY n.contact_id, n.campaign_id, n.entered_at FOR KEY SHARE OF c
ON CONFLICT DO NOTHING
"""  # noqa: S608


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrant:
    """One person who is to enter one campaign.

    Attributes:
        not_since: passed over when they entered the campaign after this moment (re-entry ``after``).
        items, context: as ``Enrollment`` keeps them; plain JSON.
    """

    campaign_id: int
    version_id: int
    contact_id: int
    subject_key: str
    epoch: int
    lane: str
    due_at: datetime
    entered_at: datetime
    items: Sequence[Mapping[str, Any]] = ()
    context: Mapping[str, Any] = field(default_factory=dict)
    not_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """The two keys of a run."""

    subject_key: str
    epoch: int
    lane: str


def key_of(reentry: Reentry, concurrency: Concurrency, *, subject: str, occasion: int) -> Key:
    """Return the keys of a run.

    Args:
        reentry: how often the trigger lets the same contact in.
        concurrency: what may be under way at once.
        subject: what it is about (``order:81``); empty for the person.
        occasion: a number that tells this time from the next one, such as the activity's id.
    """
    subject = _fit(subject)
    is_alone = concurrency is Concurrency.CONTACT or reentry is Reentry.AFTER
    match reentry:
        case Reentry.ONCE:
            return Key("", 0, "")
        case Reentry.PER_SUBJECT:
            return Key(subject, 0, "" if is_alone else subject)
        case Reentry.ALWAYS | Reentry.AFTER:
            return Key(subject, occasion, "" if is_alone else subject)


def entrant_of(
    deed: Deed,
    happening: Happening,
    key: Key,
    *,
    campaign_id: int,
    version_id: int,
    due_at: datetime,
    rung: int | None = None,
) -> Entrant:
    """Return who enters because of an activity; ``rung`` is the amount of a ladder."""
    days = deed.reentry_days if deed.reentry is Reentry.AFTER else None
    return Entrant(
        campaign_id=campaign_id,
        version_id=version_id,
        contact_id=happening.contact_id,
        subject_key=key.subject_key,
        epoch=key.epoch,
        lane=key.lane,
        due_at=due_at,
        entered_at=happening.occurred_at,
        items=happening.items,
        context=happening.context if rung is None else {**happening.context, "rung": rung},
        not_since=None if days is None else happening.occurred_at - timedelta(days=days),
    )


def enroll(entrants: Sequence[Entrant]) -> int:
    """Enroll those who may enter, in one statement; return how many did. Must run in a transaction."""
    if not entrants:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_ENROLL, [json.dumps([_row(one) for one in entrants])])
        return int(cursor.rowcount)


def _fit(subject: str) -> str:
    """Return the subject as the column holds it; two long ones that begin alike stay two."""
    if len(subject) <= MAX_SUBJECT:
        return subject
    digest = hashlib.blake2b(subject.encode(), digest_size=8).hexdigest()
    return f"{subject[: MAX_SUBJECT - len(digest)]}{digest}"


def _row(one: Entrant) -> dict[str, Any]:
    return {
        "campaign_id": one.campaign_id,
        "version_id": one.version_id,
        "contact_id": one.contact_id,
        "subject_key": one.subject_key,
        "epoch": one.epoch,
        "lane": one.lane,
        "due_at": one.due_at.isoformat(),
        "entered_at": one.entered_at.isoformat(),
        "items": list(one.items),
        "context": dict(one.context),
        "not_since": one.not_since.isoformat() if one.not_since else None,
    }
