"""RFM in fifths and the stage of a life with the shop, for everybody at once.

Recency is the last order, frequency the number of orders that were not cancelled, monetary what was spent in the one
currency in which the contact stands highest among its spenders: amounts of different currencies are never added or
compared, only places are. Each score from 1 to 5, 5 the best, holds a fifth of the buyers; equals are never parted, so
a fifth is larger or smaller by those who tie at its edge. Ties take the lower score in frequency and spend (whoever
ordered once, as most do, is not better for having company) and the higher one in recency.

Stages go by days since the last order and do not depend on others. Only known contacts have a row: a visitor's stage is
to have none. A contact that is new is scored by the next run, at most ``score_seconds`` later.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from crm_plugin import clock, contacts
from crm_plugin.audience.labels import LABELS
from crm_plugin.audience.locks import Lock, try_take
from crm_plugin.conf import settings

#: The stage is ``new`` up to this long after a first and only order,
NEW_FOR = timedelta(days=30)
#: ``active`` up to this long after the last order,
ACTIVE_FOR = timedelta(days=90)
#: ``at_risk`` up to this long, ``lapsed`` after it. ``lead`` is who never ordered.
AT_RISK_FOR = timedelta(days=180)

#: The lowest contact's row says when the scores were last computed: a run that changes nothing would leave no trace.
_LAST_RUN = "SELECT computed_at FROM crm_plugin_score ORDER BY contact_id LIMIT 1"
_MARK_RUN = """
UPDATE crm_plugin_score SET computed_at = %s WHERE contact_id = (SELECT min(contact_id) FROM crm_plugin_score)
"""

#: Everybody is sorted and joined, once in an hour: never row by row, whatever PostgreSQL believes of tables that were
#: just filled.
_PLANNING = "SET LOCAL work_mem = '64MB'; SET LOCAL jit = off; SET LOCAL enable_nestloop = off"

#: ``place`` is where a contact stands among the spenders of a currency, 0 to 1, the middle of its equals. ``known`` is
#: read anew wherever it stands: PostgreSQL knows nothing of what a materialized one holds. Contacts are locked against
#: a merge that would delete one before its score is there.
_RESCORE = """
WITH known AS NOT MATERIALIZED (
    SELECT id, orders_count, last_order_at, orders_count > 0 AND last_order_at IS NOT NULL AS is_buyer
    FROM crm_plugin_contact
    WHERE erased_at IS NULL AND (customer_id IS NOT NULL OR email IS NOT NULL)
), places AS (
    SELECT s.contact_id, (rank() OVER up - 1 + count(*) OVER up)::float8
        / (2 * count(*) OVER (PARTITION BY s.currency)) AS place
    FROM crm_plugin_contactspend s JOIN known ON known.id = s.contact_id
    WHERE s.orders_count > 0 AND known.is_buyer
    WINDOW up AS (PARTITION BY s.currency ORDER BY s.amount)
), best AS (
    SELECT contact_id, max(place) AS place FROM places GROUP BY contact_id
), buyers AS (
    SELECT known.id, known.orders_count, known.last_order_at, COALESCE(best.place, 0) AS place
    FROM known LEFT JOIN best ON best.contact_id = known.id WHERE known.is_buyer
), fifths AS (
    SELECT id, ((5 * count(*) OVER (ORDER BY last_order_at) - 1) / count(*) OVER () + 1)::smallint AS recency,
        (5 * (rank() OVER (ORDER BY orders_count) - 1) / count(*) OVER () + 1)::smallint AS frequency,
        (5 * (rank() OVER (ORDER BY place) - 1) / count(*) OVER () + 1)::smallint AS monetary
    FROM buyers
), scores AS (
    SELECT known.id, f.recency, f.frequency, f.monetary, COALESCE(l.label, '') AS label, CASE
        WHEN NOT known.is_buyer THEN 'lead'
        WHEN known.orders_count = 1 AND known.last_order_at >= %(new_since)s THEN 'new'
        WHEN known.last_order_at >= %(active_since)s THEN 'active'
        WHEN known.last_order_at >= %(at_risk_since)s THEN 'at_risk'
        ELSE 'lapsed' END AS stage
    FROM known LEFT JOIN fifths f USING (id)
    LEFT JOIN unnest(%(recencies)s::int[], %(frequencies)s::int[], %(labels)s::text[]) AS l(recency, frequency, label)
        USING (recency, frequency)
)
INSERT INTO crm_plugin_score (contact_id, recency, frequency, monetary, label, stage, computed_at)
SELECT n.id, n.recency, n.frequency, n.monetary, n.label, n.stage, %(now)s
FROM scores n JOIN crm_plugin_contact c ON c.id = n.id LEFT JOIN crm_plugin_score o ON o.contact_id = n.id
WHERE (o.recency, o.frequency, o.monetary, o.label, o.stage)
    IS DISTINCT FROM (n.recency, n.frequency, n.monetary, n.label, n.stage)
ORDER BY n.id FOR KEY SHARE OF c
ON CONFLICT (contact_id) DO UPDATE SET recency = excluded.recency, frequency = excluded.frequency,
    monetary = excluded.monetary, label = excluded.label, stage = excluded.stage, computed_at = excluded.computed_at
RETURNING contact_id
"""


def rescore() -> int:
    """Compute every score anew when the last time is ``score_seconds`` ago; return how many contacts changed.

    One statement that writes only what changed; those contacts are touched, so that segments follow. Of two workers one
    computes; the other does nothing.
    """
    now = clock.now()
    with transaction.atomic(), connection.cursor() as cursor:
        if not _is_due(cursor, now):
            return 0
        cursor.execute(_PLANNING)
        cursor.execute(_RESCORE, _values(now))
        changed = [pk for (pk,) in cursor.fetchall()]
        cursor.execute(_MARK_RUN, [now])
        contacts.touch(changed)
    return len(changed)


def _is_due(cursor: CursorWrapper, now: datetime) -> bool:
    if not try_take(Lock.SCORING):
        return False
    cursor.execute(_LAST_RUN)  # only now: the one who had the lock before has committed
    last = cursor.fetchone()
    return last is None or last[0] <= now - timedelta(seconds=settings().score_seconds)


def _values(now: datetime) -> dict[str, Any]:
    return {
        "now": now,
        "new_since": now - NEW_FOR,
        "active_since": now - ACTIVE_FOR,
        "at_risk_since": now - AT_RISK_FOR,
        "recencies": [recency for recency, _frequency in LABELS],
        "frequencies": [frequency for _recency, frequency in LABELS],
        "labels": [label.value for label in LABELS.values()],
    }
