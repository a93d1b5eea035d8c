"""What variants cost and whether they can be bought, in one channel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

from saleor.product.models import ProductChannelListing, ProductVariantChannelListing

from crm_plugin import clock
from crm_plugin.money import Money
from crm_plugin.shop import Offer
from crm_plugin.shops.saleor import stock
from crm_plugin.shops.saleor.people import as_pks


def offers(product_ids: Collection[str], *, shop_channel: str) -> list[Offer]:
    """Return the offer of every variant with a price in the channel, whose product is listed there.

    Prices are Saleor's catalogue prices as staff entered them, with promotions and without vouchers. Saleor recomputes
    promotions in the background and marks the product as dirty until it has: such an offer is not settled.
    """
    listed = {
        row.product_id: row
        for row in ProductChannelListing.objects.filter(
            product_id__in=as_pks(product_ids), channel__slug=shop_channel
        ).select_related("channel")
    }
    rows = list(
        ProductVariantChannelListing.objects.filter(
            variant__product_id__in=listed, channel__slug=shop_channel, price_amount__isnull=False
        )
        .select_related("variant")
        .defer("variant__metadata", "variant__private_metadata")
        .order_by("variant__product_id", "variant__sort_order", "variant_id")
    )
    counted = [row.variant_id for row in rows if _is_counted(row.variant)]
    units = stock.available(counted, shop_channel=shop_channel)
    return [_offer(row, listed[row.variant.product_id], units=units, shop_channel=shop_channel) for row in rows]


def _offer(row: Any, listing: Any, *, units: Counter[int], shop_channel: str) -> Offer:
    price = row.price_amount if row.discounted_price_amount is None else row.discounted_price_amount
    return Offer(
        product_id=str(row.variant.product_id),
        variant_id=str(row.variant_id),
        shop_channel=shop_channel,
        price=Money(price, row.currency),
        regular_price=Money(row.price_amount, row.currency),
        is_purchasable=_is_purchasable(listing),
        available=units[row.variant_id] if _is_counted(row.variant) else None,
        is_settled=not listing.discounted_price_dirty,
    )


def _is_counted(variant: Any) -> bool:
    """Whether stock limits what can be sold; a running pre-order takes orders without any."""
    is_preorder = getattr(variant, "is_preorder_active", None)
    return variant.track_inventory and not (is_preorder is not None and is_preorder())


def _is_purchasable(listing: Any) -> bool:
    """Whether shoppers find the product and may order it now. What staff hide from listings is not advertised."""
    now = clock.now()
    return (
        listing.channel.is_active
        and listing.visible_in_listings
        and listing.is_published
        and (listing.published_at is None or listing.published_at <= now)
        and listing.available_for_purchase_at is not None
        and listing.available_for_purchase_at <= now
    )
