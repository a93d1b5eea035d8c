"""The inbox: claiming a batch of facts, completing it from the shop, and setting broken rows aside."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import connection

from crm_plugin import shop
from crm_plugin.activity.models import Inbox
from crm_plugin.activity.recording import insert_rows, row_of
from crm_plugin.contacts import Handover, Person, normalize_email
from crm_plugin.ids import array
from crm_plugin.shop import Cart, Fact, FactKind, Line, Order


@dataclass(frozen=True, slots=True)
class Batch:
    """Claimed inbox rows, locked until the transaction ends.

    Attributes:
        ids: the claimed rows and the line facts that were made from them, as the text of an array.
        size: how many they are.
        oldest_at: when the oldest of the facts happened.
        refs: for kinds that name something to look up, the distinct identities and refs of each.
        carts: the open carts of the batch's cart facts; None for a cart that is no longer open.
        visitors: the browser of each cart, as far as the shop or a fact names it.
        touched: when the newest of the facts about each cart happened.
    """

    ids: str
    size: int
    oldest_at: datetime
    refs: Mapping[FactKind, frozenset[Ref]]
    carts: Mapping[str, Cart | None]
    visitors: Mapping[str, str]
    touched: Mapping[str, datetime]

    @property
    def changed_customers(self) -> frozenset[str]:
        """Customers whose account data changed."""
        return frozenset(ref.customer_id for ref in self.refs.get(FactKind.CUSTOMER_CHANGED, ()) if ref.customer_id)

    @property
    def deleted_customers(self) -> frozenset[Ref]:
        """Customers whose account was deleted."""
        return self.refs.get(FactKind.CUSTOMER_DELETED, frozenset())

    @property
    def coupons_let_go(self) -> frozenset[tuple[str, str]]:
        """Codes, each with the order that held it, which came to nothing before it counted."""
        held = self.refs.get(FactKind.COUPON_LET_GO, ())
        return frozenset((ref.subject, ref.order_ref) for ref in held if ref.subject)

    @property
    def review_refs(self) -> frozenset[str]:
        """Reviews that the shop keeps itself, which were written or changed."""
        return frozenset(ref.subject for kind in _REVIEW_KINDS for ref in self.refs.get(kind, ()) if ref.subject)


@dataclass(frozen=True, slots=True)
class Ref:
    """What a fact names that the drain looks up."""

    customer_id: str = ""
    email: str = ""
    order_ref: str = ""
    cart_ref: str = ""
    product_id: str = ""
    variant_id: str = ""
    visitor_id: str = ""
    subject: str = ""


_CART_KINDS = (FactKind.CART_CHANGED, FactKind.CHECKOUT_STARTED)
_REVIEW_KINDS = (FactKind.REVIEWED, FactKind.REVIEW_CHANGED)
_LOOKED_UP = (
    FactKind.CUSTOMER_CHANGED,
    FactKind.CUSTOMER_DELETED,
    FactKind.CATALOGUE_CHANGED,
    FactKind.VOUCHER_CREATED,
    FactKind.COUPON_LET_GO,
    FactKind.ORDERED,
    *_REVIEW_KINDS,
    *_CART_KINDS,
)

#: A hook knows little more than the order's id; the rest is the shop's word at the time of the drain.
_FILL_ORDERS = """
UPDATE crm_plugin_inbox f SET
    customer_id = CASE WHEN f.customer_id = '' THEN o.customer_id ELSE f.customer_id END,
    email = CASE WHEN f.email = '' THEN o.email ELSE f.email END,
    shop_channel = o.shop_channel, amount = o.amount, currency = o.currency, cart_ref = o.cart_ref,
    occurred_at = o.placed_at
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::numeric[], %s::text[], %s::text[], %s::timestamptz[])
    AS o(order_ref, customer_id, email, shop_channel, amount, currency, cart_ref, placed_at)
