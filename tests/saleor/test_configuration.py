"""The plugin's switch and configuration, as an operator sets them in Saleor's dashboard."""

from __future__ import annotations

from typing import Any

import pytest
from saleor.plugins.models import PluginConfiguration

from crm_plugin import shop
from crm_plugin.shops.saleor import configuration
from tests.saleor import asking

pytestmark = [pytest.mark.saleor, pytest.mark.django_db]

UPDATE = """
mutation($active: Boolean, $configuration: [ConfigurationItemInput!]) {
  pluginUpdate(id: "crm", input: {active: $active, configuration: $configuration}) {
    plugin { globalConfiguration { active configuration { name value } } }
    errors { field code message } } }
"""


@pytest.fixture
def operator() -> Any:
    return asking.staff("manage_plugins")


def _save(client: Any, *, active: bool = True, **values: str) -> Any:
    items = [{"name": name, "value": value} for name, value in values.items()]
    return asking.post(client, UPDATE, active=active, configuration=items)["data"]["pluginUpdate"]


def test_the_plugin_is_off_until_the_operator_switches_it_on(operator: Any) -> None:
    before = shop.current().operator()

    answer = _save(operator, active=True)

    assert not before.is_enabled
    assert answer["errors"] == []
    assert shop.current().operator().is_enabled
    assert PluginConfiguration.objects.get(identifier="crm").channel is None


def test_the_public_url_is_saleors_own_until_the_operator_says_otherwise(crm: Any, operator: Any) -> None:
    own = crm.operator().public_url

    _save(operator, public_url="https://shop.example/api")

    assert own == "https://api.shop.example/plugins/global/crm/"
    assert crm.operator().public_url == "https://shop.example/api/plugins/global/crm/"


def test_the_environment_sets_the_whole_prefix(crm: Any, settings: Any) -> None:
    settings.CRM_PUBLIC_URL = "https://mail.shop.example/m"

    assert crm.operator().public_url == "https://mail.shop.example/m/"


def test_origins_are_read_one_on_each_line(crm: Any, operator: Any) -> None:
    _save(operator, dashboard_origins="https://one.example\nhttps://two.example:8000, https://three.example")

    assert crm.operator().dashboard_origins == (
        "https://one.example",
        "https://two.example:8000",
        "https://three.example",
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("public_url", "shop.example"),
        ("public_url", "javascript:alert(1)"),
        ("public_url", "https://["),
        ("public_url", "https://shop.example:port/"),
        ("public_url", "https://shop.example/\nBcc: x@example.com"),
        ("storefront_cart_url", "https://[/{cart}"),
        ("storefront_product_url", "https://shop.example/{channel}/products/{sluk}"),
        ("storefront_product_url", "https://shop.example/{slug.__class__}"),
        ("storefront_product_url", "https://shop.example/"),
        ("storefront_product_url", "/{slug}"),
        ("storefront_cart_url", "https://shop.example/{slug}"),
        ("dashboard_origins", "https://dashboard.example/path"),
        ("dashboard_origins", "*"),
        ("dashboard_origins", "https://["),
        ("dashboard_origins", "https://dashboard.example;script-src"),
    ],
)
def test_an_address_that_cannot_work_is_refused_and_not_saved(crm: Any, operator: Any, field: str, value: str) -> None:
    before = PluginConfiguration.objects.get().configuration

    answer = _save(operator, **{field: value})

    assert [error["code"] for error in answer["errors"]] == ["INVALID"]
    assert answer["errors"][0]["message"]
    assert PluginConfiguration.objects.get().configuration == before


def test_storefront_addresses_are_filled_and_escaped(configure: Any) -> None:
    configure(
        storefront_product_url="https://shop.example/{channel}/{slug}?v={variant_id}",
        storefront_cart_url="https://shop.example/cart?id={cart}",
    )

    product = configuration.product_url(channel="us", slug="a/b ü", product_id="1", variant_id="2")

    assert product == "https://shop.example/us/a%2Fb%20%C3%BC?v=2"
    assert configuration.cart_url(channel="us", cart_ref="x") == "https://shop.example/cart?id=x"
    assert configuration.storefront_url() == "https://shop.example/"


def test_without_configuration_products_have_the_address_of_saleors_storefront(configure: Any) -> None:
    configure()

    product = configuration.product_url(channel="us", slug="mug", product_id="1", variant_id="")

    assert product == "https://api.shop.example/us/products/mug"
    assert configuration.cart_url(channel="us", cart_ref="x") == ""


def test_other_processes_notice_the_switch_within_seconds(crm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    PluginConfiguration.objects.update(active=False)
    crm.operator()
    now = configuration.time.monotonic()

    monkeypatch.setattr(configuration.time, "monotonic", lambda: now + configuration.CACHE_SECONDS)

    assert not crm.operator().is_enabled


def test_each_channel_may_have_a_storefront_of_its_own(crm: Any, operator: Any) -> None:
    template = "https://{channel}.shop.example/{slug}"

    answer = _save(operator, storefront_product_url=template, public_url="https://api.shop.example:8000")

    assert answer["errors"] == []
    product = configuration.product_url(channel="us", slug="mug", product_id="1", variant_id="")
    assert product == "https://us.shop.example/mug"
    assert configuration.storefront_url() == "https://api.shop.example:8000/"
