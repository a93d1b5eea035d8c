"""Vouchers: codes that shoppers type in for a discount."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Voucher:
    """A voucher of the shop.

    Attributes:
        code: what anybody may type in; empty when each of its codes is meant for one person.
        shop_channels: where it is valid.
        made_at: when it came to be, which may be after it began.
        ends_at: the moment from which it is no longer valid; None: it does not end.
        product_ids: those of the products asked about that it is valid for; None: it is valid for whatever is sold.
    """

    voucher_ref: str
    code: str
    name: str
    shop_channels: tuple[str, ...]
    made_at: datetime
    starts_at: datetime
    ends_at: datetime | None = None
    product_ids: tuple[str, ...] | None = None

    def is_valid_at(self, moment: datetime) -> bool:
        """Whether it has begun and not ended."""
        return self.starts_at <= moment and (self.ends_at is None or moment < self.ends_at)
