"""Which categories and collections the products are in that people do something with: a copy of the shop's word.

An audience asks "viewed something of this category" in one statement, and no statement can ask the shop. A product is
read when an activity names it first, at once when the shop says that it changed, and every hour besides.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta

from django.db import connection

from crm_plugin import clock, shop
from crm_plugin.activity.models import GroupedProduct
from crm_plugin.conf import settings
from crm_plugin.ids import array
from crm_plugin.shop import FactKind

_UNREAD = """
SELECT DISTINCT a.product_id FROM crm_plugin_activity a
WHERE a.id = ANY(%s::bigint[]) AND a.product_id <> ''
    AND NOT EXISTS (SELECT FROM crm_plugin_groupedproduct g WHERE g.product_id = a.product_id)
"""

#: What the shop says is the truth: what it does not say goes. Returns the products that are in other groups now.
_REPLACE = """
WITH told AS (
    SELECT * FROM unnest(%(told_products)s::text[], %(told_keys)s::text[]) AS t(product_id, group_key)
), marked AS (
    INSERT INTO crm_plugin_groupedproduct (product_id, read_at)
    SELECT product_id, %(now)s FROM unnest(%(products)s::text[]) AS product_id ORDER BY product_id
    ON CONFLICT (product_id) DO UPDATE SET read_at = excluded.read_at
), gone AS (
    DELETE FROM crm_plugin_productgroup g WHERE g.product_id = ANY(%(products)s::text[])
        AND NOT EXISTS (SELECT FROM told WHERE told.product_id = g.product_id AND told.group_key = g.group_key)
    RETURNING g.product_id
), added AS (
    INSERT INTO crm_plugin_productgroup (product_id, group_key)
    SELECT product_id, group_key FROM told ORDER BY product_id, group_key
    ON CONFLICT DO NOTHING RETURNING product_id
)
SELECT product_id FROM gone UNION SELECT product_id FROM added
"""

_TOUCH = """
INSERT INTO crm_plugin_touched (contact_id)
SELECT DISTINCT a.contact_id FROM crm_plugin_activity a
JOIN crm_plugin_contact c ON c.id = a.contact_id AND (c.customer_id IS NOT NULL OR c.email IS NOT NULL)
WHERE a.product_id = ANY(%s::text[])
"""


def ensure(added: Mapping[FactKind, Sequence[int]]) -> None:
    """Read the groups of the products that new activities (ids by kind) name and that were never read."""
    if not added:
        return
    with connection.cursor() as cursor:
        cursor.execute(_UNREAD, [array(pk for ids in added.values() for pk in ids)])
        products = [product_id for (product_id,) in cursor.fetchall()]
    _read(products)


def read_again(product_ids: Collection[str]) -> None:
    """Read the groups of these products now, as far as an activity has named them before."""
    if product_ids:
        known = GroupedProduct.objects.filter(product_id__in=product_ids).order_by("product_id").select_for_update()
        _touch(_read(list(known.values_list("product_id", flat=True))))


def refresh_groups(limit: int) -> int:
    """Read the groups of the products again that were not for longest, if that is long ago; return how many.

    Must run in a transaction. Products that another worker is reading are left to it.
    """
    stale = clock.now() - timedelta(seconds=settings().group_refresh_seconds)
    rows = GroupedProduct.objects.filter(read_at__lte=stale).order_by("read_at", "product_id")
    products = list(rows.select_for_update(skip_locked=True).values_list("product_id", flat=True)[:limit])
    _touch(_read(products))
    return len(products)


def _read(product_ids: Sequence[str]) -> list[str]:
    """Ask the shop and write its word; return the products that are in other groups now."""
    if not product_ids:
        return []
    found = shop.current().product_groups(product_ids)
    pairs = [(product_id, key) for product_id in product_ids for key in found.get(product_id, ())]
    with connection.cursor() as cursor:
        cursor.execute(
            _REPLACE,
            {
                "products": list(product_ids),
                "told_products": [product_id for product_id, _key in pairs],
                "told_keys": [key for _product_id, key in pairs],
                "now": clock.now(),
            },
        )
        return [product_id for (product_id,) in cursor.fetchall()]


def _touch(product_ids: Sequence[str]) -> None:
    """Have the segments of everybody looked at who did something with products that are in other groups now."""
    if product_ids:
        with connection.cursor() as cursor:
            cursor.execute(_TOUCH, [list(product_ids)])
