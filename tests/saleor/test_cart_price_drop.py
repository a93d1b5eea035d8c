"""A product in an open checkout becomes cheaper: the same way through the house, another interest."""

from __future__ import annotations

from decimal import Decimal

import pytest

from crm_plugin import pipeline
from crm_plugin.models import Message
from crm_plugin.shop import ProductRef
from demo.services.mailsink import MailSink
from tests.saleor import asking, checkout, engine
from tests.saleor.world import SaleorWorld
from tests.stories import running

pytestmark = [pytest.mark.saleor, pytest.mark.django_db]

CARTED = {"type": "price_drop", "settle_seconds": 0, "sources": ["carted"]}


@pytest.fixture
def mug(world: SaleorWorld) -> ProductRef:
    return world.make_product(prices=[Decimal(80)], stocks=[5], name="Blue Mug")[0]


@pytest.fixture
def shopper(world: SaleorWorld, mug: ProductRef) -> str:
    """A customer who agreed to mail and has the mug in an open checkout."""
    running(CARTED, exit_when=["bought_item"])
    pipeline.reconcile()
    customer_id = world.make_customer(email="ann@example.com", first_name="Ann")
    client = asking.customer(customer_id)
    asking.ask(client, asking.CONSENT)
    checkout.start(client, mug)
    engine.run()
    return customer_id


def _cut(world: SaleorWorld, mug: ProductRef) -> None:
    asking.set_price(asking.staff("manage_products"), mug.variant_id, world.channel.pk, "60")
    engine.saleor_computes_prices()
    engine.run()


@pytest.mark.feature(9)
def test_a_price_cut_of_a_product_in_the_cart_is_told(
    shopper: str, mug: ProductRef, world: SaleorWorld, smtp: MailSink
) -> None:
    _cut(world, mug)

    (letter,) = smtp.letters
    assert letter.recipients == ("ann@example.com",)
    assert "$60.00" in letter.text


def test_who_bought_it_meanwhile_is_not_told(shopper: str, mug: ProductRef, world: SaleorWorld, smtp: MailSink) -> None:
    world.place_order([(mug, 1)], customer_id=shopper)
    pipeline.reconcile()
    engine.run()

    _cut(world, mug)

    assert not smtp.letters
    assert not Message.objects.filter(state="sent").exists()
