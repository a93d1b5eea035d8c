"""What the merchant's customers like most, and what a price drop would set off: counted before it is done."""

from __future__ import annotations

import decimal
from typing import Any

import graphene

from crm_plugin import activity, automations, ids
from crm_plugin.activity import Liked
from crm_plugin.errors import InvalidInput
from crm_plugin.graphql.access import Caller, admits
from crm_plugin.graphql.arguments import channel_named, product_named
from crm_plugin.graphql.campaigns import CrmCampaign
from crm_plugin.graphql.loaders import beside
from crm_plugin.graphql.pagination import PAGE_LIMIT
from crm_plugin.graphql.prices import CrmPrice, Standing, standings
from crm_plugin.graphql.products import CrmProduct, products
from crm_plugin.graphql.rules import language_of
from crm_plugin.graphql.scalars import Decimal
from crm_plugin.shop import Actor, ProductRef

#: Rows of an answer when nothing else is said.
ROWS = 10
LEAST_PERCENT, MOST_PERCENT = 1, 99


class CrmLikedProduct(graphene.ObjectType):
    """A product that people like."""

    product = graphene.Field(CrmProduct, required=True, description="What they like.")
    liked_now = graphene.Int(required=True, description="People who like it now, visitors too.")
    liked_ever = graphene.Int(required=True, description="People who ever liked it.")
    price_now = graphene.Field(CrmPrice, description="Null: shoppers cannot see it any more.")
    is_sold_out = graphene.Boolean(required=True, description="It cannot be bought now.")


@admits(Caller.VIEWER)
def _most_liked(
    _actor: Actor, _info: Any, *, channel: str | None = None, limit: int | None = None, language: str | None = None
) -> list[CrmLikedProduct]:
    wanted = ROWS if limit is None else limit
    if not 1 <= wanted <= PAGE_LIMIT:
        raise InvalidInput(f"`limit` is between 1 and {PAGE_LIMIT}.", field="limit")
    slug = channel_named(channel)
    found = activity.most_liked(slug, limit=wanted)
    shown = products([one.product_id for one in found], language=language_of(language))
    now = standings([ProductRef(one.product_id, slug) for one in found])
    return [_liked(one, shown[one.product_id], now[ProductRef(one.product_id, slug)]) for one in found]


def _liked(one: Liked, product: CrmProduct, now: Standing) -> CrmLikedProduct:
    return CrmLikedProduct(
        product=product,
        liked_now=one.now_count,
        liked_ever=one.ever_count,
        price_now=now.price,
        is_sold_out=not now.is_in_stock,
    )


class CrmSupposedPrice(graphene.ObjectType):
    """What a variant costs, and what it would cost."""

    variant_id = graphene.ID(required=True, description="The shop's ProductVariant.")
    price_now = graphene.Field(CrmPrice, required=True, description="What shoppers pay at this moment.")
    new_price = graphene.Field(CrmPrice, required=True, description="Rounded down to the currency's smallest unit.")


class CrmExpectedEntries(graphene.ObjectType):
    """How many people a drop would concern in a campaign."""

    campaign = graphene.Field(
        CrmCampaign,
        required=True,
        resolver=beside("campaign", "campaign_id"),
        description="A running one that waits for price drops.",
    )
    people_count = graphene.Int(required=True, description="With the campaign's own thresholds and audience.")


class CrmPriceDropForecast(graphene.ObjectType):
    """What would follow if a product became cheaper now."""

    likers_count = graphene.Int(required=True, description="People who like it now, visitors too.")
    prices = graphene.List(
        graphene.NonNull(CrmSupposedPrice), required=True, description="Of each variant that would become cheaper."
    )
    campaigns = graphene.List(
        graphene.NonNull(CrmExpectedEntries),
        required=True,
        description="The running campaigns that wait for price drops.",
    )


@admits(Caller.VIEWER)
def _forecast(
    _actor: Actor,
    _info: Any,
    *,
    product_id: str,
    percent: decimal.Decimal,
    variant_id: str | None = None,
    channel: str | None = None,
) -> CrmPriceDropForecast | None:
    rate = decimal.Decimal(str(percent))
    if not LEAST_PERCENT <= rate <= MOST_PERCENT:
        raise InvalidInput(f"`percent` is between {LEAST_PERCENT} and {MOST_PERCENT}.", field="percent")
    ref = product_named(product_id, variant_id, channel)
    found = activity.supposed_drops(ref, percent=rate)
    if not found:
        return None
    return CrmPriceDropForecast(
        likers_count=activity.likers_count(ref),
        prices=[
            CrmSupposedPrice(
                variant_id=ids.to_global("ProductVariant", offer.variant_id),
                price_now=offer.price,
                new_price=drop.new_price,
            )
            for offer, drop in found
        ],
        campaigns=automations.expect_drops([drop for _offer, drop in found]),
    )


class DemandQueries(graphene.ObjectType):
    """Root fields by which a merchant looks before dropping a price."""

    crm_most_liked = graphene.List(
        graphene.NonNull(CrmLikedProduct),
        description="The products that most people like now in a channel. Requires view_crm.",
        resolver=_most_liked,
        channel=graphene.String(description="Slug of the sales channel; left out: the shop's default one."),
        limit=graphene.Int(default_value=ROWS, description=f"At most so many, up to {PAGE_LIMIT}."),
        language=graphene.String(description="Of the names; the merchant's own when left out."),
    )
    crm_price_drop_forecast = graphene.Field(
        CrmPriceDropForecast,
        description="Whom a price drop of some percent would concern at this moment; nothing is done. Null: shoppers "
        "see no such product in this channel. Requires view_crm.",
        resolver=_forecast,
        product_id=graphene.ID(required=True, description="The shop's Product."),
        variant_id=graphene.ID(description="The shop's ProductVariant; left out: all variants become cheaper."),
        channel=graphene.String(description="Slug of the sales channel; left out: the shop's default one."),
        percent=Decimal(required=True, description=f"Off the present price, {LEAST_PERCENT} to {MOST_PERCENT}."),
    )
