"""Who bought what, as far as it stands; and whose a fact was."""

from __future__ import annotations

from collections.abc import Collection

from django.db import connection

from crm_plugin.activity.models import Activity

_BOUGHT = """
SELECT t.contact_id, t.product_id FROM unnest(%s::bigint[], %s::text[]) AS t(contact_id, product_id)
WHERE EXISTS (
    SELECT FROM crm_plugin_activity a
    WHERE a.contact_id = t.contact_id AND a.kind = 'bought' AND a.product_id = t.product_id
        AND NOT EXISTS (SELECT FROM crm_plugin_activity x
            WHERE x.order_ref = a.order_ref AND x.order_ref <> '' AND x.kind = 'cancelled')
)
"""


def bought_among(pairs: Collection[tuple[int, str]]) -> set[tuple[int, str]]:
    """Return those of the pairs of a contact and a product that were bought in an order that stands, in one query."""
    if not pairs:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(_BOUGHT, [[contact_id for contact_id, _ in pairs], [product_id for _, product_id in pairs]])
        return set(cursor.fetchall())


def doers_of(source_keys: Collection[str]) -> dict[str, int]:
    """Return whose the activities are that were told under these keys; those that were not told are left out."""
    rows = Activity.objects.filter(source_key__in=list(source_keys))
    return dict(rows.values_list("source_key", "contact_id"))