WHERE f.id = ANY(%s::bigint[]) AND f.kind = 'ordered' AND f.order_ref = o.order_ref
"""

#: The contact of an inbox row: by its own id, by customer id, else by e-mail; by its browser when it names nobody.
CONTACT_OF = """
COALESCE(f.contact_id,
    (SELECT c.id FROM crm_plugin_contact c WHERE f.customer_id <> '' AND c.customer_id = f.customer_id),
    (SELECT c.id FROM crm_plugin_contact c WHERE f.email <> '' AND c.email = f.email),
    CASE WHEN f.visitor_id <> '' AND f.customer_id = '' AND f.email = ''
        THEN (SELECT v.contact_id FROM crm_plugin_visitor v WHERE v.visitor_id = f.visitor_id) END)
"""

_HAND_OVER = f"""
WITH shared AS MATERIALIZED (
    SELECT f.id, f.visitor_id, f.occurred_at, f.customer_id = '' AND f.email = '' AS is_nameless, h.owner_id,
        CASE WHEN f.customer_id <> '' OR f.email <> '' THEN {CONTACT_OF} END AS contact_id
    FROM crm_plugin_inbox f
    JOIN unnest(%(visitor_ids)s::text[], %(owner_ids)s::bigint[]) AS h(visitor_id, owner_id) USING (visitor_id)
    WHERE f.id = ANY(%(ids)s::bigint[])
)
UPDATE crm_plugin_inbox i SET contact_id = COALESCE(
    (SELECT n.contact_id FROM shared n WHERE n.visitor_id = s.visitor_id AND NOT n.is_nameless
        AND n.occurred_at <= s.occurred_at ORDER BY n.occurred_at DESC, n.id DESC LIMIT 1),
    s.owner_id,
    (SELECT n.contact_id FROM shared n WHERE n.visitor_id = s.visitor_id AND NOT n.is_nameless
        ORDER BY n.occurred_at, n.id LIMIT 1))
FROM shared s WHERE i.id = s.id AND s.is_nameless AND i.contact_id IS NULL
"""  # noqa: S608 - only constants are put in

_CLAIM_ROWS = """
WITH claimed AS MATERIALIZED (
    SELECT id, occurred_at, kind FROM crm_plugin_inbox WHERE error = '' {which} FOR UPDATE SKIP LOCKED
)
SELECT array_agg(id), min(occurred_at), array_agg(DISTINCT kind) FROM claimed
"""
_CLAIM = _CLAIM_ROWS.format(which="ORDER BY id LIMIT %s")
_CLAIM_ONE = _CLAIM_ROWS.format(which="AND id = %s")

_NAMED = """
SELECT DISTINCT kind, customer_id, email, order_ref, cart_ref, product_id, variant_id, visitor_id, subject
FROM crm_plugin_inbox
WHERE id = ANY(%s::bigint[]) AND kind = ANY(%s)
"""


def claim(limit: int) -> Batch | None:
    """Lock the oldest facts that no other worker has, and add the lines of their orders and carts.

    Must run in a transaction; None when the inbox is empty.
    """
    return _claim(_CLAIM, [limit])


def claim_one(pk: int) -> Batch | None:
    """Lock this one fact as ``claim`` does; None when it is gone or another worker has it."""
    return _claim(_CLAIM_ONE, [pk])


def _claim(statement: str, params: Sequence[int]) -> Batch | None:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        ids, oldest_at, kinds = cursor.fetchone()
    if ids is None:
        return None
    refs = _named(ids, [kind for kind in _LOOKED_UP if kind in kinds])
    order_refs = {ref.order_ref for ref in refs.get(FactKind.ORDERED, ())}
    told = [ref for kind in _CART_KINDS for ref in refs.get(kind, ()) if ref.cart_ref]
    ids = ids + _add_order_lines(order_refs, ids)
    carts = _carts({ref.cart_ref for ref in told})
    visitors = {ref.cart_ref: ref.visitor_id for ref in told if ref.visitor_id}
    found = {cart.cart_ref: cart.visitor_id for cart in carts.values() if cart is not None and cart.visitor_id}
    _fill_visitors(ids, found)
    visitors |= found
    line_ids = _add_cart_lines([cart for cart in carts.values() if cart is not None], visitors)
    touched = _touched(ids) if told else {}
    return Batch(array([*ids, *line_ids]), len(ids) + len(line_ids), oldest_at, refs, carts, visitors, touched)


def _named(ids: Sequence[int], kinds: Sequence[FactKind]) -> Mapping[FactKind, frozenset[Ref]]:
    if not kinds:
        return {}
    refs: defaultdict[FactKind, set[Ref]] = defaultdict(set)
    with connection.cursor() as cursor:
        cursor.execute(_NAMED, [array(ids), [kind.value for kind in kinds]])
        for kind, *named in cursor.fetchall():
            refs[FactKind(kind)].add(Ref(*named))
    return {kind: frozenset(found) for kind, found in refs.items()}


def people_in(batch: Batch) -> list[Person]:
    """Return the distinct people that the batch names in any way, each with the latest and the first time seen."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT customer_id, email, visitor_id, max(occurred_at), min(occurred_at) FROM crm_plugin_inbox
            WHERE id = ANY(%s::bigint[]) AND contact_id IS NULL
                AND (customer_id <> '' OR email <> '' OR visitor_id <> '') AND kind <> %s
            GROUP BY customer_id, email, visitor_id
            """,
            [batch.ids, FactKind.CUSTOMER_DELETED.value],
        )
        return [Person(*row) for row in cursor.fetchall()]


def drop_erased(batch: Batch, erased_at: Mapping[Person, datetime]) -> None:
    """Drop the facts of the batch from before their person was erased."""
    if not erased_at:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            DELETE FROM crm_plugin_inbox f
            USING unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[])
                AS e(customer_id, email, visitor_id, erased_at)
            WHERE f.id = ANY(%s::bigint[]) AND f.customer_id = e.customer_id AND f.email = e.email
                AND f.visitor_id = e.visitor_id AND f.occurred_at <= e.erased_at
            """,
            [
                [person.customer_id for person in erased_at],
                [person.email for person in erased_at],
                [person.visitor_id for person in erased_at],
                list(erased_at.values()),
                batch.ids,
            ],
        )


