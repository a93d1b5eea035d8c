"""Wishlists: the named lists on which customers keep products."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from crm_plugin.shop.goods import ProductRef


@dataclass(frozen=True, slots=True)
class Like:
    """A product (or variant) that a customer keeps on a list; ``list_ref`` is empty for the default one."""

    ref: ProductRef
    liked_at: datetime
    list_ref: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishlist:
    """A list of a customer's.

    Attributes:
        list_ref: the shop's id of it; empty for the default list, which everybody has.
        key: by which a public list is found; unguessable.
        is_public: whoever knows the key may read it.
    """

    list_ref: str
    customer_id: str
    name: str
    key: str
    is_public: bool = False
    created_at: datetime | None = None
