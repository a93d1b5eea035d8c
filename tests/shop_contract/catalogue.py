"""The contract: offers and cards."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from decimal import Decimal
from urllib.parse import urlsplit

import pytest

from crm_plugin.shop import ProductRef
from tests.shop_contract.asking import NOWHERE, make_ref, money, whole
from tests.shop_contract.world import World


@pytest.mark.django_db
class CatalogueContract:
    """Offers and cards."""

    def test_an_offer_has_price_currency_and_stock(self, world: World) -> None:
        ref = make_ref(world, price=Decimal("19.90"), stock=3)

        (offer,) = world.shop.offers([ref.product_id], shop_channel=ref.shop_channel)

        assert (offer.product_id, offer.variant_id, offer.shop_channel) == (
            ref.product_id,
            ref.variant_id,
            ref.shop_channel,
        )
        assert offer.price == offer.regular_price == money(world, Decimal("19.90"))
        assert (offer.available, offer.is_in_stock, offer.is_purchasable, offer.is_settled) == (3, True, True, True)

    def test_offers_come_in_one_call_for_many_products_and_every_variant(self, world: World) -> None:
        mugs = world.make_product(prices=[Decimal(10), Decimal(12)], stocks=[1, 1], name="Mug")
        plate = make_ref(world, name="Plate")

        offers = world.shop.offers([mugs[0].product_id, plate.product_id, NOWHERE], shop_channel=plate.shop_channel)

        assert sorted(offer.variant_id for offer in offers) == sorted(ref.variant_id for ref in (*mugs, plate))

    def test_a_changed_price_is_seen_at_once(self, world: World) -> None:
        ref = make_ref(world)

        world.set_price(ref, Decimal("40.00"))

        (offer,) = world.shop.offers([ref.product_id], shop_channel=ref.shop_channel)
        assert offer.price == money(world, Decimal("40.00"))
        assert world.shop.product_cards([ref], language="en")[ref].price == offer.price

    def test_a_sold_out_variant_is_not_in_stock(self, world: World) -> None:
        ref = make_ref(world)

        world.set_stock(ref, 0)

        (offer,) = world.shop.offers([ref.product_id], shop_channel=ref.shop_channel)
        assert (offer.available, offer.is_in_stock) == (0, False)
        assert not world.shop.product_cards([ref], language="en")[ref].is_in_stock

    def test_an_unpublished_product_is_not_purchasable(self, world: World) -> None:
        ref = make_ref(world)

        world.unpublish(ref)

        offers = world.shop.offers([ref.product_id], shop_channel=ref.shop_channel)
        cards = world.shop.product_cards([ref, whole(ref)], language="en")
        assert not any(offer.is_purchasable for offer in offers)
        assert not any(card.is_purchasable for card in cards.values())

    def test_a_deleted_product_is_left_out(self, world: World) -> None:
        ref = make_ref(world)

        world.delete_product(ref)

        assert not world.shop.offers([ref.product_id], shop_channel=ref.shop_channel)
        assert not world.shop.product_cards([ref, whole(ref)], language="en")

    def test_unknown_products_and_channels_are_left_out(self, world: World) -> None:
        ref = make_ref(world)
        elsewhere = ProductRef(ref.product_id, "no-such-channel", ref.variant_id)
        no_variant = ProductRef(ref.product_id, ref.shop_channel, NOWHERE)

        cards = world.shop.product_cards([ref, elsewhere, no_variant, ProductRef("x", ref.shop_channel)], language="en")

        assert list(cards) == [ref]
        assert not world.shop.offers([NOWHERE, "x", ""], shop_channel=ref.shop_channel)
        assert not world.shop.offers([ref.product_id], shop_channel="no-such-channel")

    def test_nothing_asked_is_nothing_answered(self, world: World) -> None:
        channel = world.shop.channels()[0].slug

        assert not world.shop.offers([], shop_channel=channel)
        assert not world.shop.product_cards([], language="en")
        assert not world.shop.customers([])
        assert not world.shop.carts([])
        assert not world.shop.orders([])

    def test_a_price_that_the_shop_still_computes_is_not_settled(self, world: World) -> None:
        ref = make_ref(world)
        if not world.unsettle(ref):
            pytest.skip("this shop has no unsettled prices")

        (offer,) = world.shop.offers([ref.product_id], shop_channel=ref.shop_channel)

        assert not offer.is_settled

    def test_a_card_has_a_name_and_absolute_urls(self, world: World) -> None:
        ref = make_ref(world, name="Blue Mug")

        for card in world.shop.product_cards([ref, whole(ref)], language="en").values():
            assert "Blue Mug" in card.name
            assert urlsplit(card.url).scheme in {"http", "https"}
            assert urlsplit(card.url).netloc
            assert not card.image_url or urlsplit(card.image_url).netloc

    def test_the_card_of_a_whole_product_has_its_lowest_price_that_can_be_bought(self, world: World) -> None:
        refs = world.make_product(prices=[Decimal(30), Decimal(20), Decimal(25)], stocks=[4, 0, 5], name="Mug")

        cards = world.shop.product_cards([whole(refs[0]), *refs], language="en")

        assert cards[whole(refs[0])].price == money(world, Decimal(25))
        assert cards[whole(refs[0])].is_in_stock
        assert [cards[ref].price.amount for ref in refs] == [30, 20, 25]

    def test_the_number_of_queries_for_cards_does_not_grow(
        self, world: World, django_assert_max_num_queries: Callable[..., AbstractContextManager[object]]
    ) -> None:
        refs = [make_ref(world, name=f"Mug {number}") for number in range(12)]

        with django_assert_max_num_queries(24):
            cards = world.shop.product_cards(refs, language="en")

        assert len(cards) == len(refs)

    def test_search_finds_by_name_and_keeps_to_the_limit(self, world: World) -> None:
        for number in range(3):
            make_ref(world, name=f"Blue Mug {number}")
        make_ref(world, name="Plate")
        channel = world.shop.channels()[0].slug

        found = world.shop.search_products("blue mug", shop_channel=channel, language="en", limit=2)

        assert len(found) == 2
        assert all("Blue Mug" in card.name for card in found)
