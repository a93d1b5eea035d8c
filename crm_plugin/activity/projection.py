"""Project a claimed batch: inbox rows become activities, interests and counters, set-wise.

Every statement is one pass over the batch, whatever its size. Locks are taken in the order of ids, and every
projection gives the same result in whatever order two workers commit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from django.db import connection

from crm_plugin import shop
from crm_plugin.activity import groups, inflow, waiting, watch
from crm_plugin.activity.inbox import CONTACT_OF, Batch
from crm_plugin.contacts import Person
from crm_plugin.ids import array
from crm_plugin.shop import FactKind

INTEREST_KINDS = (FactKind.LIKED, FactKind.VIEWED, FactKind.CARTED, FactKind.CHECKOUT_STARTED)
_PRODUCT_KINDS = (*INTEREST_KINDS, FactKind.UNLIKED, FactKind.BOUGHT)
_ORDER_KINDS = (FactKind.ORDERED, FactKind.CANCELLED, FactKind.REFUNDED)
#: What the shop or the CRM did, not the person: no sign of life.
_NOT_SEEN_KINDS = (
    FactKind.ACCOUNT_CONFIRMED,
    FactKind.FULFILLED,
    FactKind.DELIVERED,
    FactKind.CANCELLED,
    FactKind.REFUNDED,
    FactKind.PAID,
    FactKind.REVIEW_PUBLISHED,
    FactKind.COUPON_ISSUED,
    FactKind.BALANCE_CHANGED,
    FactKind.SEGMENT_JOINED,
    FactKind.SEGMENT_LEFT,
    FactKind.MESSAGE_OPENED,
)
#: Told only to make the drain act; they are not part of anybody's history.
INTERNAL_KINDS = (
    FactKind.CUSTOMER_CHANGED,
    FactKind.CUSTOMER_DELETED,
    FactKind.CATALOGUE_CHANGED,
    FactKind.VOUCHER_CREATED,
    FactKind.COUPON_LET_GO,
    FactKind.REVIEW_CHANGED,
    FactKind.CART_CHANGED,
    FactKind.IDENTIFIED,
)

#: By index, one look-up for each identity: with ``= ANY`` and ``OR``, PostgreSQL reads the whole table.
_LOCK_CONTACTS = """
SELECT id FROM crm_plugin_contact WHERE id = ANY(ARRAY(
    SELECT c.id FROM unnest(%s::text[]) AS key
    CROSS JOIN LATERAL (SELECT id FROM crm_plugin_contact WHERE customer_id = key LIMIT 1) AS c
    UNION
    SELECT c.id FROM unnest(%s::text[]) AS key
    CROSS JOIN LATERAL (SELECT id FROM crm_plugin_contact WHERE email = key LIMIT 1) AS c
    UNION
    SELECT v.contact_id FROM unnest(%s::text[]) AS key
    CROSS JOIN LATERAL (SELECT contact_id FROM crm_plugin_visitor WHERE visitor_id = key LIMIT 1) AS v
    UNION
    SELECT contact_id FROM crm_plugin_inbox WHERE id = ANY(%s::bigint[]) AND contact_id IS NOT NULL
)) ORDER BY id FOR NO KEY UPDATE
"""

#: A fact that waited in the inbox gets the price of its time, not of now, as far as the watch remembers it.
_INSERT_ACTIVITIES = f"""
WITH added AS (
    INSERT INTO crm_plugin_activity (contact_id, kind, source_key, occurred_at, product_id, variant_id, shop_channel,
        order_ref, cart_ref, quantity, amount, currency, subject, data)
    SELECT k.contact_id, f.kind, f.source_key, f.occurred_at, f.product_id, f.variant_id, f.shop_channel, f.order_ref,
        f.cart_ref, f.quantity, COALESCE(f.amount, w.price), COALESCE(NULLIF(f.currency, ''), w.currency, ''),
        f.subject, f.data
    FROM crm_plugin_inbox f
    CROSS JOIN LATERAL (SELECT {CONTACT_OF} AS contact_id) k
    JOIN crm_plugin_contact alive ON alive.id = k.contact_id AND alive.erased_at IS NULL
    LEFT JOIN LATERAL (
        SELECT min(CASE WHEN p.changed_at > f.occurred_at THEN p.previous_price ELSE p.price END) AS price,
            min(p.currency) AS currency
        FROM crm_plugin_pricewatch p
        WHERE p.product_id = f.product_id AND p.shop_channel = f.shop_channel
            AND (f.variant_id = '' OR p.variant_id = f.variant_id)
    ) w ON f.amount IS NULL AND f.kind = ANY(%s)
    WHERE f.id = ANY(%s::bigint[]) AND f.kind <> ALL(%s)
    ORDER BY f.source_key
    ON CONFLICT (source_key) DO NOTHING
    RETURNING id, kind
)
SELECT kind, array_agg(id) FROM added GROUP BY kind
"""  # noqa: S608

_UPSERT_INTERESTS = """
INSERT INTO crm_plugin_interest AS i (contact_id, product_id, shop_channel, variant_id, liked_at, like_changed_at,
    views_count, last_viewed_at, carted_at, cart_ref, checkout_at, bought_at, bought_count, last_interest_at,
    baseline_price, currency)
