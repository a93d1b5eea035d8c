"""The Oscar adapter keeps the contract of the port."""

from __future__ import annotations

from tests.shop_contract import ShopContract


class TestOscar(ShopContract):
    """All of the contract; the world is the fixture of this folder."""
