"""Categories, products with pictures, stock."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from django.core.files.base import ContentFile
from django.core.management import call_command
from django.utils.text import slugify
from oscar.apps.catalogue.categories import create_from_breadcrumbs
from oscar.core.loading import get_model

from demo.goods import DESCRIPTION, RANGES, Range
from demo.pictures import picture

Product = get_model("catalogue", "Product")
ProductClass = get_model("catalogue", "ProductClass")
ProductCategory = get_model("catalogue", "ProductCategory")
ProductImage = get_model("catalogue", "ProductImage")
Partner = get_model("partner", "Partner")
StockRecord = get_model("partner", "StockRecord")


def make_catalogue(chance: Random, *, limit: int | None = None, say: Callable[[str], None]) -> list[Any]:
    """Create the catalogue (of each category the first ``limit`` products); return what can be put in a basket."""
    kind = ProductClass.objects.create(name="Home goods", track_stock=True, requires_shipping=True)
    partner = Partner.objects.create(name="Maru & Moss warehouse")
    sellable = []
    for found in RANGES:
        category = create_from_breadcrumbs(found.name)
        products = _products(found, kind=kind, limit=limit)
        ProductCategory.objects.bulk_create(ProductCategory(product=row, category=category) for row in products)
        _pictures(found, products)
        sellable += _sellable(found, products, partner=partner, chance=chance)
        say(f"{found.name}: {len(products)} products")
    call_command("rebuild_index", interactive=False, verbosity=0)
    return sellable


def _products(found: Range, *, kind: Any, limit: int | None) -> list[Any]:
    sized = {name for name, _sizes in found.sizes}
    return Product.objects.bulk_create(  # type: ignore[no-any-return]
        Product(
            product_class=kind,
            structure=Product.PARENT if name in sized else Product.STANDALONE,
            title=name,
            slug=slugify(name),
            description=DESCRIPTION.format(name=name),
        )
        for name, _price in found.prices()[:limit]
    )


def _pictures(found: Range, products: list[Any]) -> None:
    images = []
    for row in products:
        image = ProductImage(product=row, caption=row.title)
        content = ContentFile(picture(row.title, colors=found.colors, shape=found.shape))
        image.original.save(f"{row.slug}.jpg", content, save=False)
        images.append(image)
    ProductImage.objects.bulk_create(images)


def _sellable(found: Range, products: list[Any], *, partner: Any, chance: Random) -> list[Any]:
    prices, sizes = dict(found.prices()), dict(found.sizes)
    children: list[Any] = Product.objects.bulk_create(
        Product(
            parent=row,
            structure=Product.CHILD,
            title=f"{row.title}, {size}",
            slug=slugify(f"{row.title} {size}"),
        )
        for row in products
        for size in sizes.get(row.title, "").split()
    )
    sellable: list[Any] = [row for row in products if row.title not in sizes] + children
    records = [
        StockRecord(
            product=row,
            partner=partner,
            partner_sku=f"MM-{row.pk:05}",
            price=prices[row.parent.title if row.is_child else row.title],
            num_in_stock=chance.randint(15, 120),
        )
        for row in sellable
    ]
    StockRecord.objects.bulk_create(records)
    return sellable
