"""Whom it concerns that something can be bought again.

A restock is a change between two looks of the watch: what could not be bought (hidden, or none left) can be bought.
"""

from __future__ import annotations

from crm_plugin.activity.waves import CAN_BE_TOLD, IS_INTERESTED, InterestRule, Select, interest_params

#: Interest in the product as a whole waits for any variant; interest in one variant waits for that one.
_CONCERNED = f"""
SELECT h.contact_id, jsonb_agg(jsonb_build_object('product_id', h.product_id, 'variant_id', h.variant_id,
    'shop_channel', h.shop_channel)) AS items
FROM (
    SELECT DISTINCT ON (i.contact_id, i.id) i.contact_id, i.product_id, i.variant_id, i.shop_channel
    FROM crm_plugin_restock r
    JOIN crm_plugin_interest i ON i.product_id = r.product_id AND i.shop_channel = r.shop_channel
        AND (i.variant_id = '' OR i.variant_id = r.variant_id)
    WHERE r.wave_id = %(wave)s AND i.contact_id > %(after)s AND {IS_INTERESTED}
        AND (r.available IS NULL OR r.available >= %(min_available)s)
) h
{CAN_BE_TOLD}
GROUP BY h.contact_id ORDER BY h.contact_id LIMIT %(limit)s
"""  # noqa: S608


def waiting_for(rule: InterestRule, *, min_available: int, wave: int, after_contact: int, limit: int) -> Select:
    """Return the question: the next ``limit`` people, by contact id, who wait for the restocks, and the products.

    Args:
        rule: what counts as waiting.
        min_available: fewer units than this are no news; what the shop does not count is always enough.
        wave: of kind ``back_in_stock``.
        after_contact: the last one of the chunk before.
        limit: how many people.
    """
    return Select(
        _CONCERNED,
        {
            **interest_params(rule),
            "min_available": min_available,
            "wave": wave,
            "after": after_contact,
            "limit": limit,
        },
    )
