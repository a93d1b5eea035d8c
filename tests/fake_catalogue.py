"""The goods of the FakeShop: products, variants, what they cost in which channel, and how many are left."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from crm_plugin import clock
from crm_plugin.money import Money
from crm_plugin.shop import Fact, FactKind, Group, GroupKind, Offer, ProductCard, ProductRef, ShopChannel, Voucher


@dataclass(slots=True)
class FakeListing:
    """What one variant costs in one channel."""

    price: Money
    regular_price: Money
    is_purchasable: bool = True
    is_settled: bool = True


@dataclass(slots=True)
class FakeVariant:
    """One thing that can be put in a cart. ``available`` None: the shop does not count it."""

    variant_id: str
    available: int | None
    listings: dict[str, FakeListing] = field(default_factory=dict)


@dataclass(slots=True)
class FakeProduct:
    """A product as a test holds it: ``ref`` is its first variant, ``whole`` the product itself."""

    product_id: str
    shop_channel: str
    name: str
    names: Mapping[str, str]
    categories: tuple[str, ...]
    variants: list[FakeVariant] = field(default_factory=list)
    group_keys: set[str] = field(default_factory=set)

    @property
    def variant_id(self) -> str:
        """The id of the first variant."""
        return self.variants[0].variant_id

    @property
    def ref(self) -> ProductRef:
        """The first variant in the channel it was made for."""
        return ProductRef(self.product_id, self.shop_channel, self.variant_id)

    @property
    def whole(self) -> ProductRef:
        """The product as a whole in the channel it was made for."""
        return ProductRef(self.product_id, self.shop_channel)

    def offers(self, shop_channel: str) -> Iterator[Offer]:
        """Yield the offer of each variant listed in the channel."""
        for variant in self.variants:
            listing = variant.listings.get(shop_channel)
            if listing is not None:
                yield Offer(
                    product_id=self.product_id,
                    variant_id=variant.variant_id,
                    shop_channel=shop_channel,
                    price=listing.price,
                    regular_price=listing.regular_price,
                    is_purchasable=listing.is_purchasable,
                    available=variant.available,
                    is_settled=listing.is_settled,
                )

    def card(self, ref: ProductRef, *, language: str) -> ProductCard | None:
        """Return the card of the product, or of the variant that ``ref`` names; None when it is not listed."""
        offers = [offer for offer in self.offers(ref.shop_channel) if ref.variant_id in ("", offer.variant_id)]
        if not offers:
            return None
        buyable = [offer for offer in offers if offer.is_purchasable and offer.is_in_stock]
        best = min(buyable or offers, key=lambda offer: offer.price.amount)
        counts = [offer.available for offer in offers]
        return ProductCard(
            ref=ref,
            name=self.names.get(language, self.name),
            url=f"https://shop.example/{ref.shop_channel}/products/{self.product_id}/",
            image_url=f"https://shop.example/media/products/{self.product_id}.jpg",
            price=best.price,
            regular_price=best.regular_price,
            is_purchasable=any(offer.is_purchasable for offer in offers),
            available=None if None in counts else sum(count or 0 for count in counts),
            categories=self.categories,
        )


@dataclass(slots=True, kw_only=True)
class FakeVoucher:
    """A voucher as a test holds it; without products and groups it is valid for everything."""

    voucher_ref: str
    code: str
    name: str
    shop_channels: tuple[str, ...]
    made_at: datetime
    starts_at: datetime
    ends_at: datetime | None
    products: set[str] = field(default_factory=set)
    group_keys: set[str] = field(default_factory=set)

    @property
    def fact(self) -> Fact:
        """That it was made, as a hook or the stream tells it."""
        return Fact(
            kind=FactKind.VOUCHER_CREATED,
            source_key=f"voucher:{self.voucher_ref}",
            occurred_at=self.starts_at,
            subject=self.voucher_ref,
        )

    def covering(self, product_ids: Iterable[str] | None) -> Voucher:
        """Return it with the products that it covers; None: all there are."""
        return Voucher(
            voucher_ref=self.voucher_ref,
            code=self.code,
            name=self.name,
            shop_channels=self.shop_channels,
            made_at=self.made_at,
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            product_ids=None if product_ids is None else tuple(product_ids),
        )


class FakeCatalogue:
    """Builds and changes products. Nothing here tells the engine: a test says itself when a hook would have."""

    def __init__(self, channels: Sequence[ShopChannel]) -> None:
        self._channels = {channel.slug: channel for channel in channels}
        self.default_channel = channels[0].slug
        self.products: dict[str, FakeProduct] = {}
        self.group_rows: dict[str, Group] = {}
        self._parents: dict[str, str] = {}
        self._variants_count = 0
        self.voucher_rows: dict[str, FakeVoucher] = {}
        #: The products of each promotion.
        self.promotions: dict[str, list[str]] = {}

    def money(self, amount: Decimal | str | int, *, shop_channel: str = "") -> Money:
        """Return ``amount`` in the currency of the channel (the default one when left out)."""
        return Money(Decimal(amount), self._channels[shop_channel or self.default_channel].currency)

    def add_product(
        self,
        *,
        price: Decimal | str | int = "50.00",
        regular_price: Decimal | str | int | None = None,
        stock: int | None = 10,
        name: str = "",
        names: Mapping[str, str] | None = None,
        shop_channel: str = "",
        categories: Sequence[str] = (),
    ) -> FakeProduct:
        """Add a product with one variant; ``names`` maps a language to its translated name."""
        product_id = str(len(self.products) + 1)
        slug = shop_channel or self.default_channel
        product = FakeProduct(product_id, slug, name or f"Product {product_id}", names or {}, tuple(categories))
        self.products[product_id] = product
        self.add_variant(product, price=price, regular_price=regular_price, stock=stock)
        return product

    def add_variant(
        self,
        product: FakeProduct,
        *,
        price: Decimal | str | int,
        regular_price: Decimal | str | int | None = None,
        stock: int | None = 10,
    ) -> ProductRef:
        """Add a further variant to a product."""
        self._variants_count += 1
        variant = FakeVariant(str(1_000 + self._variants_count), stock)
        product.variants.append(variant)
        ref = ProductRef(product.product_id, product.shop_channel, variant.variant_id)
        self.list_in(ref, price=price, regular_price=regular_price)
        return ref

    def list_in(
        self, ref: ProductRef, *, price: Decimal | str | int, regular_price: Decimal | str | int | None = None
    ) -> None:
        """List a variant in the channel that ``ref`` names."""
        regular = price if regular_price is None else regular_price
        self._variant(ref).listings[ref.shop_channel] = FakeListing(
            self.money(price, shop_channel=ref.shop_channel), self.money(regular, shop_channel=ref.shop_channel)
        )

    def add_group(self, name: str, *, kind: GroupKind = GroupKind.CATEGORY, parent: Group | None = None) -> Group:
        """Add a category (below ``parent``) or a collection."""
        path = f"{parent.path} / {name}" if parent else name
        group = Group(kind, str(len(self.group_rows) + 1), name, path)
        self.group_rows[group.key] = group
        if parent is not None:
            self._parents[group.key] = parent.key
        return group

    def put_in(self, product: FakeProduct, *groups: Group) -> None:
        """Put a product into these groups and into no other."""
        product.group_keys = {group.key for group in groups}

    def add_voucher(
        self,
        code: str,
        *products: FakeProduct,
        group: Group | None = None,
        name: str = "",
        shop_channels: Sequence[str] = (),
        starts_at: datetime | None = None,
        ends_at: datetime | None = None,
    ) -> FakeVoucher:
        """Add a voucher for these products or what is in the group; for everything when neither is given.

        One without a code is handed out to persons, each with a code of their own.
        """
        ref = f"V{len(self.voucher_rows) + 1}"
        self.voucher_rows[ref] = FakeVoucher(
            voucher_ref=ref,
            code=code,
            name=name or code.title(),
            shop_channels=tuple(shop_channels) or (self.default_channel,),
            made_at=clock.now(),
            starts_at=starts_at or clock.now(),
            ends_at=ends_at,
            products={product.product_id for product in products},
            group_keys={group.key} if group else set(),
        )
        return self.voucher_rows[ref]

    def vouchers_begun(self) -> list[FakeVoucher]:
        """Return the vouchers whose time has come."""
        return [row for row in self.voucher_rows.values() if row.starts_at <= clock.now()]

    def covered(self, voucher: FakeVoucher, among: Iterable[str]) -> list[str] | None:
        """Return which of the products a voucher is valid for; None when it is for everything."""
        if not voucher.products and not voucher.group_keys:
            return None
        known = [self.products[key] for key in among if key in self.products]
        return [
            product.product_id
            for product in known
            if product.product_id in voucher.products or self.with_those_above(product.group_keys) & voucher.group_keys
        ]

    def with_those_above(self, keys: set[str]) -> frozenset[str]:
        """Return the keys and those of all the categories above them."""
        found: set[str] = set()
        while keys - found:
            found |= keys
            keys = {self._parents[key] for key in found if key in self._parents}
        return frozenset(found)

    def set_price(
        self, ref: ProductRef, price: Decimal | str | int, *, regular_price: Decimal | str | int | None = None
    ) -> None:
        """Set the price of every listing that ``ref`` names; the regular price follows unless it is given."""
        for listing in self._listings(ref):
            listing.price = self.money(price, shop_channel=ref.shop_channel)
            regular = price if regular_price is None else regular_price
            listing.regular_price = self.money(regular, shop_channel=ref.shop_channel)

    def set_stock(self, ref: ProductRef, available: int | None) -> None:
        """Set how many units of each variant that ``ref`` names can be sold."""
        for variant in self._matching(ref):
            variant.available = available

    def unpublish(self, ref: ProductRef) -> None:
        """Make it not purchasable in the channel."""
        for listing in self._listings(ref):
            listing.is_purchasable = False

    def publish(self, ref: ProductRef) -> None:
        """Make it purchasable in the channel again."""
        for listing in self._listings(ref):
            listing.is_purchasable = True

    def unsettle(self, ref: ProductRef, *, is_settled: bool = False) -> None:
        """Mark the price as still being computed by the shop (or as ready again)."""
        for listing in self._listings(ref):
            listing.is_settled = is_settled

    def delete_product(self, ref: ProductRef) -> None:
        """Delete the whole product."""
        self.products.pop(ref.product_id, None)

    def _matching(self, ref: ProductRef) -> list[FakeVariant]:
        variants = self.products[ref.product_id].variants
        return [variant for variant in variants if ref.variant_id in ("", variant.variant_id)]

    def _variant(self, ref: ProductRef) -> FakeVariant:
        return self._matching(ref)[0]

    def _listings(self, ref: ProductRef) -> list[FakeListing]:
        variants = self._matching(ref)
        return [variant.listings[ref.shop_channel] for variant in variants if ref.shop_channel in variant.listings]
