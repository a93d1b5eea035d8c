"""New vouchers: which one is news, for which products, and whom it concerns.

A fact names the voucher and nothing else; the drain asks the shop what it is worth telling. A voucher is news once for
each product: told twice, by a hook and by reconcile, it is one wave; a product added to it later is a wave of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta
from typing import Final

from django.db import connection

from crm_plugin import clock, shop
from crm_plugin.activity import waves
from crm_plugin.activity.inbox import Batch
from crm_plugin.activity.models import VoucherProduct, WaveKind
from crm_plugin.activity.waves import CAN_BE_TOLD, IS_INTERESTED, InterestRule, Select, interest_params
from crm_plugin.conf import settings
from crm_plugin.shop import FactKind, Voucher

#: One voucher is told for so many products at most; of a voucher for more, the rest is not news.
MAX_PRODUCTS: Final = 1_000
#: The shop is asked about so many products at once, and about so many pages of them at most.
PAGE: Final = 5_000
MAX_PAGES: Final = 200
#: A message about a voucher for everything shows what the person cared for last.
MAX_ITEMS: Final = 20

#: Two workers that drain facts about the same voucher: the second finds what the first has told.
_TAKE_TURNS = "SELECT pg_advisory_xact_lock(1129467222)"

_WATCHED = """
SELECT DISTINCT product_id FROM crm_plugin_pricewatch WHERE product_id > %s ORDER BY product_id LIMIT %s
"""

_INTERESTED = f"""
SELECT i.contact_id, i.product_id, i.variant_id, i.shop_channel, i.last_interest_at
FROM crm_plugin_voucherproduct v JOIN crm_plugin_interest i ON i.shop_channel = v.shop_channel {{and_product}}
WHERE v.wave_id = %(wave)s AND i.contact_id > %(after)s AND {IS_INTERESTED}
"""  # noqa: S608

#: Two questions in one, since no index answers "this product, or any".
_CONCERNED = f"""
SELECT h.contact_id, jsonb_path_query_array(jsonb_agg(jsonb_build_object('product_id', h.product_id,
    'variant_id', h.variant_id, 'shop_channel', h.shop_channel) ORDER BY h.last_interest_at DESC),
    '$[0 to {MAX_ITEMS - 1}]') AS items
FROM (
    {_INTERESTED.format(and_product="AND i.product_id = v.product_id")} AND v.product_id <> ''
    UNION ALL
    {_INTERESTED.format(and_product="")} AND v.product_id = ''
) h
{CAN_BE_TOLD}
WHERE NOT EXISTS (SELECT 1 FROM crm_plugin_activity a WHERE a.subject = %(code)s AND a.subject <> ''
    AND a.kind IN ('coupon_issued', 'coupon_used') AND a.contact_id = h.contact_id)
GROUP BY h.contact_id ORDER BY h.contact_id LIMIT %(limit)s
"""  # noqa: S608


def voucher_waves(batch: Batch) -> tuple[int, ...]:
    """Begin a wave for each voucher that the batch tells of and that is news; return the waves.

    Must run in the transaction that projected the batch, as the last thing that locks anything: workers take turns.
    """
    told = sorted({ref.subject for ref in batch.refs.get(FactKind.VOUCHER_CREATED, ()) if ref.subject})
    if not told:
        return ()
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_TURNS)
    news = [voucher for voucher in shop.current().vouchers(told, among=()).values() if _is_news(voucher)]
    products = _products_of([voucher.voucher_ref for voucher in news if voucher.product_ids is not None])
    return tuple(
        wave
        for voucher in news
        for wave in _begin(voucher, [""] if voucher.product_ids is None else products.get(voucher.voucher_ref, []))
    )


def voucher_of(wave: int) -> Voucher | None:
    """Return the voucher that a wave tells of, as the shop has it now; None when nobody can use it any more."""
    ref = VoucherProduct.objects.filter(wave_id=wave).values_list("voucher_ref", flat=True).first()
    found = shop.current().vouchers([ref], among=()).get(ref) if ref else None
    return found if found is not None and found.code and found.is_valid_at(clock.now()) else None


def could_use(rule: InterestRule, *, code: str, wave: int, after_contact: int, limit: int) -> Select:
    """Return the question: the next ``limit`` people, by contact id, whom the voucher concerns, and the products.

    Who has the code already, because it was issued to them or because they used it, is left out.

    Args:
        rule: what counts as interest in a product that the voucher is valid for.
        code: of the voucher.
        wave: of kind ``new_voucher``.
        after_contact: the last one of the chunk before.
        limit: how many people.
    """
    params = {**interest_params(rule), "code": code, "wave": wave, "after": after_contact, "limit": limit}
    return Select(_CONCERNED, params)


def _is_news(voucher: Voucher) -> bool:
    """Whether anybody may use it now, and could not for long.

    An old voucher is no news because somebody edits it, nor because the shop's history is read in. One without a code
    for everybody is handed out to persons, each with a code of their own; who gets one is told then.
    """
    now = clock.now()
    since = max(voucher.made_at, voucher.starts_at)
    is_fresh = since >= now - timedelta(hours=settings().trigger_max_age_hours)
    return bool(voucher.code) and is_fresh and voucher.is_valid_at(now)


def _products_of(voucher_refs: Collection[str]) -> dict[str, list[str]]:
    """Return the products of each voucher, of those that anybody is interested in."""
    found: dict[str, list[str]] = defaultdict(list)
    after = ""
    for _page in range(MAX_PAGES if voucher_refs else 0):
        page = _watched(after)
        if not page:
            break
        for voucher in shop.current().vouchers(voucher_refs, among=page).values():
            found[voucher.voucher_ref].extend(voucher.product_ids or ())
        voucher_refs = [ref for ref in voucher_refs if len(found[ref]) < MAX_PRODUCTS]
        after = page[-1]
    return {ref: products[:MAX_PRODUCTS] for ref, products in found.items()}


def _watched(after: str) -> Sequence[str]:
    """Return the next page of the products that somebody is interested in."""
    with connection.cursor() as cursor:
        cursor.execute(_WATCHED, [after, PAGE])
        return [product_id for (product_id,) in cursor.fetchall()]


def _begin(voucher: Voucher, product_ids: Iterable[str]) -> Iterable[int]:
    """Write the wave of what was not told of the voucher before, if there is anything."""
    rows = VoucherProduct.objects.filter(voucher_ref=voucher.voucher_ref)
    told = set(rows.values_list("product_id", "shop_channel"))
    new = [
        (product_id, channel)
        for channel in voucher.shop_channels
        for product_id in product_ids
        if (product_id, channel) not in told and ("", channel) not in told
    ]
    if not new:
        return
    wave = waves.begin(WaveKind.NEW_VOUCHER)
    VoucherProduct.objects.bulk_create(
        VoucherProduct(
            wave=wave, voucher_ref=voucher.voucher_ref, code=voucher.code, product_id=product_id, shop_channel=channel
        )
        for product_id, channel in new
    )
    yield wave.pk
