"""What a coupon is worth, in the words of the API."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import graphene

from crm_plugin import ids
from crm_plugin.coupons import CouponTemplate
from crm_plugin.errors import InvalidInput
from crm_plugin.graphql.enums import CrmEnum
from crm_plugin.graphql.scalars import Decimal
from crm_plugin.shop import CouponKind

#: Inside the terms, the API's words for what the shop calls otherwise.
_WORDS = {
    "min_spend": "minSpend",
    "product_ids": "products",
    "group_keys": "groups",
    "shop_channels": "channels",
}


class CrmCouponKind(CrmEnum):
    """What a coupon takes off."""

    class Meta:
        enum = CouponKind
        words = {
            CouponKind.PERCENT: "So many percent of the price.",
            CouponKind.FIXED: "An amount, in the currency of each channel.",
            CouponKind.FREE_SHIPPING: "What the delivery costs.",
        }


class CrmCouponAmount(graphene.ObjectType):
    """An amount in the currency of a sales channel."""

    channel = graphene.String(required=True, description="Slug.")
    amount = Decimal(required=True, description="In the major unit of the channel's currency.")


class CrmCouponTerms(graphene.ObjectType):
    """What a coupon is worth, where and for what."""

    kind = CrmCouponKind(required=True, description="What it takes off.")
    percent = Decimal(description="Of a percentage: above 0, up to 100; else null.")
    amounts = graphene.List(graphene.NonNull(CrmCouponAmount), required=True, description="Of a fixed one.")
    min_spend = graphene.List(
        graphene.NonNull(CrmCouponAmount), required=True, description="What the goods have to cost at least."
    )
    products = graphene.List(
        graphene.NonNull(graphene.ID), required=True, description="Only for these; products and groups empty: for all."
    )
    groups = graphene.List(graphene.NonNull(graphene.String), required=True, description="Keys, as crmGroupSearch has.")
    channels = graphene.List(
        graphene.NonNull(graphene.String), required=True, description="Only there; empty: in every active channel."
    )


def terms_of(template: CouponTemplate, _info: Any) -> CrmCouponTerms | None:
    """Return what codes of the template are worth; None: a pool."""
    kept = template.terms
    if not kept:
        return None
    return CrmCouponTerms(
        kind=kept["kind"],
        percent=kept.get("percent"),
        amounts=_amounts(kept.get("amounts", {})),
        min_spend=_amounts(kept.get("min_spend", {})),
        products=[ids.to_global("Product", one) for one in kept.get("product_ids", ())],
        groups=kept.get("group_keys", ()),
        channels=kept.get("shop_channels", ()),
    )


def _amounts(kept: dict[str, Any]) -> list[CrmCouponAmount]:
    return [CrmCouponAmount(channel=slug, amount=amount) for slug, amount in kept.items()]


class CrmCouponAmountInput(graphene.InputObjectType):
    """An amount in the currency of a sales channel."""

    channel = graphene.String(required=True, description="Slug.")
    amount = Decimal(required=True, description="In the major unit of the channel's currency.")


class CrmCouponTermsInput(graphene.InputObjectType):
    """What a coupon is worth, where and for what."""

    kind = CrmCouponKind(required=True, description="What it takes off.")
    percent = Decimal(description="Of a percentage: above 0, up to 100.")
    amounts = graphene.List(
        graphene.NonNull(CrmCouponAmountInput), description="Of a fixed one: in each channel where it is good."
    )
    min_spend = graphene.List(
        graphene.NonNull(CrmCouponAmountInput), description="What the goods have to cost at least."
    )
    products = graphene.List(graphene.NonNull(graphene.ID), description="Only for these Products of the shop.")
    groups = graphene.List(graphene.NonNull(graphene.String), description="And for these groups, by key.")
    channels = graphene.List(graphene.NonNull(graphene.String), description="Slugs; left out: every active channel.")


@contextmanager
def in_our_words() -> Iterator[None]:
    """Tell what is wrong with the terms by its place in the input."""
    try:
        yield
    except InvalidInput as error:
        parts = [_WORDS.get(part, part) for part in error.field.split(".")] if error.field.startswith("terms") else []
        raise InvalidInput(error.message, field=".".join(parts) or error.field, code=error.code) from error


def terms_given(input: dict[str, Any]) -> dict[str, Any]:
    """Return the terms of an input as the room takes them."""
    found: dict[str, Any] = {"kind": input["kind"]}
    if input.get("percent") is not None:
        found["percent"] = input["percent"]
    for name in ("amounts", "min_spend"):
        found[name] = _by_channel(input.get(name) or (), field=f"terms.{name}")
    products = enumerate(input.get("products") or ())
    found["product_ids"] = [ids.from_global("Product", one, field=f"terms.products.{place}") for place, one in products]
    found["group_keys"] = input.get("groups") or ()
    found["shop_channels"] = input.get("channels") or ()
    return found


def _by_channel(amounts: Sequence[dict[str, Any]], *, field: str) -> dict[str, Any]:
    found = {one["channel"]: one["amount"] for one in amounts}
    if len(found) < len(amounts):
        raise InvalidInput("A channel is there twice.", field=field, code="UNIQUE")
    return found
