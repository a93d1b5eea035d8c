"""The whole way inside Saleor: somebody likes a product, its price falls, the mail goes out over SMTP."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from saleor.account.models import User
from saleor.plugins.manager import get_plugins_manager
from saleor.product.models import ProductChannelListing, ProductVariantChannelListing
from saleor.product.tasks import update_variant_relations_for_active_promotion_rules_task

from crm_plugin import clock, tasks
from crm_plugin.models import Contact, Inbox, Message, PriceDrop, PriceWatch
from crm_plugin.shop import ProductRef
from demo.services.mailsink import MailSink
from tests.saleor import asking, engine
from tests.saleor.world import SaleorWorld
from tests.stories import running

pytestmark = [pytest.mark.saleor, pytest.mark.django_db]

PROMOTION = """
mutation($input: PromotionCreateInput!) { promotionCreate(input: $input) {
  promotion { id } errors { field code message } } }
"""


@pytest.fixture
def mug(world: SaleorWorld) -> ProductRef:
    return world.make_product(prices=[Decimal(80)], stocks=[5], name="Blue Mug")[0]


@pytest.fixture
def fan(world: SaleorWorld, mug: ProductRef) -> Any:
    """A shopper who registered in the storefront, agreed to mail and likes the mug; a campaign watches."""
    running()
    asking.ask(
        asking.anybody(),
        asking.REGISTER,
        input={
            "email": "Ann@Example.com",
            "password": "a-Long-passw0rd",
            "firstName": "Ann",
            "redirectUrl": "https://www.example.com/confirm",
            "channel": world.channel.slug,
        },
    )
    client = asking.customer(User.objects.get(email="ann@example.com").pk)
    asking.ask(client, asking.CONSENT)
    asking.ask(client, asking.LIKE, product=asking.gid("Product", mug.product_id), channel=mug.shop_channel)
    engine.run()
    return client


@pytest.fixture
def manager() -> Any:
    return asking.staff("manage_products", "manage_discounts")


def _soon() -> Any:
    """The time at which the watch looks again at a price that Saleor was computing."""
    return clock.travel(by=timedelta(seconds=3))


def _later(*, rounds: int = 1) -> Any:
    """The time at which the schedule alone has brought the watch back."""
    return clock.travel(by=rounds * timedelta(seconds=90))


@pytest.mark.feature(22)
def test_a_lower_base_price_brings_one_mail_over_smtp(
    fan: Any, mug: ProductRef, manager: Any, world: SaleorWorld, smtp: MailSink
) -> None:
    asking.set_price(manager, mug.variant_id, world.channel.pk, "60")
    engine.run()
    told_while_dirty = len(smtp.letters)

    engine.saleor_computes_prices()
    with _soon():
        engine.run()
        engine.run()

    assert told_while_dirty == 0
    (letter,) = smtp.letters
    assert letter.recipients == ("ann@example.com",)
    assert letter.subject == "Blue Mug for Ann"
    assert "$60.00" in letter.text
    assert letter.message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert "https://api.shop.example/plugins/global/crm/unsubscribe/" in letter.message["List-Unsubscribe"]


def test_nothing_goes_out_before_the_price_falls(fan: Any, smtp: MailSink) -> None:
    engine.run()

    assert not smtp.letters
    assert not Message.objects.exists()


def test_a_higher_price_brings_nothing(
    fan: Any, mug: ProductRef, manager: Any, world: SaleorWorld, smtp: MailSink
) -> None:
    asking.set_price(manager, mug.variant_id, world.channel.pk, "90")
    engine.saleor_computes_prices()

    engine.run()

    assert PriceWatch.objects.get().price == 90
    assert not PriceDrop.objects.exists()
    assert not smtp.letters


def _half_price(manager: Any, mug: ProductRef, world: SaleorWorld) -> None:
    rule = {
        "name": "half",
        "channels": [asking.gid("Channel", world.channel.pk)],
        "rewardValueType": "PERCENTAGE",
        "rewardValue": "50",
        "cataloguePredicate": {"productPredicate": {"ids": [asking.gid("Product", mug.product_id)]}},
    }
    asking.ask(manager, PROMOTION, input={"name": "Sale", "type": "CATALOGUE", "rules": [rule]})
    update_variant_relations_for_active_promotion_rules_task.delay()


def test_a_promotion_counts_once_saleor_has_computed_it(
    fan: Any, mug: ProductRef, manager: Any, world: SaleorWorld, smtp: MailSink
) -> None:
    _half_price(manager, mug, world)
    with _later():
        engine.run()
    told_while_dirty = len(smtp.letters)
    was_dirty = ProductChannelListing.objects.get(product_id=mug.product_id).discounted_price_dirty

    engine.saleor_computes_prices()
    with _later(rounds=2):
        engine.run()

    listing = ProductVariantChannelListing.objects.get(variant_id=mug.variant_id)
    assert (was_dirty, listing.discounted_price_amount) == (True, 40)
    assert told_while_dirty == 0
    (letter,) = smtp.letters
    assert "$40.00" in letter.text


def test_a_price_that_rose_below_a_promotion_is_no_drop_whatever_saleors_event_says(
    fan: Any, mug: ProductRef, manager: Any, world: SaleorWorld, smtp: MailSink
) -> None:
    _half_price(manager, mug, world)
    engine.saleor_computes_prices()
    with _later():
        engine.run()
    told = len(smtp.letters)

    asking.set_price(manager, mug.variant_id, world.channel.pk, "84")
    engine.saleor_computes_prices()
    change = SimpleNamespace(
        variant_id=int(mug.variant_id),
        channel_slug=mug.shop_channel,
        previous_price_amount=Decimal(84),
        new_price_amount=Decimal(42),
    )
    plugins = get_plugins_manager(allow_replica=False)
    getattr(plugins, "product_variant_discounted_price_updated", lambda _change: None)(change)
    with _later(rounds=2):
        engine.run()

    assert PriceWatch.objects.get().price == 42
    assert PriceDrop.objects.count() == 1
    assert told == len(smtp.letters) == 1


def test_a_price_that_saleor_still_computes_fires_nothing(
    fan: Any, mug: ProductRef, world: SaleorWorld, smtp: MailSink
) -> None:
    world.set_price(mug, Decimal(10))
    world.unsettle(mug)

    with _later():
        engine.run()

    assert not PriceDrop.objects.exists()
    assert not smtp.letters


def test_a_bulk_edit_without_any_hook_is_seen_by_the_watch(
    fan: Any, mug: ProductRef, world: SaleorWorld, smtp: MailSink
) -> None:
    world.set_price(mug, Decimal(50))
    engine.run()
    told_before_the_schedule = len(smtp.letters)

    with _later():
        engine.run()

    assert told_before_the_schedule == 0
    assert len(smtp.letters) == 1


def test_a_price_that_rose_again_before_the_mail_is_skipped(
    fan: Any, mug: ProductRef, world: SaleorWorld, smtp: MailSink
) -> None:
    world.set_price(mug, Decimal(50))
    with _later():
        tasks.watch_prices.delay()
        tasks.pump.delay()
        world.set_price(mug, Decimal(80))
        tasks.deliver.delay()

    assert not smtp.letters
    assert Message.objects.get().reason == "price_restored"


@pytest.mark.feature(72)
def test_a_product_that_sold_out_before_the_mail_is_skipped(
    fan: Any, mug: ProductRef, world: SaleorWorld, smtp: MailSink
) -> None:
    world.set_price(mug, Decimal(50))
    with _later():
        tasks.watch_prices.delay()
        tasks.pump.delay()
        world.set_stock(mug, 0)
        tasks.deliver.delay()

    assert not smtp.letters
    assert Message.objects.get().reason == "sold_out"


def test_an_unliked_product_brings_nothing(
    fan: Any, mug: ProductRef, manager: Any, world: SaleorWorld, smtp: MailSink
) -> None:
    asking.ask(fan, asking.UNLIKE, product=asking.gid("Product", mug.product_id))
    engine.run()

    asking.set_price(manager, mug.variant_id, world.channel.pk, "60")
    engine.saleor_computes_prices()
    with _later():
        engine.run()

    assert not smtp.letters


def test_switched_off_on_the_way_nothing_is_recorded_and_nothing_sent(
    fan: Any, mug: ProductRef, manager: Any, world: SaleorWorld, smtp: MailSink, configure: Any
) -> None:
    world.set_price(mug, Decimal(50))
    configure(active=False)

    asking.set_price(manager, mug.variant_id, world.channel.pk, "40")
    engine.saleor_computes_prices()
    with _later():
        engine.run()

    assert not Inbox.objects.exists()
    assert not smtp.letters


def test_switched_on_again_the_watch_finds_what_happened_meanwhile(
    fan: Any, mug: ProductRef, world: SaleorWorld, smtp: MailSink, configure: Any
) -> None:
    configure(active=False)
    world.set_price(mug, Decimal(40))
    with _later():
        engine.run()

    configure(active=True)
    with _later(rounds=2):
        engine.run()

    assert len(smtp.letters) == 1


def test_the_shopper_is_one_contact_with_the_address_in_lower_case(fan: Any) -> None:
    contact = Contact.objects.get()

    assert (contact.email, contact.first_name) == ("ann@example.com", "Ann")
    assert contact.customer_id == str(fan.user.pk)
    assert PriceWatch.objects.count() == 1