SELECT a.contact_id, a.product_id, a.shop_channel,
    COALESCE((array_agg(a.variant_id ORDER BY a.occurred_at DESC) FILTER (WHERE a.kind = ANY(%(interest)s)))[1], ''),
    CASE WHEN max(a.occurred_at) FILTER (WHERE a.kind = 'unliked') >= max(a.occurred_at) FILTER (WHERE a.kind = 'liked')
        THEN NULL ELSE max(a.occurred_at) FILTER (WHERE a.kind = 'liked') END,
    max(a.occurred_at) FILTER (WHERE a.kind IN ('liked', 'unliked')),
    count(*) FILTER (WHERE a.kind = 'viewed'),
    max(a.occurred_at) FILTER (WHERE a.kind = 'viewed'),
    max(a.occurred_at) FILTER (WHERE a.kind = 'carted'),
    COALESCE((array_agg(a.cart_ref ORDER BY a.occurred_at DESC) FILTER (WHERE a.kind = 'carted'))[1], ''),
    max(a.occurred_at) FILTER (WHERE a.kind = 'checkout_started'),
    max(a.occurred_at) FILTER (WHERE a.kind = 'bought'),
    COALESCE(sum(a.quantity) FILTER (WHERE a.kind = 'bought'), 0),
    max(a.occurred_at) FILTER (WHERE a.kind = ANY(%(interest)s)),
    (array_agg(a.amount ORDER BY a.occurred_at DESC, a.amount) FILTER (WHERE a.kind = ANY(%(interest)s)))[1],
    COALESCE((array_agg(a.currency ORDER BY a.occurred_at DESC, a.amount)
        FILTER (WHERE a.kind = ANY(%(interest)s)))[1], '')
FROM crm_plugin_activity a
WHERE a.id = ANY(%(ids)s::bigint[]) AND a.product_id <> ''
GROUP BY a.contact_id, a.product_id, a.shop_channel
ORDER BY a.contact_id, a.product_id, a.shop_channel
ON CONFLICT (contact_id, product_id, shop_channel) DO UPDATE SET
    liked_at = CASE WHEN excluded.like_changed_at >= COALESCE(i.like_changed_at, '-infinity')
        THEN excluded.liked_at ELSE i.liked_at END,
    like_changed_at = GREATEST(i.like_changed_at, excluded.like_changed_at),
    views_count = i.views_count + excluded.views_count,
    last_viewed_at = GREATEST(i.last_viewed_at, excluded.last_viewed_at),
    carted_at = GREATEST(i.carted_at, excluded.carted_at),
    cart_ref = COALESCE(NULLIF(excluded.cart_ref, ''), i.cart_ref),
    checkout_at = GREATEST(i.checkout_at, excluded.checkout_at),
    bought_at = GREATEST(i.bought_at, excluded.bought_at),
    bought_count = i.bought_count + excluded.bought_count,
    last_interest_at = GREATEST(i.last_interest_at, excluded.last_interest_at),
    variant_id = CASE WHEN excluded.last_interest_at >= COALESCE(i.last_interest_at, '-infinity')
        THEN excluded.variant_id ELSE i.variant_id END,
    baseline_price = CASE WHEN excluded.last_interest_at >= COALESCE(i.last_interest_at, '-infinity')
        THEN COALESCE(excluded.baseline_price, i.baseline_price) ELSE i.baseline_price END,
    currency = CASE WHEN excluded.last_interest_at >= COALESCE(i.last_interest_at, '-infinity')
        THEN COALESCE(NULLIF(excluded.currency, ''), i.currency) ELSE i.currency END
