"""What Saleor needs before anything can be sold: a channel, taxes, a warehouse, a way to ship, a kind of product."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.conf import settings
from saleor.account.models import Address
from saleor.channel.models import Channel
from saleor.product.models import Category, ProductType
from saleor.shipping import ShippingMethodType
from saleor.shipping.models import ShippingMethodChannelListing, ShippingZone
from saleor.tax import TaxCalculationStrategy
from saleor.tax.models import TaxConfiguration
from saleor.warehouse.models import Warehouse

from crm_plugin.shop import Shop
from tests.saleor.world import SaleorWorld

CURRENCY = "USD"


def lay(shop: Shop) -> SaleorWorld:
    """Make the ground; whatever default data the database has stays beside it."""
    channel = _channel()
    return SaleorWorld(
        shop=shop,
        channel=channel,
        warehouse=_warehouse(channel),
        product_type=ProductType.objects.create(name="Thing", slug="crm-thing", is_shipping_required=True),
        category=Category.objects.create(name="Kitchen", slug="crm-kitchen"),
    )


def _channel() -> Any:
    channel, _is_new = Channel.objects.get_or_create(
        slug=settings.DEFAULT_CHANNEL_SLUG,
        defaults={"name": "Main", "currency_code": CURRENCY, "default_country": "US", "is_active": True},
    )
    TaxConfiguration.objects.get_or_create(
        channel=channel,
        defaults={
            "charge_taxes": False,
            "prices_entered_with_tax": True,
            "tax_calculation_strategy": TaxCalculationStrategy.FLAT_RATES,
        },
    )
    return channel


def _warehouse(channel: Any) -> Any:
    zone = ShippingZone.objects.create(name="Everywhere", countries=["US", "DE"])
    zone.channels.add(channel)
    method = zone.shipping_methods.create(name="Post", type=ShippingMethodType.PRICE_BASED)
    ShippingMethodChannelListing.objects.create(
        shipping_method=method,
        channel=channel,
        currency=channel.currency_code,
        price_amount=Decimal(0),
        minimum_order_price_amount=Decimal(0),
    )
    address = Address.objects.create(
        street_address_1="1 Main St", city="Springfield", postal_code="62701", country="US"
    )
    warehouse = Warehouse.objects.create(name="Store", slug="crm-store", address=address)
    warehouse.channels.add(channel)
    warehouse.shipping_zones.add(zone)
    return warehouse
