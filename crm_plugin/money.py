"""Money: a Decimal amount and its ISO 4217 currency, never a float, never summed across currencies."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from babel.numbers import format_currency


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An amount in the major unit of ``currency`` (``Decimal("19.90")``, ``"EUR"``)."""

    amount: Decimal
    currency: str

    def __post_init__(self) -> None:
        if not isinstance(self.amount, Decimal):
            raise TypeError("Money.amount is a Decimal")

    def __sub__(self, other: Money) -> Money:
        if other.currency != self.currency:
            raise ValueError(f"cannot subtract {other.currency} from {self.currency}")
        return Money(self.amount - other.amount, self.currency)

    def format(self, *, language: str) -> str:
        """Return the amount as a reader of ``language`` expects it (Unicode CLDR, through Babel)."""
        return format_currency(self.amount, self.currency, locale=language.replace("-", "_"))
