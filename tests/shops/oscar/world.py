"""How tests put rows into a real Oscar shop, for the contract suite and for the adapter's own tests."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.models import Permission as DjangoPermission
from django.test import Client, RequestFactory
from django.urls import reverse
from oscar.apps.catalogue.categories import create_from_breadcrumbs
from oscar.core.compat import get_user_model
from oscar.core.loading import get_class, get_model

from crm_plugin import clock, shop
from crm_plugin.shop import Permission, ProductRef, Shop
from crm_plugin.shops.oscar import site
from tests.shop_contract import Lines

User: Any = get_user_model()
Basket = get_model("basket", "Basket")
Benefit = get_model("offer", "Benefit")
Category = get_model("catalogue", "Category")
Condition = get_model("offer", "Condition")
ConditionalOffer = get_model("offer", "ConditionalOffer")
Order = get_model("order", "Order")
Partner = get_model("partner", "Partner")
Product = get_model("catalogue", "Product")
ProductClass = get_model("catalogue", "ProductClass")
ProductReview = get_model("reviews", "ProductReview")
Range = get_model("offer", "Range")
StockRecord = get_model("partner", "StockRecord")
Voucher = get_model("voucher", "Voucher")
VoucherSet = get_model("voucher", "VoucherSet")
Applicator = get_class("offer.applicator", "Applicator")
FixedPrice = get_class("shipping.methods", "FixedPrice")
Free = get_class("shipping.methods", "Free")
OrderCreator = get_class("order.utils", "OrderCreator")
OrderNumberGenerator = get_class("order.utils", "OrderNumberGenerator")
OrderTotalCalculator = get_class("checkout.calculators", "OrderTotalCalculator")
Repository = get_class("shipping.repository", "Repository")
Selector = get_class("partner.strategy", "Selector")

#: What it costs to ship an order that was checked out.
SHIPPING = Decimal("4.90")
PASSWORD = "correct horse battery"


class OscarWorld:
    """Rows of an Oscar shop; each product with several prices is a parent with children."""

    keeps_reviews = True

    def __init__(self) -> None:
        self.shop: Shop = shop.current()
        self._category = create_from_breadcrumbs("Home")
        self._kind = ProductClass.objects.create(name="Goods")
        self._partner = Partner.objects.create(name="Warehouse")

    def make_customer(self, *, email: str, first_name: str = "", last_name: str = "") -> str:
        """Make an account with ``PASSWORD``."""
        names = {"first_name": first_name, "last_name": last_name}
        return str(User.objects.create_user(uuid4().hex[:30], email, PASSWORD, **names).pk)

    def delete_customer(self, customer_id: str) -> None:
        """Delete the account."""
        User.objects.get(pk=customer_id).delete()

    def make_product(self, *, prices: Sequence[Decimal], stocks: Sequence[int], name: str) -> Sequence[ProductRef]:
        """Make a stand-alone product, or a parent with a child for each price."""
        is_parent = len(prices) > 1
        structure = Product.PARENT if is_parent else Product.STANDALONE
        product = Product.objects.create(product_class=self._kind, structure=structure, title=name)
        product.categories.add(self._category)
        refs = []
        for number, (price, stock) in enumerate(zip(prices, stocks, strict=True)):
            row = (
                Product.objects.create(parent=product, structure=Product.CHILD, title=f"{name} {number}")
                if is_parent
                else product
            )
            StockRecord.objects.create(
                product=row, partner=self._partner, partner_sku=uuid4().hex, price=price, num_in_stock=stock
            )
            refs.append(ProductRef(str(product.pk), site.CHANNEL, str(row.pk)))
        return refs

    def set_price(self, ref: ProductRef, price: Decimal) -> None:
        """Change the price silently."""
        StockRecord.objects.filter(product_id=ref.variant_id).update(price=price)

    def set_stock(self, ref: ProductRef, available: int) -> None:
        """Change the stock silently."""
        StockRecord.objects.filter(product_id=ref.variant_id).update(num_in_stock=available)

    def unpublish(self, ref: ProductRef) -> None:
        """Hide the product."""
        Product.objects.filter(pk=ref.product_id).update(is_public=False)

    def delete_product(self, ref: ProductRef) -> None:
        """Delete the product and its children."""
        Product.objects.get(pk=ref.product_id).delete()

    def unsettle(self, ref: ProductRef) -> bool:
        """Oscar's prices are always settled."""
        return False

    def make_category(self, name: str, *, parent: str = "") -> str:
        """Make a category."""
        above = Category.objects.get(pk=parent.partition(":")[2]) if parent else None
        row = above.add_child(name=name) if above else Category.add_root(name=name)
        return f"category:{row.pk}"

    def make_collection(self, name: str) -> str:
        """Oscar has none."""
        return ""

    def put_in(self, ref: ProductRef, *keys: str) -> None:
        """Put the product into categories."""
        Product.objects.get(pk=ref.product_id).categories.set([key.partition(":")[2] for key in keys])

    def make_voucher(
        self,
        code: str,
        *refs: ProductRef,
        group: str = "",
        starts_at: datetime | None = None,
        is_personal: bool = False,
    ) -> str:
        """Make a voucher of a tenth off, as the dashboard does: the row, then its offer."""
        goods = self.make_range(code, *refs, group=group)
        offer = ConditionalOffer.objects.create(
            name=f"Offer of {code}",
            offer_type=ConditionalOffer.VOUCHER,
            condition=Condition.objects.create(range=goods, type=Condition.COUNT, value=1),
            benefit=Benefit.objects.create(range=goods, type=Benefit.PERCENTAGE, value=10),
        )
        begins = starts_at or clock.now()
        voucher = Voucher.objects.create(
            name=f"Voucher {code}",
            code=code,
            usage=Voucher.SINGLE_USE if is_personal else Voucher.MULTI_USE,
            start_datetime=begins,
            end_datetime=begins + timedelta(days=30),
        )
        voucher.offers.add(offer)
        return str(voucher.pk)

    def make_range(self, name: str, *refs: ProductRef, group: str = "") -> Any:
        """Make the range of these products and of the category; of everything when neither is given."""
        goods = Range.objects.create(name=name, includes_all_products=not refs and not group)
        goods.included_categories.set([group.partition(":")[2]] if group else [])
        for product in Product.objects.filter(pk__in=[ref.product_id for ref in refs]):
            goods.add_product(product)
        return goods

    def delete_voucher(self, voucher_ref: str) -> None:
        """Delete the voucher."""
        Voucher.objects.get(pk=voucher_ref).delete()

    def make_cart(self, lines: Lines, *, customer_id: str = "", email: str = "") -> str:
        """Fill a basket; Oscar knows no e-mail of a guest before the checkout."""
        basket = Basket.objects.create(owner=User.objects.get(pk=customer_id) if customer_id else None)
        basket.strategy = Selector().strategy()
        for ref, quantity in lines:
            basket.add_product(Product.objects.get(pk=ref.variant_id), quantity)
        return str(basket.pk)

    def place_order(self, lines: Lines, *, customer_id: str = "", email: str = "", cart_ref: str = "") -> str:
        """Place an order as Oscar's checkout does."""
        basket = Basket.objects.get(pk=cart_ref or self.make_cart(lines, customer_id=customer_id))
        basket.strategy = Selector().strategy()
        charge = Free().calculate(basket)
        order = OrderCreator().place_order(
            basket=basket,
            total=OrderTotalCalculator().calculate(basket, charge),
            shipping_method=Free(),
            shipping_charge=charge,
            user=User.objects.get(pk=customer_id) if customer_id else AnonymousUser(),
            order_number=OrderNumberGenerator().order_number(basket),
            **({} if customer_id else {"guest_email": email}),
        )
        basket.submit()
        return str(order.pk)

    def place_order_with(self, lines: Lines, coupon_code: str, *, email: str) -> str:
        """Type the code in on the basket page and check out as a guest, by Oscar's own views."""
        shopper = Client()
        for ref, quantity in lines:
            choice = {"quantity": quantity, "child_id": ref.variant_id}  # which a stand-alone product does not ask for
            shopper.post(reverse("basket:add", kwargs={"pk": ref.product_id}), choice)
        shopper.post(reverse("basket:vouchers-add"), {"code": coupon_code})
        basket = Basket.objects.latest("pk")
        if coupon_code and not basket.vouchers.exists():
            return ""
        return self.check_out(basket, email=email)

    def check_out(self, basket: Any, *, email: str, user: Any = None) -> str:
        """Place the order of a basket as Oscar's checkout does, its offers applied, for a charge of ``SHIPPING``."""
        buyer = user or AnonymousUser()
        basket.strategy = Selector().strategy()
        Applicator().apply(basket, buyer)
        method = FixedPrice(SHIPPING, SHIPPING)
        if basket.has_shipping_discounts:
            (method,) = Repository().apply_shipping_offers(basket, [method])
        charge = method.calculate(basket)
        order = OrderCreator().place_order(
            basket=basket,
            total=OrderTotalCalculator().calculate(basket, charge),
            shipping_method=method,
            shipping_charge=charge,
            user=buyer,
            order_number=OrderNumberGenerator().order_number(basket),
            **({} if user else {"guest_email": email}),
        )
        basket.submit()
        return str(order.pk)

    def delete_coupon(self, code: str) -> None:
        """Delete the voucher."""
        Voucher.objects.get(code=code).delete()

    def delete_series(self, series_ref: str) -> None:
        """Delete the set of vouchers."""
        VoucherSet.objects.get(pk=series_ref.partition("-")[2]).delete()

    def make_review(self, ref: ProductRef, *, rating: int, customer_id: str, title: str = "", body: str = "") -> str:
        """Write a review as the form does."""
        review = ProductReview.objects.create(
            product_id=ref.product_id,
            user_id=customer_id,
            score=rating,
            title=title,
            body=body,
            status=ProductReview.FOR_MODERATION,
        )
        return str(review.pk)

    def delete_review(self, review_ref: str) -> None:
        """Delete the review."""
        ProductReview.objects.get(pk=review_ref).delete()

    def make_draft_order(self, lines: Lines, *, customer_id: str) -> str:
        """Oscar has no drafts: a basket is one."""
        return ""

    def cancel_order(self, order_ref: str) -> None:
        """Cancel the order as the dashboard does."""
        Order.objects.get(pk=order_ref).set_status("Cancelled")

    def context(
        self, *, customer_id: str = "", is_staff: bool = False, permissions: Collection[Permission] = ()
    ) -> Any:
        """Return a request of the account."""
        request = RequestFactory().post("/crm/graphql/")
        if is_staff and not customer_id:
            customer_id = self.make_customer(email=f"{uuid4().hex}@example.com")
        if is_staff:
            User.objects.filter(pk=customer_id).update(is_staff=True)
            rows = DjangoPermission.objects.filter(codename__in=permissions, content_type__app_label="crm_plugin")
            User.objects.get(pk=customer_id).user_permissions.add(*rows)
        request.user = User.objects.get(pk=customer_id) if customer_id else AnonymousUser()
        return request
