"""Saleor keeps the port's contract."""

from __future__ import annotations

import pytest

from tests.shop_contract import ShopContract

pytestmark = pytest.mark.saleor


class TestSaleor(ShopContract):
    """The suite that every shop passes."""
