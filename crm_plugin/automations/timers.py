"""Timers: something will start a run at its moment, unless what it counts from happens again before.

A cart that is left alone, or so many hours after an activity. This module keeps the rows; what a timer means is in
``abandoning`` and ``delaying``, and ``firing`` brings the two together.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection

from crm_plugin import clock
from crm_plugin.automations.entering import MAX_SUBJECT, Entrant
from crm_plugin.automations.inside import inside
from crm_plugin.automations.models import Timer
from crm_plugin.automations.running import Running
from crm_plugin.contacts import Merge
from crm_plugin.ids import array

_KEY = "campaign_id, contact_id, subject_key, rung"

#: The later fact wins, in whatever order two workers tell them. Locks are taken in the order of the key; a contact who
#: is being merged or erased at this moment is waited for, and passed over when gone.
_ARM = f"""
INSERT INTO crm_plugin_timer AS t ({_KEY}, starts_at, due_at, activity_id)
SELECT n.campaign_id, n.contact_id, n.subject_key, n.rung, n.starts_at, n.due_at, n.activity_id
FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::int[], %s::timestamptz[], %s::timestamptz[], %s::bigint[])
    AS n({_KEY}, starts_at, due_at, activity_id)
JOIN crm_plugin_contact c ON c.id = n.contact_id AND c.erased_at IS NULL
ORDER BY n.campaign_id, n.contact_id, n.subject_key, n.rung FOR KEY SHARE OF c
ON CONFLICT ({_KEY}) DO UPDATE SET starts_at = excluded.starts_at, due_at = excluded.due_at,
    activity_id = excluded.activity_id
WHERE excluded.starts_at > t.starts_at
"""  # noqa: S608 - only constants are put in

#: The contact is locked as the drain locks it: what it tells of this person is either seen here, or comes after.
_CLAIM = """
SELECT t.id, t.campaign_id, t.contact_id, t.subject_key, t.rung, t.starts_at, t.due_at, t.activity_id
FROM crm_plugin_timer t JOIN crm_plugin_contact c ON c.id = t.contact_id
WHERE t.due_at <= %s AND t.campaign_id = ANY(%s::bigint[])
ORDER BY t.due_at, t.id LIMIT %s
FOR NO KEY UPDATE OF c SKIP LOCKED FOR UPDATE OF t SKIP LOCKED
"""

_CLEAR = """
DELETE FROM crm_plugin_timer WHERE id IN (
    SELECT t.id FROM crm_plugin_timer t JOIN crm_plugin_campaign c ON c.id = t.campaign_id
    WHERE t.due_at <= %s AND (c.state IN ('ended', 'archived') OR t.campaign_id = ANY(%s::bigint[]))
    ORDER BY t.due_at, t.id LIMIT %s FOR UPDATE OF t SKIP LOCKED)
"""

_OF_BOTH = """
s.contact_id = %(source)s AND t.contact_id = %(target)s AND s.campaign_id = t.campaign_id
    AND s.subject_key = t.subject_key AND s.rung = t.rung
"""
_MERGE = (
    f"""
    UPDATE crm_plugin_timer t SET starts_at = s.starts_at, due_at = s.due_at, activity_id = s.activity_id
    FROM crm_plugin_timer s WHERE {_OF_BOTH} AND s.starts_at > t.starts_at
    """,  # noqa: S608
    f"DELETE FROM crm_plugin_timer s USING crm_plugin_timer t WHERE {_OF_BOTH}",  # noqa: S608
    "UPDATE crm_plugin_timer SET contact_id = %(target)s WHERE contact_id = %(source)s",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One timer: see the columns of ``Timer``."""

    campaign_id: int
    contact_id: int
    subject_key: str
    rung: int = 0
    starts_at: datetime
    due_at: datetime
    activity_id: int | None = None

    @property
    def key(self) -> tuple[int, int, str, int]:
        """What there is one timer of."""
        return self.campaign_id, self.contact_id, self.subject_key[:MAX_SUBJECT], self.rung


@dataclass(frozen=True, slots=True)
class Due:
    """A timer whose moment has come; its row and its contact are locked until the transaction ends."""

    timer_id: int
    alarm: Alarm
    one: Running


@dataclass(slots=True)
class Decision:
    """What becomes of due timers: who enters, and which are set again. All others are over."""

    entrants: list[Entrant] = field(default_factory=list)
    again: list[Alarm] = field(default_factory=list)


def arm(alarms: Iterable[Alarm]) -> int:
    """Set timers; one that is there moves on to the later start, and never back. Must run in a transaction.

    Returns:
        How many were set or moved.
    """
    newest: dict[tuple[int, int, str, int], Alarm] = {}
    for alarm in alarms:
        known = newest.get(alarm.key)
        if known is None or alarm.starts_at > known.starts_at:
            newest[alarm.key] = alarm
    if not newest:
        return 0
    rows = [(*key, one.starts_at, one.due_at, one.activity_id) for key, one in newest.items()]
    with connection.cursor() as cursor:
        cursor.execute(_ARM, [list(column) for column in zip(*rows, strict=True)])
        return int(cursor.rowcount)


def claim(campaigns: Mapping[int, Running], *, limit: int) -> list[Due]:
    """Lock the oldest due timers of these campaigns that nobody else is at, the contacts with them."""
    if not campaigns:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [clock.now(), array(campaigns), limit])
        rows = cursor.fetchall()
    return [Due(pk, _alarm(columns), campaigns[columns[0]]) for pk, *columns in rows]


def clear(others: Iterable[int], *, limit: int) -> int:
    """Delete due timers of campaigns that are over, and of these others, which start otherwise; return how many."""
    with connection.cursor() as cursor:
        cursor.execute(_CLEAR, [clock.now(), array(others), limit])
        return int(cursor.rowcount)


def delete(dues: Sequence[Due]) -> None:
    """Take the timers away."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM crm_plugin_timer WHERE id = ANY(%s::bigint[])", [array(d.timer_id for d in dues)])


def in_audience(entrants: Sequence[Entrant], audiences: Mapping[int, dict[str, Any] | None]) -> list[Entrant]:
    """Return those who are in their campaign's audience now; one question for each campaign that has one."""
    members: dict[int, Collection[int]] = {}
    for campaign_id, audience in audiences.items():
        people = {one.contact_id for one in entrants if one.campaign_id == campaign_id}
        if audience is not None and people:
            members[campaign_id] = inside(audience, people)
    return [one for one in entrants if one.contact_id in members.get(one.campaign_id, (one.contact_id,))]


def absorb(merge: Merge) -> None:
    """Give the source contact's timers to the target; of one that both have, the later start counts."""
    with connection.cursor() as cursor:
        for statement in _MERGE:
            cursor.execute(statement, {"source": merge.source_id, "target": merge.target_id})


def forget(contact_ids: Collection[int]) -> None:
    """Take away every timer of people who asked to be forgotten."""
    Timer.objects.filter(contact_id__in=contact_ids).delete()


def _alarm(columns: Sequence[Any]) -> Alarm:
    campaign_id, contact_id, subject_key, rung, starts_at, due_at, activity_id = columns
    return Alarm(
        campaign_id=campaign_id,
        contact_id=contact_id,
        subject_key=subject_key,
        rung=rung,
        starts_at=starts_at,
        due_at=due_at,
        activity_id=activity_id,
    )
