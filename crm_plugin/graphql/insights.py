"""What people buy and what they do not: each question is one field, and the people behind a number are an audience."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import graphene

from crm_plugin import audience, ids
from crm_plugin.audience import People, WantedProduct
from crm_plugin.graphql.access import Caller, admits
from crm_plugin.graphql.products import CrmProduct, products
from crm_plugin.graphql.rules import language_of
from crm_plugin.graphql.scalars import JSON
from crm_plugin.shop import Actor

#: What is asked for when nothing else is said.
ROWS, DAYS, TIMES = 10, 30, 3
#: The most rows that one answer has.
MOST_ROWS = 100


class CrmBoughtBeside(graphene.ObjectType):
    """What buyers of a product bought too, in the same order or another."""

    product = graphene.Field(CrmProduct, required=True, description="The other one.")
    count = graphene.Int(required=True, description="Buyers of the one who bought this too.")
    share = graphene.Float(required=True, description="Of the buyers of the one: 0.23 is 23 %.")
    definition = JSON(required=True, description="The audience of those who bought both.")


class CrmBoughtAlso(graphene.ObjectType):
    """How many buyers of one product bought another one too."""

    buyers = graphene.Int(required=True, description="People who bought the product.")
    both = graphene.Int(required=True, description="Of them, who bought the other one too.")
    share = graphene.Float(required=True, description="Of the buyers: 0.23 is 23 %.")
    definition = JSON(required=True, description="The audience of those who bought both.")


class CrmPeople(graphene.ObjectType):
    """How many people something is true of, and the audience that they are."""

    count = graphene.Int(required=True, description="People it is true of.")
    definition = JSON(required=True, description="For crmAudiencePreview, crmSegmentCreate, crmExportCreate.")


class CrmProductPeople(graphene.ObjectType):
    """How many people something is true of, by product, and the audience that they are."""

    product = graphene.Field(CrmProduct, required=True, description="What they wanted.")
    count = graphene.Int(required=True, description="People it is true of.")
    definition = JSON(required=True, description="For crmAudiencePreview, crmSegmentCreate, crmExportCreate.")


def _key(product: str, *, field: str) -> str:
    return ids.from_global("Product", product, field=field)


def _given(value: int | None, *, usually: int) -> int:
    return usually if value is None else value


def _people(found: People) -> CrmPeople:
    return CrmPeople(count=found.count, definition=found.rule.to_json())


def _by_product(rows: Sequence[WantedProduct]) -> list[CrmProductPeople]:
    shown = products([row.product_id for row in rows], language=language_of(None))
    return [
        CrmProductPeople(product=shown[row.product_id], count=row.people, definition=row.rule.to_json()) for row in rows
    ]


@admits(Caller.VIEWER)
def _also_bought(_actor: Actor, _info: Any, *, product: str, limit: int | None = None) -> list[CrmBoughtBeside]:
    found = audience.also_bought(_key(product, field="product"), limit=_given(limit, usually=ROWS))
    shown = products([row.product_id for row in found], language=language_of(None))
    return [
        CrmBoughtBeside(product=shown[row.product_id], count=row.buyers, share=row.share, definition=row.rule.to_json())
        for row in found
    ]


@admits(Caller.VIEWER)
def _bought_also(_actor: Actor, _info: Any, *, product: str, other: str) -> CrmBoughtAlso:
    found = audience.bought_also(_key(product, field="product"), _key(other, field="other"))
    return CrmBoughtAlso(buyers=found.buyers, both=found.both, share=found.share, definition=found.rule.to_json())


@admits(Caller.VIEWER)
def _carted_not_bought(_actor: Actor, _info: Any, *, product: str, days: int | None = None) -> CrmPeople:
    return _people(audience.carted_not_bought(_key(product, field="product"), days=days))


@admits(Caller.VIEWER)
def _viewed_not_bought(
    _actor: Actor, _info: Any, *, product: str, times: int | None = None, days: int | None = None
) -> CrmPeople:
    key = _key(product, field="product")
    return _people(audience.viewed_not_bought(key, times=_given(times, usually=TIMES), days=days))


@admits(Caller.VIEWER)
def _products_carted(
    _actor: Actor, _info: Any, *, days: int | None = None, limit: int | None = None
) -> list[CrmProductPeople]:
    return _by_product(
        audience.products_carted_not_bought(days=_given(days, usually=DAYS), limit=_given(limit, usually=ROWS))
    )


@admits(Caller.VIEWER)
def _products_viewed(
    _actor: Actor, _info: Any, *, times: int | None = None, days: int | None = None, limit: int | None = None
) -> list[CrmProductPeople]:
    return _by_product(
        audience.products_viewed_not_bought(
            times=_given(times, usually=TIMES),
            days=_given(days, usually=DAYS),
            limit=_given(limit, usually=ROWS),
        )
    )


_PRODUCT = graphene.ID(required=True, description="A Product of the shop.")
_TIMES = graphene.Int(default_value=TIMES, description="Viewed at least so often, 1 to 1000.")
_DAYS = graphene.Int(description="In the last so many days, 1 to 365; left out: ever.")
_LAST_DAYS = graphene.Int(default_value=DAYS, description="In the last so many days, 1 to 365.")
_LIMIT = graphene.Int(default_value=ROWS, description=f"At most so many, up to {MOST_ROWS}.")


def _list_of(kind: type[graphene.ObjectType], **options: Any) -> Any:
    return graphene.List(graphene.NonNull(kind), **options)


class InsightQueries(graphene.ObjectType):
    """Root fields that answer what people buy and what they do not."""

    crm_also_bought = _list_of(
        CrmBoughtBeside,
        description="What those bought too who bought a product, most bought first. Requires view_crm.",
        resolver=_also_bought,
        product=_PRODUCT,
        limit=_LIMIT,
    )
    crm_bought_also = graphene.Field(
        CrmBoughtAlso,
        description="How many buyers of a product bought another one too. Requires view_crm.",
        resolver=_bought_also,
        product=_PRODUCT,
        other=_PRODUCT,
    )
    crm_carted_not_bought = graphene.Field(
        CrmPeople,
        description="Who put a product into the cart and never bought it. Requires view_crm.",
        resolver=_carted_not_bought,
        product=_PRODUCT,
        days=_DAYS,
    )
    crm_viewed_not_bought = graphene.Field(
        CrmPeople,
        description="Who looked at a product again and again and never bought it. Requires view_crm.",
        resolver=_viewed_not_bought,
        product=_PRODUCT,
        times=_TIMES,
        days=_DAYS,
    )
    crm_products_carted_not_bought = _list_of(
        CrmProductPeople,
        description="Products that people put into the cart and never bought, most people first. Requires view_crm.",
        resolver=_products_carted,
        days=_LAST_DAYS,
        limit=_LIMIT,
    )
    crm_products_viewed_not_bought = _list_of(
        CrmProductPeople,
        description="Products that people look at again and again and never bought. Requires view_crm.",
        resolver=_products_viewed,
        times=_TIMES,
        days=_LAST_DAYS,
        limit=_LIMIT,
    )