def hand_over(batch: Batch, handovers: Sequence[Handover]) -> None:
    """Give the nameless facts of browsers that several people used to who used it at that time.

    That is who was seen in it last before the fact; else who had it before the batch; else who was seen in it next.
    """
    if not handovers:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _HAND_OVER,
            {
                "ids": batch.ids,
                "visitor_ids": [one.visitor_id for one in handovers],
                "owner_ids": [one.owner_id for one in handovers],
            },
        )


def set_aside(pk: int, error: str) -> None:
    """Mark a row that breaks the drain by itself, so that the rows behind it go on."""
    Inbox.objects.filter(pk=pk).update(error=error[:2_000])


def broken(limit: int) -> dict[int, str]:
    """Return the oldest rows that were set aside, by id: what they tell, and the first line of what went wrong."""
    rows = Inbox.objects.exclude(error="").order_by("id").values_list("id", "kind", "error")[:limit]
    return {pk: f"{kind}: {error.splitlines()[0]}" for pk, kind, error in rows}


def take_back() -> int:
    """Put the rows that were set aside in line again, once the cause is gone; return how many."""
    return Inbox.objects.exclude(error="").update(error="")


def oldest(*, after: int = 0) -> int | None:
    """Return the id of the fact that is next in line behind ``after``."""
    return Inbox.objects.filter(error="", pk__gt=after).order_by("pk").values_list("pk", flat=True).first()


