"""What the contract's tests ask a shop and a world again and again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from crm_plugin.money import Money
from crm_plugin.shop import Fact, FactKind, Page, Position, ProductRef, Shop
from tests.shop_contract.world import World

FIRST = Position(datetime(2000, 1, 1, tzinfo=UTC))
NOWHERE = "999999999"
A_UUID = "00000000-0000-4000-8000-000000000000"
PRICE = Decimal("50.00")


def make_ref(world: World, *, price: Decimal = PRICE, stock: int = 10, name: str = "Blue Mug") -> ProductRef:
    """Make a product with one variant; return the ref of the variant."""
    return world.make_product(prices=[price], stocks=[stock], name=name)[0]


def whole(ref: ProductRef) -> ProductRef:
    """Return the product that a variant belongs to."""
    return ProductRef(ref.product_id, ref.shop_channel)


def money(world: World, amount: Decimal) -> Money:
    """Return an amount in the currency of the default channel."""
    return Money(amount, world.shop.channels()[0].currency)


def pages(shop: Shop, stream: str, *, limit: int, start: Position = FIRST) -> Iterator[Page]:
    """Read a stream to its end."""
    position = start
    for _ in range(10_000):
        page = shop.changed_since(stream, position, limit=limit)
        yield page
        if page.is_last:
            return
        assert (page.position.at, page.position.key) > (position.at, position.key), "a page must lead on"
        position = page.position
    pytest.fail(f"{stream} never ends")


def keys(shop: Shop, stream: str, *, limit: int) -> list[str]:
    """Return the source keys of a whole stream."""
    return [fact.source_key for page in pages(shop, stream, limit=limit) for fact in page.facts]


def all_facts(shop: Shop) -> list[Fact]:
    """Return the facts of all streams."""
    return [fact for stream in shop.streams() for page in pages(shop, stream, limit=50) for fact in page.facts]


def find_facts(shop: Shop, kind: FactKind) -> list[Fact]:
    """Return the facts of a kind in all streams."""
    return [fact for fact in all_facts(shop) if fact.kind is kind]
