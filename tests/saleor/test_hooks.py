"""The plugin's hooks: they never fail the shop, and they are silent while the plugin is off."""

from __future__ import annotations

import inspect
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from saleor.checkout.models import Checkout
from saleor.plugins.base_plugin import BasePlugin
from saleor.plugins.manager import PluginsManager, get_plugins_manager
from saleor.product.models import Product

from crm_plugin.models import Activity, Failure, Inbox
from crm_plugin.plugin import CRMPlugin
from crm_plugin.shop import FactKind, ProductRef
from tests.saleor import asking, checkout, engine
from tests.saleor.world import SaleorWorld

pytestmark = [pytest.mark.saleor, pytest.mark.django_db]

#: Hooks that some releases have and others do not.
COME_AND_GO = {
    "account_email_changed",
    "product_variant_back_in_stock",
    "product_variant_discounted_price_updated",
    "product_variant_out_of_stock",
}
OWN = {"webhook", "validate_plugin_configuration", "save_plugin_configuration"}


@pytest.fixture
def mug(world: SaleorWorld) -> ProductRef:
    return world.make_product(prices=[Decimal(20)], stocks=[50], name="Blue Mug")[0]


def hooks() -> list[str]:
    """Return the names of the plugin's hooks."""
    return sorted(name for name, value in vars(CRMPlugin).items() if inspect.isfunction(value) and name not in OWN)


def _plugin() -> Any:
    """The plugin as Saleor's request has it."""
    manager = get_plugins_manager(allow_replica=False)
    manager.get_all_plugins()
    return manager.get_plugin("crm")


def test_every_hook_is_one_that_saleor_calls() -> None:
    unknown = {name for name in hooks() if not hasattr(PluginsManager, name)}

    assert len(hooks()) > 20
    assert unknown <= COME_AND_GO
    assert unknown == {name for name in COME_AND_GO if name not in BasePlugin.__annotations__}


@pytest.mark.parametrize("name", hooks())
def test_a_hook_that_fails_inside_hands_on_and_is_counted(name: str, crm: Any) -> None:
    answer = getattr(_plugin(), name)(object(), "more", previous_value="before", webhooks=None, calculate=True)

    assert answer == "before"
    (failure,) = Failure.objects.all()
    assert failure.count == 1
    assert failure.door.startswith("saleor.")


def test_a_failing_crm_leaves_the_shops_mutation_as_it_was(mug: ProductRef, caplog: pytest.LogCaptureFixture) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE crm_plugin_inbox RENAME TO crm_plugin_inbox_away")

    made = checkout.start(asking.anybody(), mug, email="gus@example.com")

    assert made["id"]
    assert Checkout.objects.get().lines.count() == 1
    assert Failure.objects.get().door == "saleor.cart_changed"
    assert "the shop goes on" in caplog.text


def test_an_inactive_plugin_records_nothing(mug: ProductRef, configure: Any, world: SaleorWorld) -> None:
    configure(active=False)

    checkout.start(asking.anybody(), mug, email="gus@example.com")
    asking.set_price(asking.staff("manage_products"), mug.variant_id, world.channel.pk, "10")

    assert not Inbox.objects.exists()


def test_a_crm_that_the_environment_switches_off_records_nothing(mug: ProductRef, settings: Any) -> None:
    settings.CRM_ENABLED = False

    checkout.start(asking.anybody(), mug, email="gus@example.com")

    assert not Inbox.objects.exists()


def test_the_same_event_twice_is_one_activity(mug: ProductRef) -> None:
    checkout.start(asking.anybody(), mug, email="gus@example.com")
    row = Checkout.objects.get()

    _plugin().checkout_updated(row, previous_value=None)
    _plugin().checkout_updated(row, previous_value=None)
    told = Inbox.objects.filter(kind=FactKind.CHECKOUT_STARTED).count()
    engine.drain()

    assert told == 3
    assert Activity.objects.filter(kind=FactKind.CHECKOUT_STARTED).count() == 1


@pytest.mark.parametrize("hook", ["product_updated", "product_deleted"])
def test_a_changed_product_is_looked_at_again(hook: str, mug: ProductRef, crm: Any) -> None:
    getattr(_plugin(), hook)(Product.objects.get(pk=mug.product_id), [], previous_value=None)

    assert Inbox.objects.get(kind=FactKind.CATALOGUE_CHANGED).product_id == mug.product_id


def test_saleors_own_price_event_only_means_look_again(mug: ProductRef, crm: Any) -> None:
    change = SimpleNamespace(variant_id=int(mug.variant_id), channel_slug=mug.shop_channel)

    _plugin().product_variant_discounted_price_updated(change, previous_value=None)

    told = Inbox.objects.get()
    assert (told.kind, told.variant_id, told.shop_channel) == ("catalogue_changed", mug.variant_id, mug.shop_channel)


@pytest.mark.skipif(not hasattr(PluginsManager, "product_variant_back_in_stock"), reason="gone in Saleor 3.23")
def test_a_restocked_variant_is_looked_at_again(mug: ProductRef, world: SaleorWorld) -> None:
    world.set_stock(mug, 0)
    update = """
    mutation($id: ID!, $stocks: [StockInput!]!) { productVariantStocksUpdate(variantId: $id, stocks: $stocks) {
      errors { field code message } } }
    """

    stocks = [{"warehouse": asking.gid("Warehouse", world.warehouse.pk), "quantity": 7}]
    asking.ask(asking.staff("manage_products"), update, id=asking.gid("ProductVariant", mug.variant_id), stocks=stocks)

    assert mug.variant_id in Inbox.objects.values_list("variant_id", flat=True)
