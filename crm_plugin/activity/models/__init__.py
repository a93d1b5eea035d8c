"""Tables of the activity room."""

from crm_plugin.activity.models.catalogue import (
    GroupedProduct,
    PriceDrop,
    PriceWatch,
    ProductGroup,
    Restock,
    VoucherProduct,
    Wave,
    WaveKind,
)
from crm_plugin.activity.models.lists import OwnLike, OwnWishlist, StockEpoch, StockRequest, StockRequestState
from crm_plugin.activity.models.stream import Activity, Inbox, Inflow, Interest, Watermark

__all__ = [
    "Activity",
    "GroupedProduct",
    "Inbox",
    "Inflow",
    "Interest",
    "OwnLike",
    "OwnWishlist",
    "PriceDrop",
    "PriceWatch",
    "ProductGroup",
    "Restock",
    "StockEpoch",
    "StockRequest",
    "StockRequestState",
    "VoucherProduct",
    "Watermark",
    "Wave",
    "WaveKind",
]
