"""Redeeming: what orders do to coupons. The state of a coupon follows from the facts, whatever their order.

Not from the newest fact alone: every use of a code is read again, once its coupon is locked. So two workers, an order
that is told as cancelled before it is told as placed, and a fact told twice all end in the same state.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from django.db import connection
from django.db.models.functions import Upper

from crm_plugin import activity, clock, shop
from crm_plugin.activity import CouponUse
from crm_plugin.coupons.models import Coupon, CouponSource, CouponState
from crm_plugin.shop import FactKind

_UPDATE: Final = """
UPDATE crm_plugin_coupon c SET state = n.state, order_ref = n.order_ref, used_at = n.used_at, used_by_id = n.used_by,
    issued_at = COALESCE(c.issued_at, n.used_at)
FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::timestamptz[], %s::bigint[])
    AS n(id, state, order_ref, used_at, used_by)
WHERE c.id = n.id
"""


class _Use(NamedTuple):
    """What a coupon says about its use."""

    state: str
    order_ref: str = ""
    used_at: datetime | None = None
    used_by: int | None = None


def hear(added: Mapping[FactKind, Sequence[int]], *, let_go: Collection[tuple[str, str]] = ()) -> int:
    """Follow the new activities: a code that an order used is used, one whose order was cancelled is so no longer.

    A refund changes nothing. A code that somebody else used is used too, and says by whom. Must run in the transaction
    that projected the activities.

    Args:
        added: the ids of new activities by kind, as ``activity.project`` returns them.
        let_go: codes, each with the order that held it and never counted: nothing changes but that the shop takes them
            again.

    Returns:
        How many coupons changed.
    """
    used, cancelled = added.get(FactKind.COUPON_USED, ()), added.get(FactKind.CANCELLED, ())
    told = activity.coupons_told_of(used, cancelled) if used or cancelled else frozenset()
    told = told.union(let_go)
    if not told:
        return 0
    rows: list[Coupon] = list(
        Coupon.objects.alias(key=Upper("code"))
        .filter(key__in={code.upper() for code, _order in told})
        .select_related("template")
        .order_by("pk")
        .select_for_update(of=("self",), no_key=True)
    )
    uses: defaultdict[str, list[CouponUse]] = defaultdict(list)
    for use in activity.coupon_uses({code for code, _order in told} | {row.code for row in rows}) if rows else ():
        uses[use.code.upper()].append(use)
    after = {row: _use_of(row, uses[row.code.upper()]) for row in rows}
    changed = {row: use for row, use in after.items() if use != _present(row)}
    _write(changed)
    _release([(code, order) for code, order in told if order], after)
    return len(changed)


def _present(row: Coupon) -> _Use:
    return _Use(row.state, row.order_ref, row.used_at, row.used_by_id)


def _use_of(row: Coupon, uses: Sequence[CouponUse]) -> _Use:
    """Return what the coupon has to say, when these are all uses that the stream knows."""
    is_voided = row.state == CouponState.VOID
    if row.used_at is not None and row.order_ref not in {use.order_ref for use in uses}:
        return _present(row)  # the person who used it was erased with the fact
    standing = next((use for use in uses if not use.is_cancelled), None)
    if standing is None:
        return _Use(CouponState.VOID if is_voided else _unused(row))
    stranger = standing.contact_id if _is_strange(row, standing.contact_id) else None
    state = CouponState.VOID if is_voided else CouponState.USED
    return _Use(state, standing.order_ref, standing.used_at, stranger)


def _unused(row: Coupon) -> CouponState:
    if row.expires_at is not None and row.expires_at <= clock.now():
        return CouponState.EXPIRED
    if _is_of_nobody(row):
        return CouponState.FREE
    return CouponState.ISSUED


def _is_of_nobody(row: Coupon) -> bool:
    """Whether it is a code of a pool that was never given to anybody; who was erased leaves the occasion."""
    return row.template is not None and row.template.source == CouponSource.POOL and not row.occasion


def _is_strange(row: Coupon, contact_id: int) -> bool:
    if row.contact_id is None:
        return _is_of_nobody(row)
    return row.contact_id != contact_id


def _write(changed: Mapping[Coupon, _Use]) -> None:
    if changed:
        columns = zip(*changed.values(), strict=True)
        with connection.cursor() as cursor:
            cursor.execute(_UPDATE, [[row.pk for row in changed], *map(list, columns)])


def _release(told: Iterable[tuple[str, str]], after: Mapping[Coupon, _Use]) -> None:
    """Let the shop take codes again whose order came to nothing."""
    good = {row.code.upper(): row.code for row, use in after.items() if use.state == CouponState.ISSUED}
    orders: defaultdict[str, list[str]] = defaultdict(list)
    for code, order_ref in sorted(told):
        if code.upper() in good:
            orders[order_ref].append(good[code.upper()])
    for order_ref, codes in orders.items():
        shop.current().release_coupons(codes, order_ref=order_ref)
