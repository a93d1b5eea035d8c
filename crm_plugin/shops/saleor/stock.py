"""How many units of a variant can be sold in a channel, by Saleor's own rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

from django.contrib.sites.models import Site
from saleor.site.models import SiteSettings
from saleor.warehouse.models import Stock


def available(variant_ids: Collection[int], *, shop_channel: str) -> Counter[int]:
    """Return the units in the warehouses that serve the channel, less what orders hold; none counts as 0.

    Reservations of other people's checkouts are left out: they end within minutes, a message is read later.
    """
    found: Counter[int] = Counter()
    if variant_ids:
        rows = _of_channel(shop_channel).filter(product_variant_id__in=variant_ids).annotate_available_quantity()
        for variant_id, quantity in rows.order_by().values_list("product_variant_id", "available_quantity"):
            found[variant_id] += max(quantity, 0)
    return found


def _of_channel(shop_channel: str) -> Any:
    """Return the stocks of a channel.

    Since 3.23 a setting says whether shipping zones still matter; before, they did.
    """
    stocks = Stock.objects
    if hasattr(stocks, "for_channel_or_country"):
        return stocks.for_channel_or_country(shop_channel, include_shipping_zones=_asks_shipping_zones())
    return stocks.for_channel_and_country(shop_channel)


def _asks_shipping_zones() -> bool:
    """Read the setting anew: Saleor's cached site may be old in a process that lives long."""
    row = SiteSettings.objects.filter(site_id=Site.objects.get_current().pk).first()
    return bool(getattr(row, "use_legacy_shipping_zone_stock_availability", True))
