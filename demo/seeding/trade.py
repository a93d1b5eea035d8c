"""A year of orders, by customers and guests, and what customers keep on their wishlists."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from django.contrib.sites.models import Site
from oscar.core.loading import get_model

from demo.accounts import BOUNCE_PHONE
from demo.goods import STORY_PRODUCT
from demo.seeding.people import CAST

Order = get_model("order", "Order")
OrderLine = get_model("order", "Line")
StockRecord = get_model("partner", "StockRecord")
ShippingEvent = get_model("order", "ShippingEvent")
ShippingEventType = get_model("order", "ShippingEventType")
UserAddress = get_model("address", "UserAddress")
WishList = get_model("wishlists", "WishList")
WishLine = get_model("wishlists", "Line")

#: Far above what baskets get (an order's number is made of its basket's), so that the two never meet.
FIRST_NUMBER = 500_000
GUESTS_SHARE = 0.12
DAYS = 365


def make_orders(chance: Random, *, customers: list[Any], products: list[Any], count: int, now: datetime) -> None:
    """Create ``count`` orders spread over the last year; a few people buy much, many once or never."""
    buyers = chance.choices(customers, weights=[chance.paretovariate(1.3) for _ in customers], k=count)
    times = sorted(now - timedelta(minutes=chance.randint(90, DAYS * 24 * 60)) for _ in range(count))
    records = {row.product_id: row for row in StockRecord.objects.select_related("partner")}
    site = Site.objects.get_current()
    orders, lines = [], []
    for number, (buyer, at) in enumerate(zip(buyers, times, strict=True), start=FIRST_NUMBER):
        order = _order(str(number), site=site, at=at, now=now)
        if chance.random() < GUESTS_SHARE or at < buyer.date_joined:
            order.guest_email = f"guest{number}@example.com"
        else:
            order.user = buyer
        bought = chance.sample(products, k=chance.choice((1, 1, 1, 2, 2, 3)))
        mine = [_line(order, product, records[product.pk], chance=chance) for product in bought]
        order.total_incl_tax = order.total_excl_tax = sum((line.line_price_incl_tax for line in mine), Decimal(0))
        orders.append(order)
        lines += mine
    Order.objects.bulk_create(orders)
    OrderLine.objects.bulk_create(lines)


def make_past(chance: Random, *, cast: list[Any], products: list[Any], now: datetime) -> None:
    """Give people of the story what campaigns look back at.

    One order was delivered a week ago, so that a review can be asked for; one is three months old, and the last.
    Somebody likes the product of the story already, and has left a telephone number in her address book.
    """
    site = Site.objects.get_current()
    by_email = {user.email: user for user in cast}
    _shopper, _cart, review, win_back, bounce = (by_email[email] for email, *_ in CAST)
    _like(bounce, next(product for product in products if product.title == STORY_PRODUCT), now=now)
    delivered = _past_order(chance, review, products, number=FIRST_NUMBER - 1, site=site, at=now - timedelta(days=10))
    _past_order(chance, win_back, products, number=FIRST_NUMBER - 2, site=site, at=now - timedelta(days=90))
    kind, _ = ShippingEventType.objects.get_or_create(name="Delivered", defaults={"code": "delivered"})
    # In bulk, so that no signal tells it as of today: its time is that of its making, until it is changed.
    ShippingEvent.objects.bulk_create([ShippingEvent(order=delivered, event_type=kind)])
    ShippingEvent.objects.filter(order=delivered).update(date_created=now - timedelta(days=7))


def _like(user: Any, product: Any, *, now: datetime) -> None:
    address = {"first_name": user.first_name, "last_name": user.last_name, "line1": "Torstr. 1", "line4": "Berlin"}
    UserAddress.objects.create(user=user, country_id="DE", postcode="10119", phone_number=BOUNCE_PHONE, **address)
    wishlist = WishList.objects.create(owner=user, key="f00d00")
    WishList.objects.filter(pk=wishlist.pk).update(date_created=now - timedelta(days=20))
    # In bulk, so that no signal tells it as of today.
    WishLine.objects.bulk_create([WishLine(wishlist=wishlist, product=product, title=product.get_title())])


def _past_order(chance: Random, buyer: Any, products: list[Any], *, number: int, site: Site, at: datetime) -> Any:
    order = _order(str(number), site=site, at=at, now=at)
    order.user, order.status = buyer, "Complete"
    records = {row.product_id: row for row in StockRecord.objects.select_related("partner")}
    line = _line(order, products[0], records[products[0].pk], chance=chance)
    order.total_incl_tax = order.total_excl_tax = line.line_price_incl_tax
    order.save()
    line.save()
    return order


def make_wishlists(chance: Random, *, customers: list[Any], products: list[Any], now: datetime) -> int:
    """Give about a third of the customers a wishlist; return how many lines were made."""
    owners = [user for user in customers if chance.random() < 0.35]
    lists = [WishList(owner=user, key=f"{number:06x}") for number, user in enumerate(owners, start=1)]
    WishList.objects.bulk_create(lists)
    for row in lists:
        row.date_created = max(row.owner.date_joined, now - timedelta(days=chance.randint(3, 120)))
    WishList.objects.bulk_update(lists, ["date_created"])
    lines = [
        WishLine(wishlist=row, product=product, title=product.get_title())
        for row in lists
        for product in chance.sample(products, k=chance.randint(1, 6))
    ]
    WishLine.objects.bulk_create(lines)
    return len(lines)


def _order(number: str, *, site: Site, at: datetime, now: datetime) -> Any:
    age = now - at
    status = "Complete" if age > timedelta(days=10) else "Shipped" if age > timedelta(days=3) else "Pending"
    return Order(number=number, site=site, status=status, date_placed=at, shipping_method="Free shipping")


def _line(order: Any, product: Any, record: Any, *, chance: Random) -> Any:
    quantity = chance.choice((1, 1, 1, 2))
    total = record.price * quantity
    return OrderLine(
        order=order,
        partner=record.partner,
        partner_name=record.partner.name,
        partner_sku=record.partner_sku,
        stockrecord=record,
        product=product,
        title=product.get_title(),
        quantity=quantity,
        num_allocated=0,
        status=order.status,
        line_price_incl_tax=total,
        line_price_excl_tax=total,
        line_price_before_discounts_incl_tax=total,
        line_price_before_discounts_excl_tax=total,
        unit_price_incl_tax=record.price,
        unit_price_excl_tax=record.price,
    )
