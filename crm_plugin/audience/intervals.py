"""How long somebody usually waits between two orders.

Plain arithmetic and no forecast; why there is none is in ``docs/decisions/no-churn-model.md``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Final

from django.db import connection

#: With fewer orders there is one gap, and nothing usual about it.
MIN_ORDERS: Final = 3

_USUAL = """
SELECT contact_id, percentile_cont(0.5) WITHIN GROUP (ORDER BY gap)
FROM (
    SELECT o.contact_id, o.occurred_at - lag(o.occurred_at) OVER w AS gap FROM crm_plugin_activity o
    WHERE o.contact_id = ANY(%s::bigint[]) AND o.kind = 'ordered' AND NOT EXISTS (
        SELECT 1 FROM crm_plugin_activity x
        WHERE x.kind = 'cancelled' AND x.order_ref <> '' AND x.order_ref = o.order_ref)
    WINDOW w AS (PARTITION BY o.contact_id ORDER BY o.occurred_at)
) g GROUP BY contact_id HAVING count(gap) >= %s - 1
"""


def usual_intervals(contact_ids: Collection[int]) -> Mapping[int, timedelta]:
    """Return the median time between the orders of contacts; who ordered less than three times is left out.

    Cancelled orders do not count.
    """
    with connection.cursor() as cursor:
        cursor.execute(_USUAL, [list(contact_ids), MIN_ORDERS])
        return dict(cursor.fetchall())


def usual_interval(contact_id: int) -> timedelta | None:
    """Return the median time between a contact's orders; None for less than three."""
    return usual_intervals([contact_id]).get(contact_id)
