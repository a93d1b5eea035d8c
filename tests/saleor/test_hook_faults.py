"""What may be broken around a hook, and what a hook leaves: never an exception, nothing kept."""

from __future__ import annotations

import logging
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db import InterfaceError, connections, transaction
from saleor.checkout.models import Checkout
from saleor.plugins.manager import get_plugins_manager
from saleor.plugins.models import PluginConfiguration

from crm_plugin import activity, nudge
from crm_plugin.models import Failure, Inbox
from crm_plugin.plugin import CRMPlugin
from crm_plugin.shop import ProductRef
from crm_plugin.shops.saleor import access, configuration
from tests.saleor import asking, checkout
from tests.saleor.world import SaleorWorld

pytestmark = [pytest.mark.saleor, pytest.mark.django_db]


@pytest.fixture
def mug(world: SaleorWorld) -> ProductRef:
    return world.make_product(prices=[Decimal(20)], stocks=[50], name="Blue Mug")[0]


@pytest.fixture
def cart(mug: ProductRef, world: SaleorWorld) -> Checkout:
    return Checkout.objects.get(pk=world.make_cart([(mug, 1)], email="gus@example.com"))


def _plugin() -> Any:
    manager = get_plugins_manager(allow_replica=False)
    manager.get_all_plugins()
    return manager.get_plugin("crm")


def _raise(error: Exception) -> Callable[..., None]:
    def fail(*_args: Any, **_kwargs: Any) -> None:
        raise error

    return fail


# Never an exception


def test_a_read_only_database_fails_no_hook(cart: Checkout, caplog: pytest.LogCaptureFixture) -> None:
    with transaction.atomic():
        with connections["default"].cursor() as cursor:
            cursor.execute("SET LOCAL transaction_read_only = on")
        answer = _plugin().checkout_updated(cart, previous_value="before")
        transaction.set_rollback(True)

    assert answer == "before"
    assert "the shop goes on" in caplog.text
    assert "could not be counted" in caplog.text
    assert not Inbox.objects.exists()


def test_a_lost_connection_fails_no_hook(cart: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activity, "record_many", _raise(InterfaceError("connection already closed")))
    monkeypatch.setattr(Failure.objects, "filter", _raise(InterfaceError("connection already closed")))

    assert _plugin().checkout_updated(cart, previous_value="before") == "before"


def test_a_nudge_that_fails_loses_no_fact(cart: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nudge, "now", _raise(RuntimeError("can't start new thread")))
    monkeypatch.setattr(transaction, "on_commit", lambda work, **_options: _swallowed(work))

    assert _plugin().checkout_updated(cart, previous_value="before") == "before"

    assert Inbox.objects.exists()
    assert not Failure.objects.exists()


def _swallowed(work: Callable[[], None]) -> None:
    """Do what Django does with ``robust=True`` outside a transaction."""
    with pytest.raises(RuntimeError, match="new thread"):
        work()


def test_wrong_settings_fail_no_hook_but_are_told(
    cart: Checkout, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(access, "settings", _raise(ImproperlyConfigured("CRM_PUMP_SECONDS: Input should be > 0")))

    assert _plugin().checkout_updated(cart, previous_value="before") == "before"

    (record,) = [record for record in caplog.records if record.levelno == logging.CRITICAL]
    assert "CRM_PUMP_SECONDS" in record.getMessage()


@pytest.mark.parametrize(
    "broken",
    [
        [],
        [{"name": "unheard_of", "value": "x"}],
        [{"name": "public_url", "value": None}],
        [{"name": "public_url", "value": True}, {"name": "dashboard_origins", "value": 7}],
        [{"name": "storefront_product_url", "value": "https://[/{slug}"}, {"name": "public_url", "value": "https://["}],
    ],
)
def test_a_broken_configuration_row_fails_neither_hook_nor_shopper(mug: ProductRef, broken: Any) -> None:
    PluginConfiguration.objects.update(configuration=broken)
    configuration.forget()

    checkout.start(asking.anybody(), mug, email="gus@example.com")

    assert configuration.operator().is_enabled
    assert Inbox.objects.exists()
    assert not Failure.objects.exists()


# Nothing kept, nothing held


def test_a_hook_keeps_nothing_on_the_plugin(cart: Checkout) -> None:
    plugin = _plugin()
    before = dict(vars(plugin))

    plugin.checkout_updated(cart, previous_value=None)

    assert vars(plugin) == before
    assert "__init__" not in vars(CRMPlugin)
    assert not CRMPlugin.CONFIGURATION_PER_CHANNEL


def test_no_table_of_the_crm_holds_a_row_of_saleors() -> None:
    for model in apps.get_app_config("crm_plugin").get_models(include_auto_created=True):
        related = {field.related_model._meta.app_label for field in model._meta.get_fields() if field.is_relation}
        assert related <= {"crm_plugin"}, model
