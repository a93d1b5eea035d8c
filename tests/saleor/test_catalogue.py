"""Offers and cards, where Saleor has more to say than the contract asks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from saleor.account.models import Address, User
from saleor.order.models import OrderLine
from saleor.product import ProductMediaTypes
from saleor.product.models import (
    Product,
    ProductChannelListing,
    ProductMedia,
    ProductVariant,
    ProductVariantChannelListing,
)
from saleor.site.models import SiteSettings
from saleor.thumbnail.models import Thumbnail
from saleor.warehouse.models import Stock, StockQuerySet, Warehouse

from crm_plugin.shop import Offer, ProductRef
from tests.saleor.world import SaleorWorld

pytestmark = [pytest.mark.saleor, pytest.mark.django_db]


@pytest.fixture
def mug(world: SaleorWorld) -> ProductRef:
    return world.make_product(prices=[Decimal(20)], stocks=[5], name="Blue Mug")[0]


def _offer(world: SaleorWorld, ref: ProductRef) -> Offer:
    (found,) = world.shop.offers([ref.product_id], shop_channel=ref.shop_channel)
    return found


def _listing(ref: ProductRef, **changes: Any) -> None:
    ProductChannelListing.objects.filter(product_id=ref.product_id).update(**changes)


def test_a_promotion_is_in_the_price_and_not_in_the_regular_one(world: SaleorWorld, mug: ProductRef) -> None:
    ProductVariantChannelListing.objects.filter(variant_id=mug.variant_id).update(discounted_price_amount=15)

    offer = _offer(world, mug)

    assert (offer.price.amount, offer.regular_price.amount) == (15, 20)


@pytest.mark.parametrize(
    "changes",
    [
        {"visible_in_listings": False},
        {"is_published": False},
        {"published_at": datetime(2200, 1, 1, tzinfo=UTC)},
        {"available_for_purchase_at": None},
        {"available_for_purchase_at": datetime(2200, 1, 1, tzinfo=UTC)},
    ],
)
def test_what_a_shopper_cannot_find_and_order_now_is_not_purchasable(
    world: SaleorWorld, mug: ProductRef, changes: dict[str, Any]
) -> None:
    _listing(mug, **changes)

    assert not _offer(world, mug).is_purchasable


def test_a_closed_channel_sells_nothing(world: SaleorWorld, mug: ProductRef) -> None:
    world.channel.is_active = False
    world.channel.save()

    assert not _offer(world, mug).is_purchasable


def test_a_product_that_is_not_listed_in_the_channel_is_not_offered(world: SaleorWorld, mug: ProductRef) -> None:
    ProductChannelListing.objects.filter(product_id=mug.product_id).delete()

    assert not world.shop.offers([mug.product_id], shop_channel=mug.shop_channel)


def test_what_saleor_does_not_count_is_always_in_stock(world: SaleorWorld, mug: ProductRef) -> None:
    world.set_stock(mug, 0)
    ProductVariant.objects.filter(pk=mug.variant_id).update(track_inventory=False)

    assert _offer(world, mug).available is None


def test_a_running_pre_order_needs_no_stock(world: SaleorWorld, mug: ProductRef) -> None:
    world.set_stock(mug, 0)
    ProductVariant.objects.filter(pk=mug.variant_id).update(
        is_preorder=True, preorder_end_date=timezone.now() + timedelta(days=1)
    )

    assert _offer(world, mug).is_in_stock


def test_what_orders_hold_is_not_available(world: SaleorWorld, mug: ProductRef) -> None:
    world.place_order([(mug, 2)], email="gus@example.com")
    stock = Stock.objects.get(product_variant_id=mug.variant_id)
    stock.allocations.create(order_line=OrderLine.objects.get(), quantity_allocated=2)

    assert _offer(world, mug).available == 3


def test_warehouses_of_the_channel_count_and_others_do_not(world: SaleorWorld, mug: ProductRef) -> None:
    elsewhere = Warehouse.objects.create(
        name="Elsewhere", slug="elsewhere", address=Address.objects.create(city="Bonn", country="DE")
    )
    Stock.objects.create(warehouse=elsewhere, product_variant_id=mug.variant_id, quantity=7)
    without = _offer(world, mug).available

    elsewhere.channels.add(world.channel)
    elsewhere.shipping_zones.set(world.warehouse.shipping_zones.all())

    assert (without, _offer(world, mug).available) == (5, 12)


def test_a_warehouse_that_ships_nowhere_counts_where_saleor_says_so(world: SaleorWorld, mug: ProductRef) -> None:
    world.warehouse.shipping_zones.clear()
    by_zones = hasattr(SiteSettings, "use_legacy_shipping_zone_stock_availability")
    if not by_zones:
        assert not hasattr(StockQuerySet, "for_channel_or_country")
        assert _offer(world, mug).available == 0
        return

    SiteSettings.objects.update(use_legacy_shipping_zone_stock_availability=True)
    with_zones = _offer(world, mug).available
    SiteSettings.objects.update(use_legacy_shipping_zone_stock_availability=False)

    assert (with_zones, _offer(world, mug).available) == (0, 5)


def test_a_card_speaks_the_readers_language(world: SaleorWorld, mug: ProductRef) -> None:
    product = Product.objects.get(pk=mug.product_id)
    product.translations.create(language_code="de", name="Blaue Tasse")
    world.category.translations.create(language_code="de", name="Küche")

    cards = {code: world.shop.product_cards([mug], language=code)[mug] for code in ("de", "de-AT", "pl")}

    assert [card.name for card in cards.values()] == ["Blaue Tasse", "Blaue Tasse", "Blue Mug"]
    assert [card.categories for card in cards.values()] == [("Küche",), ("Küche",), ("Kitchen",)]


def test_a_card_leads_to_the_storefront(world: SaleorWorld, mug: ProductRef) -> None:
    slug = Product.objects.get(pk=mug.product_id).slug

    card = world.shop.product_cards([mug], language="en")[mug]

    assert card.url == f"https://shop.example/main/products/{slug}"
    assert card.image_url == ""


def test_a_card_shows_the_variants_picture_else_the_products(world: SaleorWorld) -> None:
    small, large = world.make_product(prices=[Decimal(1), Decimal(2)], stocks=[1, 1], name="Mug")
    product = Product.objects.get(pk=small.product_id)
    film, front, back = (
        ProductMedia.objects.create(product=product, type=kind, image="products/a.jpg", sort_order=order)
        for order, kind in enumerate([ProductMediaTypes.VIDEO, ProductMediaTypes.IMAGE, ProductMediaTypes.IMAGE])
    )
    ProductVariant.objects.get(pk=large.variant_id).media.add(back)
    Thumbnail.objects.create(product_media=front, size=512, image="thumbnails/front_512.jpg")

    cards = world.shop.product_cards([small, large], language="en")

    assert film.type == ProductMediaTypes.VIDEO
    assert cards[small].image_url == "https://api.shop.example/media/thumbnails/front_512.jpg"
    assert cards[large].image_url.startswith("https://api.shop.example/thumbnail/")
    assert cards[large].image_url.endswith("/512/")


def test_the_identity_is_saleors_site_and_company(world: SaleorWorld) -> None:
    address = Address.objects.create(
        company_name="Shop Ltd", street_address_1="1 Main St", city="Springfield", postal_code="62701", country="US"
    )
    SiteSettings.objects.update(company_address=address, default_mail_sender_address="hello@shop.example")

    identity = world.shop.identity()

    assert identity.postal_address == "Shop Ltd, 1 Main St, 62701 Springfield, US"
    assert (identity.email, identity.url) == ("hello@shop.example", "https://shop.example/")


def test_a_long_language_code_is_cut_to_what_the_crm_keeps(world: SaleorWorld) -> None:
    customer_id = world.make_customer(email="ann@example.com")
    User.objects.filter(pk=customer_id).update(language_code="ca-es-valencia")

    assert world.shop.customers([customer_id])[customer_id].language == "ca-es"