"""

_UPDATE_SEEN = """
UPDATE crm_plugin_contact c SET last_seen_at = GREATEST(c.last_seen_at, n.seen_at),
    joined_at = LEAST(c.joined_at, n.joined_at)
FROM (
    SELECT contact_id, max(occurred_at) FILTER (WHERE kind <> ALL(%s)) AS seen_at,
        min(occurred_at) FILTER (WHERE kind = 'signed_up') AS joined_at
    FROM crm_plugin_activity WHERE id = ANY(%s::bigint[]) GROUP BY contact_id
) n
WHERE c.id = n.contact_id
"""

#: Counted anew from the stream for the contacts of the batch, so that the numbers can never drift from it.
_ORDERS_OF = """
SELECT o.contact_id, o.currency, count(*) AS orders, sum(o.amount) AS amount, min(o.occurred_at) AS first_at,
    max(o.occurred_at) AS last_at
FROM crm_plugin_activity o
WHERE o.contact_id IN (SELECT contact_id FROM crm_plugin_activity WHERE id = ANY(%(ids)s::bigint[]))
    AND o.kind = 'ordered' AND NOT EXISTS (SELECT 1 FROM crm_plugin_activity x
        WHERE x.order_ref = o.order_ref AND x.order_ref <> '' AND x.kind = 'cancelled')
GROUP BY o.contact_id, o.currency
"""

_UPDATE_ORDERS = f"""
UPDATE crm_plugin_contact c SET orders_count = COALESCE(n.orders, 0), first_order_at = n.first_at,
    last_order_at = n.last_at
FROM (SELECT DISTINCT contact_id FROM crm_plugin_activity WHERE id = ANY(%(ids)s::bigint[])) t
LEFT JOIN (
    SELECT contact_id, sum(orders) AS orders, min(first_at) AS first_at, max(last_at) AS last_at
    FROM ({_ORDERS_OF}) s GROUP BY contact_id
) n USING (contact_id)
WHERE c.id = t.contact_id
"""  # noqa: S608

_UPDATE_SPEND = f"""
WITH n AS ({_ORDERS_OF}), gone AS (
    UPDATE crm_plugin_contactspend s SET amount = 0, orders_count = 0
    WHERE s.contact_id IN (SELECT contact_id FROM crm_plugin_activity WHERE id = ANY(%(ids)s::bigint[]))
        AND NOT EXISTS (SELECT 1 FROM n WHERE n.contact_id = s.contact_id AND n.currency = s.currency)
)
INSERT INTO crm_plugin_contactspend (contact_id, currency, amount, orders_count)
SELECT contact_id, currency, amount, orders FROM n WHERE currency <> '' ORDER BY contact_id, currency
ON CONFLICT (contact_id, currency) DO UPDATE SET amount = excluded.amount, orders_count = excluded.orders_count
"""  # noqa: S608

_UNCART = """
UPDATE crm_plugin_interest i SET carted_at = NULL, cart_ref = ''
WHERE i.cart_ref = ANY(%s) AND NOT EXISTS (
    SELECT 1 FROM unnest(%s::text[], %s::text[]) AS l(cart_ref, product_id)
    WHERE l.cart_ref = i.cart_ref AND l.product_id = i.product_id)
