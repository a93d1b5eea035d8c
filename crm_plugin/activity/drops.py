"""Who a price drop concerns: the rule of one person and one product, as one SQL question.

The rule (features part 2b, "Proposed rule"): the baseline is the lowest effective price the person saw at their last
interest; the drop is at least max(10 %, an amount); interest is a like, a cart, a checkout, or two views in 60 days,
and no purchase since; 14 days of cool-down for a person and product unless the price is a new all-time low.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db import connection

from crm_plugin import clock
from crm_plugin.activity.waiting import still_told
from crm_plugin.activity.waves import CAN_BE_TOLD, IS_INTERESTED, InterestRule, Select, Source, interest_params
from crm_plugin.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class DropRule(InterestRule):
    """When a drop is worth a person's attention.

    Attributes:
        min_percent: of the baseline; a drop of exactly this much counts.
        min_amount: by currency, in its major unit; the larger of both must be reached.
    """

    min_percent: Decimal = Decimal(10)
    min_amount: Mapping[str, Decimal] = field(default_factory=dict)
    cooldown_days: int = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """What a variant would cost after a drop; ``is_new_low``: less than every price that the watch ever read."""

    product_id: str
    variant_id: str
    shop_channel: str
    new_price: Money
    is_new_low: bool


#: What the product of an interest costs now, as far as the watch knows.
_PRESENT_PRICE = """COALESCE((SELECT min(w.price) FROM crm_plugin_pricewatch w WHERE w.product_id = i.product_id
    AND w.shop_channel = i.shop_channel AND (i.variant_id = '' OR w.variant_id = i.variant_id)), i.baseline_price)"""

#: The interests of a pass, each by its key: with a join, a planner whose statistics know of no alerts yet reads all of
#: the table for a few.
_THESE = """unnest(%(contacts)s::bigint[], %(products)s::text[], %(channels)s::text[])
    AS t(contact_id, product_id, shop_channel)
CROSS JOIN LATERAL (SELECT * FROM crm_plugin_interest one WHERE one.contact_id = t.contact_id
    AND one.product_id = t.product_id AND one.shop_channel = t.shop_channel LIMIT 1) i"""

#: What became cheaper: in a wave, or what somebody thinks of making cheaper.
_OF_WAVE = "(SELECT * FROM crm_plugin_pricedrop WHERE wave_id = %(wave)s)"
_SUPPOSED = """(SELECT * FROM unnest(%(d_products)s::text[], %(d_variants)s::text[], %(d_channels)s::text[],
    %(d_currencies)s::text[], %(d_prices)s::numeric[], %(d_lows)s::boolean[])
    AS s(product_id, variant_id, shop_channel, currency, new_price, is_new_low))"""

_CONCERNED = f"""
SELECT h.contact_id, jsonb_agg(jsonb_build_object('product_id', h.product_id, 'variant_id', h.variant_id,
    'shop_channel', h.shop_channel, 'currency', h.currency, 'baseline', h.baseline_price::text,
    'limit', h.price_limit::text)) AS items
