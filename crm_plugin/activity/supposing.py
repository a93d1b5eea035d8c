"""What would become cheaper if a merchant took some percent off a product: to count before doing it."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal

from babel.numbers import get_currency_precision

from crm_plugin import shop
from crm_plugin.activity.drops import Drop
from crm_plugin.activity.models import PriceWatch
from crm_plugin.money import Money
from crm_plugin.shop import Offer, ProductRef


def supposed_drops(ref: ProductRef, *, percent: Decimal) -> list[tuple[Offer, Drop]]:
    """Return what every variant that shoppers can see would cost, beside what it costs; of a variant, that one.

    A new price is a whole number of the currency's smallest unit, and not above ``percent`` off. Nothing is written.
    """
    offers = [
        one
        for one in shop.current().offers([ref.product_id], shop_channel=ref.shop_channel)
        if one.is_purchasable and ref.variant_id in ("", one.variant_id)
    ]
    lowest = {
        row.variant_id: row.lowest_price
        for row in PriceWatch.objects.filter(product_id=ref.product_id, shop_channel=ref.shop_channel)
    }
    return [(one, _drop(one, percent=percent, lowest=lowest.get(one.variant_id))) for one in offers]


def _drop(offer: Offer, *, percent: Decimal, lowest: Decimal | None) -> Drop:
    unit = Decimal(1).scaleb(-get_currency_precision(offer.price.currency))
    amount = (offer.price.amount * (100 - percent) / 100).quantize(unit, rounding=ROUND_DOWN)
    return Drop(
        product_id=offer.product_id,
        variant_id=offer.variant_id,
        shop_channel=offer.shop_channel,
        new_price=Money(amount, offer.price.currency),
        is_new_low=lowest is None or amount < lowest,
    )
