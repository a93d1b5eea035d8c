"""What a shop sells: products, prices, groups."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from crm_plugin.money import Money


@dataclass(frozen=True, slots=True)
class ProductRef:
    """A product, or one variant of it, as sold in one channel. An empty ``variant_id`` means the product."""

    product_id: str
    shop_channel: str
    variant_id: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    """What one variant costs and whether it can be bought in one channel, read from the shop at this moment.

    Attributes:
        price: what a shopper pays without a coupon.
        regular_price: the price before promotions; equal to ``price`` when there is none.
        is_purchasable: published and listed in the channel; says nothing of stock.
        available: units that can be sold now; None when the shop does not count them.
        is_settled: False while the shop is still computing the price (Saleor's ``discounted_price_dirty``).
    """

    product_id: str
    variant_id: str
    shop_channel: str
    price: Money
    regular_price: Money
    is_purchasable: bool = True
    available: int | None = None
    is_settled: bool = True

    @property
    def is_in_stock(self) -> bool:
        """Whether at least one unit can be sold."""
        return self.available is None or self.available > 0


@dataclass(frozen=True, slots=True)
class ProductCard:
    """What a message shows of a product. ``url`` and ``image_url`` are absolute; the image may be empty."""

    ref: ProductRef
    name: str
    url: str
    image_url: str
    price: Money
    regular_price: Money
    is_purchasable: bool
    available: int | None
    categories: tuple[str, ...] = ()

    @property
    def is_in_stock(self) -> bool:
        """Whether at least one unit can be sold."""
        return self.available is None or self.available > 0


class GroupKind(StrEnum):
    """The ways in which a shop sorts its products."""

    CATEGORY = "category"
    COLLECTION = "collection"


@dataclass(frozen=True, slots=True)
class Group:
    """A category or a collection. ``path`` is its name with those above it, for pickers (``Scents / Perfume``)."""

    kind: GroupKind
    group_id: str
    name: str
    path: str = ""

    @property
    def key(self) -> str:
        """The text by which everything else names it: ``category:12``."""
        return f"{self.kind.value}:{self.group_id}"
