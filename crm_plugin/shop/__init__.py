"""The port: everything the engine may ask of a shop, and the words in which a shop tells it something.

An adapter (``shops/saleor``, ``shops/oscar``, the tests' ``FakeShop``) implements ``Shop``; each passes the
contract suite in ``tests/shop_contract/``. All calls are batch in, batch out; ids are the shop's own
primary keys as strings; unknown ids are left out of the answer, never an error. Nothing here knows
Django's models, GraphQL, or which shop it is in.
"""

from crm_plugin.shop.coupons import CouponKind, CouponTerms, ShopCoupon
from crm_plugin.shop.facts import Fact, FactKind
from crm_plugin.shop.goods import Group, GroupKind, Offer, ProductCard, ProductRef
from crm_plugin.shop.people import Actor, Customer, Permission
from crm_plugin.shop.port import Operator, Page, Position, Shop, ShopChannel, ShopIdentity, current, install
from crm_plugin.shop.reviews import NewReview, ShopReview
from crm_plugin.shop.trade import Cart, Line, Order, OrderState
from crm_plugin.shop.vouchers import Voucher
from crm_plugin.shop.wishlists import Like, Wishlist

__all__ = [
    "Actor",
    "Cart",
    "CouponKind",
    "CouponTerms",
    "Customer",
    "Fact",
    "FactKind",
    "Group",
    "GroupKind",
    "Like",
    "Line",
    "NewReview",
    "Offer",
    "Operator",
    "Order",
    "OrderState",
    "Page",
    "Permission",
    "Position",
    "ProductCard",
    "ProductRef",
    "Shop",
    "ShopChannel",
    "ShopCoupon",
    "ShopIdentity",
    "ShopReview",
    "Voucher",
    "Wishlist",
    "current",
    "install",
]
