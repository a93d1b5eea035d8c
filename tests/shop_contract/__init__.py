"""The contract of the port ``crm_plugin.shop.Shop``: what every adapter promises, asserted.

An adapter's test module has a fixture ``world`` that returns a ``World`` (see ``world.py``) and one line::

    class TestOscar(ShopContract): ...
"""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite(
    *(
        f"tests.shop_contract.{part}"
        for part in (
            *("asking", "catalogue", "coupons", "groups", "identity", "likes"),
            *("reviews", "streams", "trade", "vouchers", "wishlists"),
        )
    )
)

from tests.shop_contract.catalogue import CatalogueContract  # noqa: E402 - rewriting comes first
from tests.shop_contract.coupons import CouponContract  # noqa: E402
from tests.shop_contract.groups import GroupContract  # noqa: E402
from tests.shop_contract.identity import IdentityContract  # noqa: E402
from tests.shop_contract.likes import LikesContract  # noqa: E402
from tests.shop_contract.reviews import ReviewContract  # noqa: E402
from tests.shop_contract.streams import StreamContract  # noqa: E402
from tests.shop_contract.trade import TradeContract  # noqa: E402
from tests.shop_contract.vouchers import VoucherContract  # noqa: E402
from tests.shop_contract.wishlists import WishlistContract  # noqa: E402
from tests.shop_contract.world import Lines, World  # noqa: E402

__all__ = ["Lines", "ShopContract", "World"]


class ShopContract(
    CatalogueContract,
    GroupContract,
    TradeContract,
    VoucherContract,
    CouponContract,
    LikesContract,
    WishlistContract,
    ReviewContract,
    StreamContract,
    IdentityContract,
):
    """All of it."""
