"""Fixtures of the tests inside Saleor. Its own fixtures are not used: they expect a database without default data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import django.test
import pytest
from django.conf import settings as django_settings
from saleor.plugins.models import PluginConfiguration
from saleor.tests.utils import prepare_test_db_connections

from crm_plugin.shops.saleor import configuration

# As in Saleor's own conftest: tests may use both connections, and the replica is the writer in disguise.
_ALIASES = {django_settings.DATABASE_CONNECTION_DEFAULT_NAME, django_settings.DATABASE_CONNECTION_REPLICA_NAME}
django.test.TransactionTestCase.databases = _ALIASES
django.test.TestCase.databases = _ALIASES
prepare_test_db_connections()


@pytest.fixture(autouse=True)
def _fresh_configuration() -> Iterator[None]:
    """Configuration that one test read is not the next one's."""
    configuration.forget()
    yield
    configuration.forget()


@pytest.fixture
def configure(db: None) -> Callable[..., None]:
    """Return a function that switches the plugin and sets its configuration, as the dashboard would."""

    def configure(*, active: bool = True, **values: str) -> None:
        PluginConfiguration.objects.update_or_create(
            identifier=configuration.PLUGIN_ID,
            channel=None,
            defaults={
                "name": "CRM",
                "active": active,
                "configuration": [{"name": name, "value": value} for name, value in values.items()],
            },
        )
        configuration.forget()

    return configure


@pytest.fixture
def crm(configure: Callable[..., None]) -> Any:
    """The CRM switched on, and Saleor behind the port."""
    from crm_plugin import shop  # noqa: PLC0415 - Django is ready only when fixtures run

    configure(storefront_product_url="https://shop.example/{channel}/products/{slug}")
    return shop.current()


@pytest.fixture
def world(crm: Any) -> Any:
    """An empty channel ``main`` with a warehouse that ships, and builders for the rest; see ``world.py``."""
    from tests.saleor.ground import lay  # noqa: PLC0415 - Django is ready only when fixtures run

    return lay(crm)


@pytest.fixture(autouse=True)
def _fresh_engine() -> Iterator[None]:
    """What a process keeps in memory for a moment is gone between tests, as the rows that it came from are."""
    from django.core.cache import cache  # noqa: PLC0415 - Django is ready only when fixtures run

    cache.clear()
    yield
    cache.clear()