def _add_order_lines(order_refs: set[str], ids: Sequence[int]) -> list[int]:
    orders = shop.current().orders(order_refs) if order_refs else {}
    facts = [fact for order in orders.values() for fact in _order_facts(order)]
    unknown = order_refs - orders.keys()
    with connection.cursor() as cursor:
        if unknown:  # a draft, or not confirmed yet: the shop tells it again when it counts
            cursor.execute(
                "DELETE FROM crm_plugin_inbox WHERE id = ANY(%s::bigint[]) AND kind = %s AND order_ref = ANY(%s)",
                [array(ids), FactKind.ORDERED.value, list(unknown)],
            )
        if orders:
            cursor.execute(_FILL_ORDERS, [*_order_columns(list(orders.values())), array(ids)])
        return insert_rows(cursor, [row_of(fact) for fact in facts], returning=True)


def _order_columns(orders: Sequence[Order]) -> list[list[object]]:
    return [
        [order.order_ref for order in orders],
        [order.customer_id for order in orders],
        [normalize_email(order.email) for order in orders],
        [order.shop_channel for order in orders],
        [order.total.amount for order in orders],
        [order.total.currency for order in orders],
        [order.cart_ref for order in orders],
        [order.placed_at for order in orders],
    ]


def _order_facts(order: Order) -> Iterator[Fact]:
    for line in order.lines:
        yield _line_fact(FactKind.BOUGHT, f"order:{order.order_ref}:line:{line.line_id}", line, order)
    for code in order.coupon_codes:
        yield Fact(
            kind=FactKind.COUPON_USED,
            source_key=f"order:{order.order_ref}:coupon:{code.upper()}",
            occurred_at=order.placed_at,
            customer_id=order.customer_id,
            email=order.email,
            shop_channel=order.shop_channel,
            order_ref=order.order_ref,
            subject=code,
        )


def _carts(cart_refs: set[str]) -> dict[str, Cart | None]:
    open_ones = shop.current().carts(cart_refs) if cart_refs else {}
    return {ref: open_ones.get(ref) for ref in cart_refs}


def _touched(ids: Sequence[int]) -> dict[str, datetime]:
    """Return when the newest of the facts about each cart happened; a line that was taken out leaves no other trace."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT cart_ref, max(occurred_at) FROM crm_plugin_inbox
            WHERE id = ANY(%s::bigint[]) AND kind = ANY(%s) AND cart_ref <> '' GROUP BY cart_ref
            """,
            [array(ids), [kind.value for kind in _CART_KINDS]],
        )
        return dict(cursor.fetchall())


def _fill_visitors(ids: Sequence[int], visitors: Mapping[str, str]) -> None:
    """Write the browser of a cart, as the shop has it, into the facts about the cart that name none."""
    if not visitors:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE crm_plugin_inbox f SET visitor_id = c.visitor_id
            FROM unnest(%s::text[], %s::text[]) AS c(cart_ref, visitor_id)
            WHERE f.id = ANY(%s::bigint[]) AND f.kind = ANY(%s) AND f.cart_ref = c.cart_ref AND f.visitor_id = ''
            """,
            [list(visitors), list(visitors.values()), array(ids), [kind.value for kind in _CART_KINDS]],
        )


def _add_cart_lines(carts: Sequence[Cart], visitors: Mapping[str, str]) -> list[int]:
    facts = [
        replace(
            _line_fact(
                FactKind.CARTED,
                f"cart:{cart.cart_ref}:{line.variant_id or line.product_id}:{line.quantity}",
                line,
                cart,
            ),
            visitor_id=visitors.get(cart.cart_ref, ""),
        )
        for cart in carts
        for line in cart.lines
    ]
    with connection.cursor() as cursor:
        return insert_rows(cursor, [row_of(fact) for fact in facts], returning=True)


def _line_fact(kind: FactKind, source_key: str, line: Line, owner: Order | Cart) -> Fact:
    return Fact(
        kind=kind,
        source_key=source_key,
        occurred_at=owner.placed_at if isinstance(owner, Order) else owner.changed_at,
        customer_id=owner.customer_id,
        email=owner.email,
        product_id=line.product_id,
        variant_id=line.variant_id,
        shop_channel=owner.shop_channel,
        order_ref=owner.order_ref if isinstance(owner, Order) else "",
        cart_ref=owner.cart_ref,
        quantity=line.quantity,
        amount=line.unit_price,
    )
