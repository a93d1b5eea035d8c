"""What a product costs, and how that is read for all the rows of a page at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import graphene

from crm_plugin import activity, contacts, shop
from crm_plugin.activity import Liking
from crm_plugin.graphql.scalars import Decimal
from crm_plugin.money import Money
from crm_plugin.shop import Like, Offer, ProductRef


class CrmPrice(graphene.ObjectType):
    """An amount in the major unit of a currency."""

    amount = Decimal(required=True, description="Such as 12.50 for EUR, 12500 for KRW.")
    currency = graphene.String(required=True, description="ISO 4217, such as EUR.")


@dataclass(frozen=True, slots=True)
class Standing:
    """What a product or a variant costs now; ``price`` is None where shoppers cannot see it."""

    price: Money | None
    is_in_stock: bool


GONE = Standing(None, is_in_stock=False)


def standings(refs: Collection[ProductRef]) -> dict[ProductRef, Standing]:
    """Return what each costs now, asking the shop once for each channel; of a product, its lowest price.

    What can be bought at once comes first, as on the product's card.
    """
    wanted: dict[str, set[str]] = defaultdict(set)
    for ref in refs:
        wanted[ref.shop_channel].add(ref.product_id)
    offers: dict[tuple[str, str], list[Offer]] = defaultdict(list)
    for channel, product_ids in sorted(wanted.items()):
        for offer in shop.current().offers(product_ids, shop_channel=channel):
            if offer.is_purchasable:
                offers[offer.product_id, channel].append(offer)
    return {ref: _standing(ref, offers[ref.product_id, ref.shop_channel]) for ref in refs}


def _standing(ref: ProductRef, offers: Sequence[Offer]) -> Standing:
    mine = [offer for offer in offers if ref.variant_id in ("", offer.variant_id)]
    if not mine:
        return GONE
    in_stock = [offer for offer in mine if offer.is_in_stock]
    cheapest = min(in_stock or mine, key=lambda offer: offer.price.amount)
    return Standing(cheapest.price, is_in_stock=bool(in_stock))


def prices_then(keys: Collection[tuple[str, Like]]) -> Mapping[tuple[str, Like], Money]:
    """Return what each customer's likes cost when they were liked, as far as that was written down."""
    found = contacts.contacts().filter(customer_id__in={customer_id for customer_id, _like in keys})
    contact_of = {customer_id: pk for pk, customer_id in found.values_list("pk", "customer_id")}
    likings = {key: Liking(contact_of[key[0]], key[1].ref, key[1].liked_at) for key in keys if key[0] in contact_of}
    prices = activity.prices_when_liked(list(dict.fromkeys(likings.values())))
    return {key: prices[liking] for key, liking in likings.items() if liking in prices}
