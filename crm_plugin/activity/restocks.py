"""Whom it concerns that something can be bought again: who is interested in it, and who asked to be told.

A restock is a change between two looks of the watch: what could not be bought (hidden, or none left) can be bought.
Its wave goes to everybody who is interested. Those who asked are told in turns (``epochs``), each turn a wave of its
own; the first wave passes them over where their turn comes, so that nobody hears it twice.
"""

from __future__ import annotations

from typing import Final

from crm_plugin.activity.waves import (
    CAN_BE_TOLD,
    INTERESTS,
    IS_INTERESTED,
    InterestRule,
    Select,
    Source,
    interest_params,
)

#: Interest in the product as a whole waits for any variant; interest in one variant waits for that one.
_INTERESTED: Final = f"""
SELECT DISTINCT ON (i.contact_id, i.id) i.contact_id, i.product_id, i.variant_id, i.shop_channel,
    NULL::bigint AS request
FROM crm_plugin_restock r
JOIN crm_plugin_interest i ON i.product_id = r.product_id AND i.shop_channel = r.shop_channel
    AND (i.variant_id = '' OR i.variant_id = r.variant_id)
WHERE r.wave_id = %(wave)s AND i.contact_id > %(after)s AND {IS_INTERESTED}
    AND (r.available IS NULL OR r.available >= %(min_available)s)
"""  # noqa: S608
_NOT_IN_LINE: Final = """
    AND NOT EXISTS (SELECT 1 FROM crm_plugin_stockrequest q
        JOIN crm_plugin_restock b ON b.wave_id = %(wave)s AND b.variant_id = q.variant_id
            AND b.shop_channel = q.shop_channel
        WHERE q.contact_id = i.contact_id AND q.product_id = i.product_id AND (q.state = 'waiting' OR (q.state = 'told'
            AND q.told_at >= (SELECT occurred_at FROM crm_plugin_wave WHERE id = %(wave)s))))
"""
_ASKED: Final = """
SELECT q.contact_id, q.product_id, q.variant_id, q.shop_channel, q.id AS request
FROM crm_plugin_stockrequest q
WHERE q.wave_id = %(wave)s AND q.contact_id > %(after)s AND q.state = 'told'
"""
_CONCERNED: Final = """
SELECT h.contact_id, jsonb_agg(jsonb_strip_nulls(jsonb_build_object('product_id', h.product_id,
    'variant_id', h.variant_id, 'shop_channel', h.shop_channel, 'request', h.request))) AS items
FROM ({people}) h
{can_be_told}
GROUP BY h.contact_id ORDER BY h.contact_id LIMIT %(limit)s
"""


def waiting_for(
    rule: InterestRule, *, min_available: int, wave: int, after_contact: int, limit: int, is_line_told: bool = False
) -> Select:
    """Return the question: the next ``limit`` people, by contact id, who wait for the restocks, and the products.

    The items of people who asked name their ``request``.

    Args:
        rule: what counts as waiting.
        min_available: fewer units than this are no news to who is interested; what the shop does not count is always
            enough.
        wave: of kind ``back_in_stock``.
        after_contact: the last one of the chunk before.
        limit: how many people.
        is_line_told: whether those who asked are told in their turn, by whichever campaign.
    """
    people = []
    if rule.sources & frozenset(INTERESTS):
        people.append(_INTERESTED + (_NOT_IN_LINE if is_line_told else ""))
    if Source.WAITING in rule.sources:
        people.append(_ASKED)
    parts = " UNION ALL ".join(f"({part})" for part in people)
    return Select(
        _CONCERNED.format(people=parts, can_be_told=CAN_BE_TOLD),
        {
            **interest_params(rule),
            "min_available": min_available,
            "wave": wave,
            "after": after_contact,
            "limit": limit,
        },
    )
