"""By which keys in private metadata the CRM knows what it made in Saleor; nothing else is ever changed or deleted."""

from __future__ import annotations

from typing import Final

#: Of a voucher: it is a series of coupons; the value says when that ends.
SERIES: Final = "crm_plugin.coupons"
#: Of a collection: it is the one of nothing (``nowhere``).
NOWHERE: Final = "crm_plugin.nowhere"