"""

#: Put back after having been taken out: the same line is no new activity, but it is in the cart again.
_RECART = """
UPDATE crm_plugin_interest i SET carted_at = l.changed_at, cart_ref = l.cart_ref
FROM (
    SELECT l.*, COALESCE(
        (SELECT c.id FROM crm_plugin_contact c WHERE l.customer_id <> '' AND c.customer_id = l.customer_id),
        (SELECT c.id FROM crm_plugin_contact c WHERE l.customer_id = '' AND l.email <> '' AND c.email = l.email),
        (SELECT v.contact_id FROM crm_plugin_visitor v
            WHERE l.customer_id = '' AND l.email = '' AND v.visitor_id = l.visitor_id)) AS contact_id
    FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[])
        AS l(cart_ref, product_id, shop_channel, customer_id, email, visitor_id, changed_at)
) l
WHERE i.contact_id = l.contact_id AND i.product_id = l.product_id AND i.shop_channel = l.shop_channel
    AND i.carted_at IS NULL
"""


def project(batch: Batch, people: Collection[Person]) -> Mapping[FactKind, Sequence[int]]:
    """Write the batch's activities and projections and delete its inbox rows.

    Args:
        batch: claimed in this transaction.
        people: whom the batch names (``people_in``); they have been resolved.

    Returns:
        The ids of the new activities by kind; a fact told before is not among them.
    """
    watch.keep()
    looked = batch.refs.get(FactKind.CATALOGUE_CHANGED, ())
    changed = {ref.product_id for ref in looked if ref.product_id}
    promoted = shop.current().promoted(refs) if (refs := {ref.subject for ref in looked if ref.subject}) else ()
    watch.look_now(changed.union(promoted), variant_ids={ref.variant_id for ref in looked if ref.variant_id})
    groups.read_again(changed)
    watch.ensure(batch.ids, kinds=INTEREST_KINDS)
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_CONTACTS, [*_identities(people), batch.ids])
        cursor.execute(_INSERT_ACTIVITIES, [_words(INTEREST_KINDS), batch.ids, _words(INTERNAL_KINDS)])
        added = {FactKind(kind): ids for kind, ids in cursor.fetchall()}
        if products := _ids(added, _PRODUCT_KINDS):
            cursor.execute(_UPSERT_INTERESTS, {"interest": _words(INTEREST_KINDS), "ids": array(products)})
        if everything := _ids(added, FactKind):
            cursor.execute(_UPDATE_SEEN, [_words(_NOT_SEEN_KINDS), array(everything)])
        if visits := _ids(added, (FactKind.VISITED,)):
            inflow.project(visits)
        if orders := _ids(added, _ORDER_KINDS):
            cursor.execute(_UPDATE_ORDERS, {"ids": array(orders)})
            cursor.execute(_UPDATE_SPEND, {"ids": array(orders)})
        cursor.execute("DELETE FROM crm_plugin_inbox WHERE id = ANY(%s::bigint[])", [batch.ids])
    waiting.end_by_purchase(added.get(FactKind.BOUGHT, ()))
    groups.ensure(added)
    _follow_carts(batch)
    return added


def _identities(people: Collection[Person]) -> list[list[str]]:
    """Return customer ids, e-mails and the browsers of those who have neither."""
    return [
        [one.customer_id for one in people],
        [one.email for one in people],
        [one.visitor_id for one in people if not one.is_named],
    ]


def _ids(added: Mapping[FactKind, Sequence[int]], kinds: Iterable[FactKind]) -> list[int]:
    return [pk for kind in kinds for pk in added.get(kind, ())]


def _follow_carts(batch: Batch) -> None:
    if not batch.carts:
        return
    lines = [(cart, line) for cart in batch.carts.values() if cart is not None for line in cart.lines]
    refs, products = [cart.cart_ref for cart, _line in lines], [line.product_id for _cart, line in lines]
    with connection.cursor() as cursor:
        cursor.execute(_UNCART, [list(batch.carts), refs, products])
        if lines:
            cursor.execute(
                _RECART,
                [
                    refs,
                    products,
                    [cart.shop_channel for cart, _line in lines],
                    [cart.customer_id for cart, _line in lines],
                    [cart.email.strip().lower() for cart, _line in lines],
                    [batch.visitors.get(cart.cart_ref, "") for cart, _line in lines],
                    [cart.changed_at for cart, _line in lines],
                ],
            )


def _words(kinds: Sequence[FactKind]) -> list[str]:
    return [kind.value for kind in kinds]
