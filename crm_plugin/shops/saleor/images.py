"""Pictures of products, as absolute addresses that a mail client can load."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from saleor.product import ProductMediaTypes
from saleor.product.models import ProductMedia, VariantMedia
from saleor.thumbnail.models import Thumbnail
from saleor.thumbnail.utils import get_image_or_proxy_url

from crm_plugin.shops.saleor import configuration

#: Pixels of the longer side; one of the sizes that Saleor makes.
SIZE: Final = 512


@dataclass(frozen=True, slots=True)
class Pictures:
    """Addresses by primary key."""

    products: dict[int, str] = field(default_factory=dict)
    variants: dict[int, str] = field(default_factory=dict)

    def of(self, product_id: int, variant_id: int | None) -> str:
        """Return the picture of the variant, else of its product, else nothing."""
        own = self.variants.get(variant_id, "") if variant_id is not None else ""
        return own or self.products.get(product_id, "")


def pictures(*, product_ids: Collection[int], variant_ids: Collection[int]) -> Pictures:
    """Return the first picture of each product and variant; a video is none."""
    of_products = {
        row.product_id: row
        for row in ProductMedia.objects.filter(product_id__in=product_ids, type=ProductMediaTypes.IMAGE)
        .order_by("product_id", "sort_order", "pk")
        .distinct("product_id")
    }
    of_variants = {
        row.variant_id: row.media
        for row in VariantMedia.objects.filter(variant_id__in=variant_ids, media__type=ProductMediaTypes.IMAGE)
        .select_related("media")
        .order_by("variant_id", "media__sort_order", "media_id")
        .distinct("variant_id")
    }
    addresses = _addresses([*of_products.values(), *of_variants.values()])
    return Pictures(
        {pk: addresses[media.pk] for pk, media in of_products.items()},
        {pk: addresses[media.pk] for pk, media in of_variants.items()},
    )


def _addresses(media: Iterable[Any]) -> dict[int, str]:
    """Return thumbnails where Saleor has made them, else the address at which it makes them when asked."""
    rows = {row.pk: row for row in media}
    made = {
        thumbnail.product_media_id: thumbnail
        for thumbnail in Thumbnail.objects.filter(product_media_id__in=rows, size=SIZE, format__isnull=True)
    }
    return {
        pk: configuration.absolute(get_image_or_proxy_url(made.get(pk), str(pk), "ProductMedia", SIZE, None))
        for pk in rows
    }
