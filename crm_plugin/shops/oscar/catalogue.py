"""Products, their prices and stock, as Oscar's strategy tells them.

A parent product's children are its variants. A stand-alone product is its own and only variant, under its own id. Oscar
has one sales channel and no catalogue promotions: offers apply in the basket only, so ``regular_price`` is ``price``.
Every call here costs the same few queries however many ids it takes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

from django.db.models import Prefetch
from django.utils.translation import override
from oscar.core.loading import get_class, get_model

from crm_plugin.money import Money
from crm_plugin.shop import Offer, ProductCard, ProductRef
from crm_plugin.shops.oscar import site
from crm_plugin.shops.oscar.keys import primary_keys

Product = get_model("catalogue", "Product")
Selector = get_class("partner.strategy", "Selector")


@dataclass(frozen=True, slots=True)
class Sale:
    """What one variant costs and how many are left; ``available`` None: the shop does not count it."""

    price: Money
    available: int | None


def ids_of(product: Any) -> tuple[str, str]:
    """Return the product id and, for a child, the variant id by which the engine knows a product row."""
    return (str(product.parent_id), str(product.pk)) if product.is_child else (str(product.pk), "")


def sale_of(product: Any, *, strategy: Any, stock_record: Any = None) -> Sale | None:
    """Return what a product that can be put in a basket costs; None when the shop has no price for it."""
    info = strategy.fetch_for_product(product, stockrecord=stock_record)
    if not info.price.exists:
        return None
    amount = info.price.incl_tax if info.price.is_tax_known else info.price.excl_tax
    counted = getattr(info.availability, "num_available", None)
    if counted is None and not info.availability.is_available_to_buy:
        counted = 0
    return Sale(Money(amount, info.price.currency), None if counted is None else max(counted, 0))


def price_shown(product: Any, *, user: Any) -> Money | None:
    """Return the price that a person sees on the product's page; of a parent, the lowest of its children."""
    if product.is_parent:
        prices = [offer.price for offer in offers([str(product.pk)], shop_channel=site.CHANNEL)]
        return min(prices, key=lambda price: price.amount, default=None)
    sale = sale_of(product, strategy=Selector().strategy(user=user))
    return sale.price if sale else None


def offers(product_ids: Collection[str], *, shop_channel: str) -> Sequence[Offer]:
    """Return the offer of every variant of the products that has a price."""
    if shop_channel != site.CHANNEL:
        return []
    strategy = Selector().strategy()
    products = _load(product_ids)
    return [offer for product in products for offer in _offers_of(product, strategy=strategy)]


def product_cards(refs: Collection[ProductRef], *, language: str) -> Mapping[ProductRef, ProductCard]:
    """Return the cards of the products and variants that have a price."""
    wanted = [ref for ref in refs if ref.shop_channel == site.CHANNEL]
    strategy = Selector().strategy()
    with override(language or None):
        loaded = {str(product.pk): product for product in _load({ref.product_id for ref in wanted}, for_cards=True)}
        cards = (_card(ref, loaded[ref.product_id], strategy=strategy) for ref in wanted if ref.product_id in loaded)
        return {card.ref: card for card in cards if card is not None}


def search_products(text: str, *, shop_channel: str, language: str, limit: int) -> Sequence[ProductCard]:
    """Return the published products whose title contains ``text``, by title."""
    if shop_channel != site.CHANNEL:
        return []
    found = Product.objects.browsable().filter(title__icontains=text).order_by("title", "pk")
    refs = [ProductRef(str(pk), site.CHANNEL) for pk in found.values_list("pk", flat=True)[:limit]]
    cards = product_cards(refs, language=language)
    return [cards[ref] for ref in refs if ref in cards]


def _load(product_ids: Iterable[str], *, for_cards: bool = False) -> Sequence[Any]:
    related = ["stockrecords", *(["images"] if for_cards else [])]
    children = Product.objects.order_by("pk").prefetch_related(*related)
    query = (
        Product.objects.filter(pk__in=primary_keys(Product, product_ids), parent=None)
        .select_related("product_class")
        .prefetch_related(*related, Prefetch("children", queryset=children))
        .order_by("pk")
    )
    return list(query.prefetch_related("categories") if for_cards else query)


def _variants_of(product: Any) -> Sequence[Any]:
    return list(product.children.all()) if product.is_parent else [product]


def _offers_of(product: Any, *, strategy: Any) -> list[Offer]:
    found = []
    for variant in _variants_of(product):
        sale = sale_of(variant, strategy=strategy)
        if sale is not None:
            found.append(
                Offer(
                    product_id=str(product.pk),
                    variant_id=str(variant.pk),
                    shop_channel=site.CHANNEL,
                    price=sale.price,
                    regular_price=sale.price,
                    is_purchasable=product.is_public and variant.is_public,
                    available=sale.available,
                )
            )
    return found


def _card(ref: ProductRef, product: Any, *, strategy: Any) -> ProductCard | None:
    mine = [offer for offer in _offers_of(product, strategy=strategy) if ref.variant_id in ("", offer.variant_id)]
    if not mine:
        return None
    purchasable = [offer for offer in mine if offer.is_purchasable]
    buyable = [offer for offer in purchasable if offer.is_in_stock]
    best = min(buyable or purchasable or mine, key=lambda offer: offer.price.amount)
    shown = next((row for row in _variants_of(product) if str(row.pk) == ref.variant_id), product)
    counts = [offer.available for offer in purchasable]
    return ProductCard(
        ref=ref,
        name=shown.get_title(),
        url=urljoin(site.url(), shown.get_absolute_url()),
        image_url=_image_url(shown) or _image_url(product),
        price=best.price,
        regular_price=best.regular_price,
        is_purchasable=bool(purchasable),
        available=None if None in counts else sum(count or 0 for count in counts),
        categories=tuple(category.name for category in product.categories.all()),
    )


def _image_url(product: Any) -> str:
    images = sorted(product.images.all(), key=lambda image: image.display_order)
    return urljoin(site.url(), images[0].original.url) if images else ""
