"""Fixtures of the automations room: shoppers who agreed to mail, and a look at every price."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from crm_plugin import clock, pipeline
from crm_plugin.models import PriceWatch
from crm_plugin.shop import Customer
from tests.fake_catalogue import FakeProduct
from tests.fake_shop import FakeShop
from tests.stories import consenting


@pytest.fixture
def shoppers(fake_shop: FakeShop, db: None) -> Callable[[int], list[Customer]]:
    """Make customers who agreed to mail."""

    def make(count: int) -> list[Customer]:
        made = [fake_shop.add_customer() for _ in range(count)]
        for customer in made:
            consenting(customer.customer_id)
        return made

    return make


@pytest.fixture
def ann(shoppers: Callable[[int], list[Customer]]) -> Customer:
    """One of them."""
    return shoppers(1)[0]


@pytest.fixture
def see_prices() -> Callable[[], None]:
    """Look at every watched price now; who it concerns is not enrolled yet."""

    def look() -> None:
        PriceWatch.objects.update(due_at=clock.now())
        pipeline.watch_prices()

    return look


@pytest.fixture
def drop(fake_shop: FakeShop, see_prices: Callable[[], None]) -> Callable[..., None]:
    """Lower the price of products and see it; who it concerns is not enrolled yet."""

    def lower(*products: FakeProduct, to: int) -> None:
        for product in products:
            fake_shop.set_price(product.ref, to)
        see_prices()

    return lower
