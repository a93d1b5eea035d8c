"""Carts as abandonment sees them: what is in one, whose it is, and what that person did about it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from django.db import connection

from crm_plugin.shop import Cart

PREFIX = "cart:"

#: By account, else by address, else by browser: as the drain finds the contact of an activity.
_OWNERS = """
SELECT l.cart_ref, l.contact_id FROM (
    SELECT n.cart_ref, COALESCE(
        (SELECT c.id FROM crm_plugin_contact c WHERE n.customer_id <> '' AND c.customer_id = n.customer_id),
        (SELECT c.id FROM crm_plugin_contact c WHERE n.customer_id = '' AND n.email <> '' AND c.email = n.email),
        (SELECT v.contact_id FROM crm_plugin_visitor v
            WHERE n.customer_id = '' AND n.email = '' AND n.visitor_id <> '' AND v.visitor_id = n.visitor_id)
        ) AS contact_id
    FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[]) AS n(cart_ref, customer_id, email, visitor_id)
) l WHERE l.contact_id IS NOT NULL
"""
_CHECKOUTS = """
SELECT contact_id, cart_ref, occurred_at FROM crm_plugin_activity
WHERE id = ANY(%s::bigint[]) AND kind = 'checkout_started' AND cart_ref <> ''
"""
_BEGUN = """
SELECT n.contact_id, n.cart_ref, max(a.occurred_at)
FROM unnest(%s::bigint[], %s::text[]) AS n(contact_id, cart_ref)
JOIN crm_plugin_activity a ON a.contact_id = n.contact_id AND a.kind = 'checkout_started' AND a.cart_ref = n.cart_ref
GROUP BY n.contact_id, n.cart_ref
"""
#: A purchase that was taken back is none.
_ORDERED = """
SELECT n.place FROM unnest(%s::int[], %s::bigint[], %s::timestamptz[]) AS n(place, contact_id, since)
WHERE EXISTS (SELECT 1 FROM crm_plugin_activity a
    WHERE a.contact_id = n.contact_id AND a.kind IN ('ordered', 'bought') AND a.occurred_at > n.since
        AND NOT EXISTS (SELECT 1 FROM crm_plugin_activity x
            WHERE x.order_ref = a.order_ref AND x.order_ref <> '' AND x.kind = 'cancelled'))
"""

#: Somebody and a cart of theirs.
Pair = tuple[int, str]


def subject_of(cart_ref: str) -> str:
    """Return the subject of the runs about a cart."""
    return f"{PREFIX}{cart_ref}"


def ref_of(subject_key: str) -> str:
    """Return the cart that a subject names."""
    return subject_key.removeprefix(PREFIX)


def content_of(cart: Cart) -> int:
    """Return a number of 63 bits that tells one content of a cart from another; its order and its prices are none."""
    lines = sorted((line.product_id, line.variant_id, line.quantity) for line in cart.lines)
    digest = hashlib.blake2b(json.dumps([cart.shop_channel, lines]).encode(), digest_size=8).digest()
    return int.from_bytes(digest) >> 1


def items_of(cart: Cart) -> list[dict[str, str]]:
    """Return what is in the cart in the form of ``Enrollment.items``, each thing once."""
    things = dict.fromkeys((line.product_id, line.variant_id) for line in cart.lines)
    return [
        {"product_id": product_id, "variant_id": variant_id, "shop_channel": cart.shop_channel}
        for product_id, variant_id in things
    ]


def owners_of(carts: Collection[Cart], visitors: Mapping[str, str]) -> dict[str, int]:
    """Return the contacts whose carts they are, by cart; one of nobody that is known is left out."""
    rows = [
        (cart.cart_ref, cart.customer_id, cart.email.strip().lower(), visitors.get(cart.cart_ref) or cart.visitor_id)
        for cart in carts
    ]
    if not rows:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_OWNERS, [list(column) for column in zip(*rows, strict=True)])
        return dict(cursor.fetchall())


def checkouts_in(activity_ids: Sequence[int]) -> dict[Pair, datetime]:
    """Return whose checkouts of which carts these activities began, and when."""
    if not activity_ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_CHECKOUTS, [list(activity_ids)])
        return {(contact_id, cart_ref): at for contact_id, cart_ref, at in sorted(cursor.fetchall())}


def checkouts_of(pairs: Iterable[Pair]) -> dict[Pair, datetime]:
    """Return which of these people ever began to check out which of their carts, and when last."""
    if not (rows := sorted(set(pairs))):
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_BEGUN, [list(column) for column in zip(*rows, strict=True)])
        return {(contact_id, cart_ref): at for contact_id, cart_ref, at in cursor.fetchall()}


def ordered_since(people: Sequence[tuple[int, datetime]]) -> set[int]:
    """Return the places in the list of those who have ordered since that moment; cancelled orders are none."""
    if not people:
        return set()
    rows = [(place, contact_id, since) for place, (contact_id, since) in enumerate(people)]
    with connection.cursor() as cursor:
        cursor.execute(_ORDERED, [list(column) for column in zip(*rows, strict=True)])
        return {place for (place,) in cursor.fetchall()}
