"""What a message shows of a product."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from saleor.product.models import (
    CategoryTranslation,
    Product,
    ProductTranslation,
    ProductVariant,
    ProductVariantTranslation,
)

from crm_plugin.shop import Offer, ProductCard, ProductRef
from crm_plugin.shops.saleor import configuration
from crm_plugin.shops.saleor.images import Pictures, pictures
from crm_plugin.shops.saleor.offers import offers
from crm_plugin.shops.saleor.people import as_pks


@dataclass(frozen=True, slots=True)
class _Texts:
    """Names in the reader's language, by primary key; what has no translation keeps its own name."""

    products: Mapping[int, str]
    categories: Mapping[int, str]
    variants: Mapping[int, str]


def product_cards(refs: Collection[ProductRef], *, language: str) -> dict[ProductRef, ProductCard]:
    """Return the cards of what is listed in the channel of each ref, in a fixed number of queries for each channel."""
    offered = {ref: found for ref, found in _offered(refs).items() if found}
    products = {
        str(row.pk): row
        for row in Product.objects.filter(pk__in=as_pks({ref.product_id for ref in offered}))
        .select_related("category")
        .only("name", "slug", "category__name")
    }
    variants = ProductVariant.objects.filter(pk__in=as_pks({ref.variant_id for ref in offered}))
    texts = _texts(products.values(), dict(variants.order_by().values_list("pk", "name")), language=language)
    shown = pictures(product_ids=[row.pk for row in products.values()], variant_ids=list(texts.variants))
    return {
        ref: _card(ref, products[ref.product_id], found, texts=texts, shown=shown)
        for ref, found in offered.items()
        if ref.product_id in products
    }


def search_products(text: str, *, shop_channel: str, language: str, limit: int) -> list[ProductCard]:
    """Return products whose name, in any language, contains ``text``."""
    by_name = Q(name__icontains=text) | Q(translations__name__icontains=text)
    rows = (
        Product.objects.filter(by_name, channel_listings__channel__slug=shop_channel)
        .order_by("name", "pk")
        .values_list("pk", "name")
        .distinct()
    )
    refs = [ProductRef(str(pk), shop_channel) for pk, _name in rows[:limit]]
    found = product_cards(refs, language=language)
    return [found[ref] for ref in refs if ref in found]


def _offered(refs: Collection[ProductRef]) -> dict[ProductRef, list[Offer]]:
    products: defaultdict[str, set[str]] = defaultdict(set)
    for ref in refs:
        products[ref.shop_channel].add(ref.product_id)
    found: defaultdict[tuple[str, str], list[Offer]] = defaultdict(list)
    for channel, wanted in sorted(products.items()):
        for offer in offers(wanted, shop_channel=channel):
            found[offer.product_id, channel].append(offer)
    return {
        ref: [offer for offer in found[ref.product_id, ref.shop_channel] if ref.variant_id in ("", offer.variant_id)]
        for ref in refs
    }


def _card(ref: ProductRef, row: Any, found: Sequence[Offer], *, texts: _Texts, shown: Pictures) -> ProductCard:
    best = _best(found)
    variant = int(ref.variant_id) if ref.variant_id else None
    category = texts.categories.get(row.category_id, "")
    return ProductCard(
        ref=ref,
        name=_name(texts.products[row.pk], texts.variants.get(variant, "") if variant else ""),
        url=configuration.product_url(
            channel=ref.shop_channel, slug=row.slug, product_id=ref.product_id, variant_id=ref.variant_id
        ),
        image_url=shown.of(row.pk, variant),
        price=best.price,
        regular_price=best.regular_price,
        is_purchasable=any(offer.is_purchasable for offer in found),
        available=_total(found),
        categories=(category,) if category else (),
    )


def _best(found: Sequence[Offer]) -> Offer:
    """Return the cheapest offer that can be bought; the cheapest of all when none can."""
    buyable = [offer for offer in found if offer.is_purchasable and offer.is_in_stock]
    return min(buyable or found, key=lambda offer: offer.price.amount)


def _total(found: Sequence[Offer]) -> int | None:
    counts = [offer.available for offer in found]
    return None if None in counts else sum(count or 0 for count in counts)


def _name(product: str, variant: str) -> str:
    return f"{product} ({variant})" if variant and variant != product else product


def _texts(products: Iterable[Any], variants: Mapping[int, str], *, language: str) -> _Texts:
    rows = list(products)
    names = {row.pk: row.name for row in rows}
    categories = {row.category_id: row.category.name for row in rows if row.category_id is not None}
    return _Texts(
        products=names | translated(ProductTranslation, "product_id", names, language=language),
        categories=categories | translated(CategoryTranslation, "category_id", categories, language=language),
        variants=dict(variants)
        | translated(ProductVariantTranslation, "product_variant_id", variants, language=language),
    )


def translated(model: Any, column: str, pks: Collection[int], *, language: str) -> dict[int, str]:
    """Return the names that are translated, by primary key; ``de-at`` falls back on ``de``."""
    codes = list(dict.fromkeys((language.partition("-")[0].lower(), language.lower())))
    rows = model.objects.filter(**{f"{column}__in": list(pks)}, language_code__in=codes).values_list(
        "language_code", column, "name"
    )
    ordered = sorted(rows, key=lambda row: codes.index(row[0]))
    return {pk: name for _code, pk, name in ordered if name}
