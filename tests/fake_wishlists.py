"""The wishlists of the FakeShop. Putting something on a list and taking it off tells the engine, as the port says."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from crm_plugin import clock
from crm_plugin.errors import NotFound
from crm_plugin.shop import Fact, FactKind, Like, ProductRef, ShopChannel, Wishlist
from tests.fake_trade import FakeTrade


class FakeWishlists(FakeTrade):
    """The wishlists of the port in memory; a default list has a key once it was changed."""

    def __init__(self, channels: Sequence[ShopChannel]) -> None:
        super().__init__(channels)
        #: By customer and ``list_ref``; the default list is there once it was changed.
        self.wishlist_rows: dict[tuple[str, str], Wishlist] = {}
        self._likes: dict[tuple[str, str, ProductRef], datetime] = {}
        self._lists_count = 0

    def _say(self, fact: Fact) -> None:
        raise NotImplementedError

    # The port: lists

    def wishlists(self, customer_id: str) -> Sequence[Wishlist]:
        """Return the customer's lists, the default one first."""
        mine = [row for (owner, ref), row in self.wishlist_rows.items() if owner == customer_id and ref]
        return [self._list(customer_id, ""), *mine]

    def public_wishlist(self, key: str) -> Wishlist | None:
        """Return the public list of that key."""
        return next((row for row in self.wishlist_rows.values() if key and row.key == key and row.is_public), None)

    def make_wishlist(self, customer_id: str, *, name: str) -> Wishlist:
        """Make another list."""
        self._lists_count += 1
        row = _new(customer_id, f"L{self._lists_count}", name)
        self.wishlist_rows[customer_id, row.list_ref] = row
        return row

    def change_wishlist(
        self, customer_id: str, list_ref: str, *, name: str | None = None, is_public: bool | None = None
    ) -> Wishlist:
        """Change what is given."""
        before = self._list(customer_id, list_ref)
        row = replace(
            before,
            name=before.name if name is None else name,
            is_public=before.is_public if is_public is None else is_public,
            key=before.key or _key(),
        )
        self.wishlist_rows[customer_id, list_ref] = row
        return row

    def drop_wishlist(self, customer_id: str, list_ref: str) -> None:
        """Delete the list, or empty the default one, and tell what is liked no more."""
        self._list(customer_id, list_ref)
        self._take_off({key for key in self._likes if key[:2] == (customer_id, list_ref)})
        if list_ref:
            del self.wishlist_rows[customer_id, list_ref]

    # The port: likes

    def likes(self, customer_id: str, *, list_ref: str | None = None) -> Sequence[Like]:
        """Return the customer's likes, newest first."""
        mine = [
            Like(ref, at, where)
            for (owner, where, ref), at in self._likes.items()
            if owner == customer_id and list_ref in (None, where)
        ]
        mine.reverse()  # among equals the later one is the newer one
        return sorted(mine, key=lambda like: like.liked_at, reverse=True)

    def liked(self, customer_id: str, product_ids: Collection[str], *, shop_channel: str) -> frozenset[str]:
        """Return which of the products are on any list."""
        mine = {ref.product_id for owner, ref in self._kept(shop_channel) if owner == customer_id}
        return frozenset(mine & set(product_ids))

    def like_counts(self, product_ids: Collection[str], *, shop_channel: str) -> Mapping[str, int]:
        """Return how many customers keep each product."""
        owners: dict[str, set[str]] = {}
        for owner, ref in self._kept(shop_channel):
            if ref.product_id in product_ids:
                owners.setdefault(ref.product_id, set()).add(owner)
        return {product_id: len(found) for product_id, found in owners.items()}

    def like(self, customer_id: str, ref: ProductRef, *, list_ref: str = "") -> None:
        """Keep the like and tell the engine, once for each list."""
        self._list(customer_id, list_ref)
        product = self.products.get(ref.product_id)
        if product is None or not any(
            ref.variant_id in ("", offer.variant_id) for offer in product.offers(ref.shop_channel)
        ):
            raise NotFound(f"{ref.shop_channel} offers no product {ref.product_id}.")
        key = (customer_id, list_ref, ref)
        if key not in self._likes:
            self._likes[key] = clock.now()
            self._say(like_fact(FactKind.LIKED, customer_id, ref, self._likes[key], list_ref=list_ref))

    def unlike(self, customer_id: str, ref: ProductRef, *, list_ref: str | None = None) -> None:
        """Take the like back and tell the engine, if it is on no list any more."""
        if list_ref is not None:
            self._list(customer_id, list_ref)
        mine = {key for key in self._likes if key[0] == customer_id and key[2] == ref}
        self._take_off({key for key in mine if list_ref in (None, key[1])})

    def _take_off(self, doomed: Collection[tuple[str, str, ProductRef]]) -> None:
        """Delete the likes; tell of each product that is on no list any more, by none of its variants."""
        for key in doomed:
            del self._likes[key]
        left = {_product_of(owner, ref) for owner, _list_ref, ref in self._likes}
        gone = {_product_of(owner, ref): ref for owner, _list_ref, ref in doomed}
        for product, ref in gone.items():
            if product not in left:
                self._say(like_fact(FactKind.UNLIKED, product[0], ref, clock.now()))

    def _kept(self, shop_channel: str) -> list[tuple[str, ProductRef]]:
        return [(owner, ref) for owner, _list_ref, ref in self._likes if ref.shop_channel == shop_channel]

    def _list(self, customer_id: str, list_ref: str) -> Wishlist:
        row = self.wishlist_rows.get((customer_id, list_ref))
        if row is None and list_ref:
            raise NotFound(f"Customer {customer_id} has no list {list_ref}.")
        return row or Wishlist(list_ref="", customer_id=customer_id, name="", key="")

    def _like_facts(self) -> list[Fact]:
        """Return what the stream tells of the likes that there are."""
        return [
            like_fact(FactKind.LIKED, owner, ref, at, list_ref=list_ref)
            for (owner, list_ref, ref), at in self._likes.items()
        ]


def like_fact(kind: FactKind, customer_id: str, ref: ProductRef, at: datetime, *, list_ref: str = "") -> Fact:
    """Return the fact of a like, or of one taken back."""
    parts = (customer_id, ref.shop_channel, ref.product_id, ref.variant_id, at.isoformat())
    return Fact(
        kind=kind,
        source_key=f"{kind.value}:{':'.join(parts)}{f':{list_ref}' if list_ref else ''}",
        occurred_at=at,
        customer_id=customer_id,
        product_id=ref.product_id,
        variant_id=ref.variant_id,
        shop_channel=ref.shop_channel,
    )


def _product_of(customer_id: str, ref: ProductRef) -> tuple[str, str, str]:
    return customer_id, ref.product_id, ref.shop_channel


def _new(customer_id: str, list_ref: str, name: str) -> Wishlist:
    return Wishlist(list_ref=list_ref, customer_id=customer_id, name=name, key=_key(), created_at=clock.now())


def _key() -> str:
    return secrets.token_hex(16)
