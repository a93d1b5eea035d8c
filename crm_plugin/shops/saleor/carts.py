"""Checkouts, which are Saleor's carts as well."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from decimal import Decimal
from typing import Any
from uuid import UUID

from saleor.checkout.models import Checkout, CheckoutLine
from saleor.product.models import ProductVariantChannelListing

from crm_plugin.money import Money
from crm_plugin.shop import Cart, Line
from crm_plugin.shops.saleor import configuration
from crm_plugin.shops.saleor.people import as_id
from crm_plugin.shops.saleor.visitors import visitor_of


def as_uuids(refs: Collection[str]) -> list[UUID]:
    """Return the refs that are UUIDs."""
    found = []
    for ref in refs:
        try:
            found.append(UUID(ref))
        except ValueError:
            continue
    return found


def carts(cart_refs: Collection[str]) -> dict[str, Cart]:
    """Return the open carts; Saleor deletes a checkout that became an order or expired."""
    rows = list(
        Checkout.objects.filter(pk__in=as_uuids(cart_refs)).values_list(
            "pk", "channel__slug", "last_change", "user_id", "email", "metadata_storage__metadata"
        )
    )
    lines = _lines([row[0] for row in rows])
    return {
        str(pk): Cart(
            cart_ref=str(pk),
            shop_channel=slug,
            lines=tuple(lines.get(pk, ())),
            changed_at=changed_at,
            customer_id=as_id(user_id),
            email=email or "",
            recovery_url=configuration.cart_url(channel=slug, cart_ref=str(pk)),
            visitor_id=visitor_of(metadata),
        )
        for pk, slug, changed_at, user_id, email, metadata in rows
    }


def _lines(pks: Collection[UUID]) -> dict[UUID, list[Line]]:
    rows = list(
        CheckoutLine.objects.filter(checkout_id__in=pks)
        .order_by("created_at", "pk")
        .values_list(
            "pk",
            "checkout_id",
            "checkout__channel_id",
            "variant_id",
            "variant__product_id",
            "quantity",
            "price_override",
            "undiscounted_unit_price_amount",
            "currency",
        )
    )
    listed = _listed_prices((row[3], row[2]) for row in rows)
    found: defaultdict[UUID, list[Line]] = defaultdict(list)
    for pk, cart, channel, variant, product, quantity, override, undiscounted, currency in rows:
        price = override if override is not None else listed.get((variant, channel), undiscounted)
        found[cart].append(Line(str(pk), str(product), str(variant), quantity, Money(price, currency)))
    return found


def _listed_prices(pairs: Iterable[tuple[int, int]]) -> dict[tuple[int, int], Decimal]:
    """Return today's price by variant and channel: the checkout computes its own only when it is asked for it."""
    variants: defaultdict[int, set[int]] = defaultdict(set)
    for variant, channel in pairs:
        variants[channel].add(variant)
    found: dict[tuple[int, int], Decimal] = {}
    for channel, wanted in variants.items():
        rows: Any = ProductVariantChannelListing.objects.filter(
            channel_id=channel, variant_id__in=wanted, price_amount__isnull=False
        ).values_list("variant_id", "price_amount", "discounted_price_amount")
        found |= {
            (variant, channel): price if discounted is None else discounted for variant, price, discounted in rows
        }
    return found
