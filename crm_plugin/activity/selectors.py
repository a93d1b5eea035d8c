"""Questions about the stream that other rooms may ask."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db import connection
from django.db.models import Min

from crm_plugin import clock
from crm_plugin.activity.models import Inbox, Inflow, PriceWatch
from crm_plugin.shop import FactKind

_TOUCH_PEOPLE = """
INSERT INTO crm_plugin_touched (contact_id)
SELECT DISTINCT a.contact_id FROM crm_plugin_activity a
JOIN crm_plugin_contact c ON c.id = a.contact_id AND (c.customer_id IS NOT NULL OR c.email IS NOT NULL)
WHERE a.id = ANY(%s::bigint[])
"""


def last_times(since: Mapping[int, datetime], *, kind: FactKind) -> dict[int, dict[str, datetime]]:
    """Return when each contact last did ``kind`` with which product, after the contact's time, in one query.

    The product id is empty for kinds that have none, such as ``ordered``.
    """
    found: dict[int, dict[str, datetime]] = {contact_id: {} for contact_id in since}
    if not since:
        return found
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT a.contact_id, a.product_id, max(a.occurred_at) FROM crm_plugin_activity a
            JOIN unnest(%s::bigint[], %s::timestamptz[]) AS t(contact_id, since)
                ON a.contact_id = t.contact_id AND a.occurred_at > t.since
            WHERE a.kind = %s GROUP BY a.contact_id, a.product_id
            """,
            [list(since), list(since.values()), kind.value],
        )
        for contact_id, product_id, at in cursor.fetchall():
            found[contact_id][product_id] = at
    return found


def tracked(ids: Sequence[int]) -> list[tuple[UUID, FactKind, datetime]]:
    """Return (message public id, kind, time) of message activities."""
    if not ids:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT data ->> 'message', kind, occurred_at FROM crm_plugin_activity WHERE id = ANY(%s)", [list(ids)]
        )
        return [(UUID(message), FactKind(kind), occurred_at) for message, kind, occurred_at in cursor.fetchall()]


def latest_of(ids: Sequence[int]) -> dict[int, datetime]:
    """Return when each contact did the last of these activities."""
    if not ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT contact_id, max(occurred_at) FROM crm_plugin_activity WHERE id = ANY(%s) GROUP BY contact_id",
            [list(ids)],
        )
        return dict(cursor.fetchall())


def touch_people(added: Mapping[FactKind, Sequence[int]], kinds: Collection[FactKind]) -> None:
    """Have the segments of the people looked at again who did one of ``kinds``, in one statement.

    Visitors whom nobody knows are left out: an audience is made of known people, and who becomes one is touched then.

    Args:
        added: the ids of new activities by kind, as ``project`` returns them.
        kinds: what the segments ask for.
    """
    ids = [pk for kind in kinds for pk in added.get(kind, ())]
    if ids:
        with connection.cursor() as cursor:
            cursor.execute(_TOUCH_PEOPLE, [ids])


def inflows(contact_ids: Collection[int]) -> Mapping[int, Inflow]:
    """Return where contacts came from; of whom no visit was told is left out."""
    return Inflow.objects.in_bulk(list(contact_ids))


def lag() -> dict[str, float]:
    """Return how far behind the room is: open and broken inbox rows, and the ages in seconds of the oldest work."""
    now = clock.now()
    waiting = Inbox.objects.filter(error="")
    oldest = waiting.aggregate(at=Min("recorded_at"))["at"]
    overdue = PriceWatch.objects.filter(due_at__lt=now).aggregate(at=Min("due_at"))["at"]
    return {
        "inbox_rows": waiting.count(),
        "inbox_broken_rows": Inbox.objects.exclude(error="").count(),
        "inbox_oldest_seconds": (now - oldest).total_seconds() if oldest else 0.0,
        "watch_overdue_seconds": (now - overdue).total_seconds() if overdue else 0.0,
    }
