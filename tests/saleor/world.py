"""Rows in Saleor, made by its ORM: for the contract suite and for tests that need more than GraphQL makes easily."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from typing import Any

from django.test import RequestFactory
from graphene import Node
from saleor.account.models import User
from saleor.checkout.models import Checkout, CheckoutLine
from saleor.core.jwt import create_access_token
from saleor.discount import DiscountValueType, VoucherType
from saleor.discount.models import Voucher, VoucherChannelListing, VoucherCode
from saleor.graphql.context import get_context_value
from saleor.order import OrderOrigin, OrderStatus
from saleor.order.models import Order
from saleor.permission.models import Permission as PermissionRow
from saleor.product.models import (
    Category,
    Product,
    ProductChannelListing,
    ProductVariant,
    ProductVariantChannelListing,
)
from saleor.product.models import Collection as SaleorCollection
from saleor.shipping.models import ShippingMethodChannelListing
from saleor.warehouse.models import Stock

from crm_plugin import clock
from crm_plugin.shop import Permission, ProductRef, Shop
from tests.shop_contract import Lines

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class SaleorWorld:
    """See ``tests.shop_contract.world.World``."""

    shop: Shop
    channel: Any
    warehouse: Any
    product_type: Any
    category: Any
    keeps_reviews: bool = False

    # People

    def make_customer(self, *, email: str, first_name: str = "", last_name: str = "") -> str:
        """Make an account."""
        user = User.objects.create(email=email, first_name=first_name, last_name=last_name, is_confirmed=True)
        return str(user.pk)

    def delete_customer(self, customer_id: str) -> None:
        """Delete the account."""
        User.objects.get(pk=customer_id).delete()

    def context(
        self, *, customer_id: str = "", is_staff: bool = False, permissions: Collection[Permission] = ()
    ) -> Any:
        """Return the context of a real request with a real token."""
        headers = {}
        if customer_id or is_staff:
            key = customer_id or self.make_customer(email=f"staff{next(_numbers)}@example.com")
            user = User.objects.get(pk=key)
            user.is_staff = is_staff
            user.save()
            user.user_permissions.set(PermissionRow.objects.filter(codename__in=[str(one) for one in permissions]))
            headers["HTTP_AUTHORIZATION"] = f"JWT {create_access_token(user)}"
        return get_context_value(RequestFactory().post("/graphql/", **headers))

    # Goods

    def make_product(self, *, prices: Sequence[Decimal], stocks: Sequence[int], name: str) -> Sequence[ProductRef]:
        """Make a published product with a variant for each price."""
        product = Product.objects.create(
            name=name, slug=f"product-{next(_numbers)}", product_type=self.product_type, category=self.category
        )
        ProductChannelListing.objects.create(
            product=product,
            channel=self.channel,
            currency=self.channel.currency_code,
            is_published=True,
            published_at=datetime(2020, 1, 1, tzinfo=UTC),
            visible_in_listings=True,
            available_for_purchase_at=datetime(2020, 1, 1, tzinfo=UTC),
            discounted_price_amount=min(prices),
        )
        return [
            self._make_variant(product, price, stock, name=f"Size {index}" if len(prices) > 1 else "")
            for index, (price, stock) in enumerate(zip(prices, stocks, strict=True))
        ]

    def _make_variant(self, product: Any, price: Decimal, stock: int, *, name: str) -> ProductRef:
        variant = ProductVariant.objects.create(product=product, sku=f"SKU-{next(_numbers)}", name=name)
        ProductVariantChannelListing.objects.create(
            variant=variant,
            channel=self.channel,
            currency=self.channel.currency_code,
            price_amount=price,
            discounted_price_amount=price,
        )
        Stock.objects.create(warehouse=self.warehouse, product_variant=variant, quantity=stock)
        return ProductRef(str(product.pk), self.channel.slug, str(variant.pk))

    def set_price(self, ref: ProductRef, price: Decimal) -> None:
        """Change the base price as a bulk edit does."""
        ProductVariantChannelListing.objects.filter(variant_id=ref.variant_id, channel=self.channel).update(
            price_amount=price, discounted_price_amount=price
        )

    def set_stock(self, ref: ProductRef, available: int) -> None:
        """Change the quantity in the warehouse."""
        Stock.objects.filter(product_variant_id=ref.variant_id).update(quantity=available)

    def unpublish(self, ref: ProductRef) -> None:
        """Take the product out of the channel's publication."""
        ProductChannelListing.objects.filter(product_id=ref.product_id).update(is_published=False)

    def delete_product(self, ref: ProductRef) -> None:
        """Delete the product."""
        Product.objects.get(pk=ref.product_id).delete()

    def unsettle(self, ref: ProductRef) -> bool:
        """Mark the price as one to be computed again."""
        ProductChannelListing.objects.filter(product_id=ref.product_id).update(discounted_price_dirty=True)
        return True

    def make_category(self, name: str, *, parent: str = "") -> str:
        """Make a category."""
        above = Category.objects.get(pk=parent.partition(":")[2]) if parent else None
        row = Category.objects.create(name=name, slug=f"category-{next(_numbers)}", parent=above)
        return f"category:{row.pk}"

    def make_collection(self, name: str) -> str:
        """Make a collection."""
        return f"collection:{SaleorCollection.objects.create(name=name, slug=f'collection-{next(_numbers)}').pk}"

    def put_in(self, ref: ProductRef, *keys: str) -> None:
        """Put the product into one category and any collections."""
        pks: dict[str, list[str]] = {"category": [], "collection": []}
        for key in keys:
            kind, _colon, pk = key.partition(":")
            pks[kind].append(pk)
        Product.objects.filter(pk=ref.product_id).update(category_id=next(iter(pks["category"]), None))
        Product.objects.get(pk=ref.product_id).collections.set(pks["collection"])

    def make_voucher(
        self,
        code: str,
        *refs: ProductRef,
        group: str = "",
        starts_at: datetime | None = None,
        is_personal: bool = False,
    ) -> str:
        """Make a voucher of a tenth off."""
        voucher = Voucher.objects.create(
            name=f"Voucher {code}",
            type=VoucherType.SPECIFIC_PRODUCT if refs or group else VoucherType.ENTIRE_ORDER,
            discount_value_type=DiscountValueType.PERCENTAGE,
            start_date=starts_at or clock.now(),
            single_use=is_personal,
        )
        VoucherCode.objects.create(voucher=voucher, code=code)
        VoucherChannelListing.objects.create(
            voucher=voucher, channel=self.channel, discount_value=10, currency=self.channel.currency_code
        )
        kind, _colon, pk = group.partition(":")
        voucher.products.set([ref.product_id for ref in refs])
        voucher.categories.set([pk] if kind == "category" else [])
        voucher.collections.set([pk] if kind == "collection" else [])
        return str(voucher.pk)

    def delete_voucher(self, voucher_ref: str) -> None:
        """Delete the voucher."""
        Voucher.objects.get(pk=voucher_ref).delete()

    # Trade

    def make_cart(self, lines: Lines, *, customer_id: str = "", email: str = "") -> str:
        """Fill a checkout."""
        checkout = Checkout.objects.create(
            channel=self.channel, currency=self.channel.currency_code, user_id=customer_id or None, email=email or None
        )
        for ref, quantity in lines:
            CheckoutLine.objects.create(
                checkout=checkout,
                variant_id=ref.variant_id,
                quantity=quantity,
                currency=self.channel.currency_code,
                undiscounted_unit_price_amount=self._price(ref),
            )
        return str(checkout.pk)

    def place_order(self, lines: Lines, *, customer_id: str = "", email: str = "", cart_ref: str = "") -> str:
        """Write a placed order; its checkout goes, as in Saleor."""
        Checkout.objects.filter(pk=cart_ref or None).delete()
        return self._make_order(
            lines, status=OrderStatus.UNFULFILLED, customer_id=customer_id, email=email, cart_ref=cart_ref
        )

    def place_order_with(self, lines: Lines, coupon_code: str, *, email: str) -> str:
        """Buy in the storefront, by GraphQL."""
        from tests.saleor import asking, checkout  # noqa: PLC0415 - these build on worlds

        ShippingMethodChannelListing.objects.update(price_amount=7)
        ((ref, quantity),) = lines
        codes = [coupon_code] if coupon_code else []
        cart = checkout.deliver(asking.anybody(), ref, email=email, quantity=quantity)
        if any(checkout.refused(asking.anybody(), cart, code) for code in codes):
            return ""
        key = checkout.buy(asking.anybody(), ref, email=email, quantity=quantity, codes=codes)
        return str(Node.from_global_id(key)[1])

    def delete_coupon(self, code: str) -> None:
        """Delete the code."""
        VoucherCode.objects.get(code=code).delete()

    def delete_series(self, series_ref: str) -> None:
        """Delete the voucher."""
        Voucher.objects.get(pk=series_ref).delete()

    def make_review(self, ref: ProductRef, *, rating: int, customer_id: str, title: str = "", body: str = "") -> str:
        """Saleor has no reviews."""
        raise NotImplementedError

    def delete_review(self, review_ref: str) -> None:
        """Saleor has no reviews."""
        raise NotImplementedError

    def make_draft_order(self, lines: Lines, *, customer_id: str) -> str:
        """Write a draft."""
        return self._make_order(lines, status=OrderStatus.DRAFT, customer_id=customer_id)

    def cancel_order(self, order_ref: str) -> None:
        """Cancel the order."""
        order = Order.objects.get(pk=order_ref)
        order.status = OrderStatus.CANCELED
        order.save(update_fields=["status", "updated_at"])

    def _make_order(
        self, lines: Lines, *, status: str, customer_id: str = "", email: str = "", cart_ref: str = ""
    ) -> str:
        total = sum((self._price(ref) * quantity for ref, quantity in lines), Decimal(0))
        order = Order.objects.create(
            channel=self.channel,
            currency=self.channel.currency_code,
            status=status,
            origin=OrderOrigin.DRAFT if status == OrderStatus.DRAFT else OrderOrigin.CHECKOUT,
            lines_count=len(lines),
            total_net_amount=total,
            total_gross_amount=total,
            user_id=customer_id or None,
            user_email=email or (User.objects.get(pk=customer_id).email if customer_id else ""),
            checkout_token=cart_ref,
        )
        for ref, quantity in lines:
            price = self._price(ref)
            order.lines.create(
                variant_id=ref.variant_id,
                product_name="Something",
                is_shipping_required=True,
                is_gift_card=False,
                quantity=quantity,
                currency=order.currency,
                base_unit_price_amount=price,
                unit_price_net_amount=price,
                unit_price_gross_amount=price,
                total_price_net_amount=price * quantity,
                total_price_gross_amount=price * quantity,
            )
        return str(order.pk)

    def _price(self, ref: ProductRef) -> Decimal:
        listing = ProductVariantChannelListing.objects.get(variant_id=ref.variant_id, channel=self.channel)
        price: Decimal = listing.discounted_price_amount
        return price