FROM (
    SELECT DISTINCT ON (i.contact_id, i.id) i.contact_id, i.product_id, i.variant_id, i.shop_channel, i.currency,
        i.baseline_price, l.price_limit
    FROM {{drops}} d
    JOIN crm_plugin_interest i ON i.product_id = d.product_id AND i.shop_channel = d.shop_channel
        AND i.currency = d.currency AND (i.variant_id = '' OR i.variant_id = d.variant_id)
    CROSS JOIN LATERAL (SELECT round(i.baseline_price - GREATEST(i.baseline_price * %(percent)s / 100,
        COALESCE((%(amounts)s::jsonb ->> i.currency)::numeric, 0)), 4) AS price_limit) l
    WHERE i.contact_id > %(after)s AND d.new_price <= l.price_limit AND {IS_INTERESTED}
        AND (i.alerted_at IS NULL OR i.alerted_at < %(cooled)s OR (d.is_new_low AND d.new_price < i.alerted_price))
) h
{CAN_BE_TOLD}
GROUP BY h.contact_id ORDER BY h.contact_id LIMIT %(limit)s
"""  # noqa: S608


def concerned_by(rule: DropRule, *, wave: int, after_contact: int, limit: int) -> Select:
    """Return the question: the next ``limit`` people, by contact id, whom the wave's drops concern, and the products.

    Each item has the form of ``messaging.Item``; its ``limit`` is the highest price at which the drop holds for them.
    Visitors who never said who they are cannot be told, and are left out.
    """
    params = _params(rule, after_contact=after_contact, limit=limit)
    return Select(_CONCERNED.format(drops=_OF_WAVE), {**params, "wave": wave})


def concerned_if(rule: DropRule, drops: Sequence[Drop], *, after_contact: int, limit: int | None) -> Select:
    """Return the question of ``concerned_by`` for drops that nobody has made yet; ``limit`` None: all people."""
    supposed = {
        "d_products": [drop.product_id for drop in drops],
        "d_variants": [drop.variant_id for drop in drops],
        "d_channels": [drop.shop_channel for drop in drops],
        "d_currencies": [drop.new_price.currency for drop in drops],
        "d_prices": [drop.new_price.amount for drop in drops],
        "d_lows": [drop.is_new_low for drop in drops],
    }
    params = _params(rule, after_contact=after_contact, limit=limit)
    return Select(_CONCERNED.format(drops=_SUPPOSED), {**params, **supposed})


def _params(rule: DropRule, *, after_contact: int, limit: int | None) -> dict[str, Any]:
    return {
        **interest_params(rule),
        "after": after_contact,
        "limit": limit,
        "percent": rule.min_percent,
        "amounts": json.dumps({currency: str(amount) for currency, amount in rule.min_amount.items()}),
        "cooled": clock.now() - timedelta(days=rule.cooldown_days),
    }


def still_interested(pairs: Sequence[tuple[int, str, str]], *, rule: InterestRule) -> set[tuple[int, str, str]]:
    """Return those of the (contact id, product id, shop channel) whose interest still stands, or who wait for it."""
    if not pairs:
        return set()
    waiting = still_told(pairs) if Source.WAITING in rule.sources else set()
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT i.contact_id, i.product_id, i.shop_channel FROM {_THESE}
            WHERE {IS_INTERESTED}
            """,  # noqa: S608
            {**interest_params(rule), **_columns(pairs)},
        )
        return waiting | set(cursor.fetchall())


def cooling_down(pairs: Sequence[tuple[int, str, str]], *, rule: DropRule) -> set[tuple[int, str, str]]:
    """Return those of the (contact id, product id, shop channel) that had an alert lately, at a price as low as now."""
    if not pairs:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT i.contact_id, i.product_id, i.shop_channel FROM {_THESE}
            WHERE i.alerted_at >= %(cooled)s AND i.alerted_price <= {_PRESENT_PRICE}
            """,  # noqa: S608
            {"cooled": clock.now() - timedelta(days=rule.cooldown_days), **_columns(pairs)},
        )
        return set(cursor.fetchall())


def mark_alerted(alerts: Sequence[tuple[int, str, str, Decimal | None]]) -> None:
    """Start the cool-down of these (contact id, product id, shop channel, price that the person was told).

    A price that nobody knows any more (None) is that of this moment. Rows are locked in the order in which the drain
    takes them.
    """
    if not alerts:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH alerted AS (
                SELECT id, told_price FROM crm_plugin_interest
                JOIN unnest(%(contacts)s::bigint[], %(products)s::text[], %(channels)s::text[], %(prices)s::numeric[])
                    AS t(contact_id, product_id, shop_channel, told_price) USING (contact_id, product_id, shop_channel)
                ORDER BY contact_id, product_id, shop_channel FOR NO KEY UPDATE OF crm_plugin_interest
            )
            UPDATE crm_plugin_interest i
            SET alerted_at = %(now)s, alerted_price = COALESCE(told_price, {_PRESENT_PRICE})
            FROM alerted WHERE i.id = alerted.id
            """,  # noqa: S608
            {
                "now": clock.now(),
                **_columns([alert[:3] for alert in alerts]),
                "prices": [price for *_, price in alerts],
            },
        )


def _columns(pairs: Sequence[tuple[int, str, str]]) -> dict[str, list[Any]]:
    return {
        "contacts": [contact_id for contact_id, _product, _channel in pairs],
        "products": [product_id for _contact, product_id, _channel in pairs],
        "channels": [shop_channel for _contact, _product, shop_channel in pairs],
    }
