"""Coupons: codes of one person each, under vouchers that the CRM makes in Saleor.

Saleor takes a code of a single-use voucher for used when it is inactive: at the moment of the order, or while a draft
or an unconfirmed order holds it. It says nothing about vouchers when an order is cancelled, and leaves the code of an
order that expired inactive; ``release_coupons`` sets that right.

Saleor's apps hear of what is made and deleted here as if staff had done it, after commit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Sum
from saleor.discount import VoucherType
from saleor.discount.models import Voucher, VoucherChannelListing, VoucherCode, VoucherCustomer
from saleor.order import OrderStatus
from saleor.order.models import Order

from crm_plugin import clock
from crm_plugin.errors import NotFound
from crm_plugin.guard import guarded
from crm_plugin.shop import CouponTerms, ShopCoupon
from crm_plugin.shops.saleor import coupon_terms, marks, nowhere
from crm_plugin.shops.saleor.access import writer
from crm_plugin.shops.saleor.carts import as_uuids
from crm_plugin.shops.saleor.people import as_id, as_pks

check_coupon_terms = coupon_terms.check

#: An order in one of these states uses no code.
_CAME_TO_NOTHING: Final = frozenset({OrderStatus.CANCELED, OrderStatus.EXPIRED})
_GOODS: Final = (Voucher.products, Voucher.variants, Voucher.categories)

#: Whoever deletes the voucher waits until the codes that are being added are committed, and others may add meanwhile.
_HOLD = "SELECT id FROM discount_voucher WHERE id = %s FOR KEY SHARE"
#: A gift card has a code as well, and shoppers type both into one field.
_ADD = """
INSERT INTO discount_vouchercode (id, code, used, is_active, voucher_id, created_at)
SELECT gen_random_uuid(), given.code, 0, TRUE, %s, %s FROM unnest(%s::text[]) AS given(code)
WHERE NOT EXISTS (SELECT 1 FROM giftcard_giftcard g WHERE g.code = given.code)
ON CONFLICT (code) DO NOTHING RETURNING id, code
"""
#: Not by the ORM, which deletes a hundred rows at a time; whoever orders with one of them at this moment is first.
_DROP = "DELETE FROM discount_vouchercode WHERE id = ANY(%s::uuid[]) AND is_active AND used = 0 RETURNING id"


def open_coupon_series(terms: CouponTerms, *, name: str, ends_at: datetime | None) -> str:
    """Make the voucher; return its key.

    Raises:
        InvalidInput: when Saleor cannot offer these terms.
    """
    with transaction.atomic():
        voucher = coupon_terms.make_voucher(terms, name=name, ends_at=ends_at)
        _tell("voucher_created", lambda: (voucher, None))
    return as_id(voucher.pk)


def add_coupons(series_ref: str, codes: Collection[str]) -> frozenset[str]:
    """Add codes to a voucher, in a fixed number of statements; return those that were not taken.

    Raises:
        NotFound: the voucher is gone, or was changed so that a code would be worth nothing or be good for more than one
            order.
    """
    now = clock.now()
    with transaction.atomic(), connection.cursor() as cursor:
        pks = as_pks([series_ref])
        cursor.execute(_HOLD, [pks[0] if pks else 0])
        rows = _takes_something_off().filter(pk__in=pks, single_use=True, usage_limit=None)
        voucher = rows.first() if cursor.fetchall() else None
        if voucher is None or _was_ended(voucher, now):
            raise NotFound(f"Saleor's voucher {series_ref} is gone, or no code of it could be used.")
        cursor.execute(_ADD, [pks[0], now, list(codes)])
        made = dict(cursor.fetchall())
        if made:
            _tell("voucher_codes_created", lambda: ([*_as_rows(made.items(), pks[0], now)],))
    return frozenset(made.values())


def coupons(codes: Collection[str]) -> dict[str, ShopCoupon]:
    """Return the codes as Saleor has them, in three queries.

    Saleor tells upper from lower case. A code that is asked for in another is found when Saleor has it in capitals.
    """
    rows = VoucherCode.objects.filter(code__in={*codes, *map(str.upper, codes)}).select_related("voucher").order_by()
    known = {row.code: row for row in rows}
    vouchers = {row.voucher_id: row.voucher for row in known.values()}
    good = _takes_something_off().filter(_is_running(), pk__in=list(vouchers)).order_by()
    usable = set(good.values_list("pk", flat=True))
    spent = _spent([pk for pk, voucher in vouchers.items() if voucher.usage_limit is not None])
    asked = {code: known.get(code) or known.get(code.upper()) for code in codes}
    return {
        code: _coupon(row, is_good=row.voucher_id in usable, is_spent=row.voucher_id in spent)
        for code, row in asked.items()
        if row is not None
    }


def release_coupons(codes: Collection[str], *, order_ref: str) -> None:
    """Make the codes usable again that no other order uses.

    Saleor counts uses only for a voucher with a limit, and customers only for one that each may use once.
    """
    with transaction.atomic():
        free = set(codes) - _in_use(codes, besides=order_ref)
        rows = VoucherCode.objects.filter(code__in=free).order_by()
        VoucherCustomer.objects.filter(voucher_code__in=rows.values("pk")).delete()
        rows.filter(voucher__single_use=True, is_active=False).update(is_active=True)
        rows.filter(voucher__usage_limit__isnull=False, used__gt=0).update(used=0)


def drop_coupons(codes: Collection[str]) -> None:
    """Delete what the CRM made, in a fixed number of statements; neither codes of staff nor used ones."""
    marked = Q(voucher__private_metadata__has_key=marks.SERIES)
    with transaction.atomic(), connection.cursor() as cursor:
        unused = set(codes) - _in_use(codes)
        doomed = list(VoucherCode.objects.filter(marked, code__in=unused).select_related("voucher").order_by())
        VoucherCustomer.objects.filter(voucher_code__in=doomed).delete()
        cursor.execute(_DROP, [[row.pk for row in doomed]])
        gone = {pk for (pk,) in cursor.fetchall()}
        if gone:
            dropped = [row for row in doomed if row.pk in gone]
            _tell("voucher_codes_deleted", lambda: (dropped,))
            _drop_series({row.voucher_id for row in dropped})


def _has_goods() -> Q:
    links = (Exists(link.through.objects.filter(voucher_id=OuterRef("pk"))) for link in _GOODS)
    return reduce(or_, map(Q, (*links, Exists(nowhere.other_collections(OuterRef("pk"))))))


def _drop_series(pks: Collection[int]) -> None:
    """Delete the vouchers without a code, unless somebody is adding one."""
    locked = list(Voucher.objects.filter(pk__in=pks).select_for_update(skip_locked=True, of=("self",)).order_by("pk"))
    used = set(VoucherCode.objects.filter(voucher_id__in=pks).order_by().values_list("voucher_id", flat=True))
    empty = [voucher for voucher in locked if voucher.pk not in used]
    for voucher in empty:
        _tell("voucher_deleted", lambda voucher=voucher: (voucher, None))
    Voucher.objects.filter(pk__in=[voucher.pk for voucher in empty]).delete()


def _takes_something_off() -> QuerySet[Any]:
    """Return the vouchers that are for something, somewhere, and for everybody."""
    listings = VoucherChannelListing.objects.filter(voucher_id=OuterRef("pk"), channel__is_active=True)
    is_for_something = ~Q(type=VoucherType.SPECIFIC_PRODUCT) | _has_goods()
    return Voucher.objects.filter(Exists(listings), is_for_something, only_for_staff=False)


def _is_running() -> Q:
    now = clock.now()
    return Q(start_date__lte=now) & (Q(end_date__isnull=True) | Q(end_date__gt=now))


def _was_ended(voucher: Any, now: datetime) -> bool:
    """Whether it ended before its time."""
    is_over = voucher.end_date is not None and voucher.end_date <= now
    return is_over and coupon_terms.has_another_end(voucher)


def _spent(pks: Collection[int]) -> set[int]:
    """Return which of the limited vouchers were used as often as they can be, by all their codes together."""
    if not pks:
        return set()
    rows = Voucher.objects.filter(pk__in=pks).order_by().annotate(total=Sum("codes__used"))
    return {pk for pk, limit, total in rows.values_list("pk", "usage_limit", "total") if (total or 0) >= limit}


def _coupon(row: Any, *, is_good: bool, is_spent: bool) -> ShopCoupon:
    is_used = is_spent or not row.is_active
    return ShopCoupon(
        code=row.code,
        name=row.voucher.name or "",
        is_usable=is_good and not is_used,
        is_used=is_used,
        is_personal=row.voucher.single_use or row.voucher.usage_limit == 1,
        ends_at=row.voucher.end_date,
    )


def _in_use(codes: Collection[str], *, besides: str = "") -> set[str]:
    """Return which of the codes an order holds, drafts included; by the index on the orders' codes."""
    rows = Order.objects.filter(voucher_code__in=list(codes)).exclude(status__in=_CAME_TO_NOTHING)
    return set(rows.exclude(pk__in=as_uuids([besides])).order_by().values_list("voucher_code", flat=True))


def _as_rows(made: Iterable[tuple[UUID, str]], voucher: int, at: datetime) -> Iterator[Any]:
    return (VoucherCode(pk=pk, code=code, voucher_id=voucher, created_at=at) for pk, code in made)


def _tell(event: str, subject: Any) -> None:
    """Call Saleor's plugins, its webhooks among them, after commit; what fails there has happened all the same.

    As ``saleor.core.utils.events.call_event`` does, which does not keep the failure of a plugin from its caller.
    """

    @guarded("saleor.coupons")
    def call() -> None:
        from saleor.plugins.manager import get_plugins_manager  # noqa: PLC0415 - pulls in graphql, once models are loaded

        with writer():
            getattr(get_plugins_manager(allow_replica=False), event)(*subject())

    transaction.on_commit(call, robust=True)
