"""Something happened to a product that the person is interested in. One event goes to everybody whom it concerns."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from crm_plugin.activity import INTERESTS, DropRule, InterestRule, Source
from crm_plugin.automations.fields import Strict


class Wave(Strict):
    """Whom the event concerns.

    Attributes:
        sources: what counts as interest.
        lookback_days: how long ago the last sign of interest may be.
        settle_seconds: gathers what happens at once into one digest.
    """

    #: What a kind of event may count besides interest.
    further_sources: ClassVar[frozenset[Source]] = frozenset()

    sources: tuple[Source, ...] = Field(INTERESTS, min_length=1)
    lookback_days: int = Field(60, ge=1, le=365)
    min_views: int = Field(2, ge=1, le=100)
    cooldown_days: int = Field(14, ge=0, le=365)
    settle_seconds: int = Field(60, ge=0, le=3600)
    audience: dict[str, Any] | None = None

    @field_validator("sources")
    @classmethod
    def _sources_are_its_own(cls, sources: tuple[Source, ...]) -> tuple[Source, ...]:
        if others := set(sources) - {*INTERESTS, *cls.further_sources}:
            raise ValueError(f"{', '.join(sorted(others))} is not among the sources of this trigger")
        return sources

    def interest(self) -> InterestRule:
        """Return the rule of interest in the words of the activity room."""
        return InterestRule(sources=frozenset(self.sources), lookback_days=self.lookback_days, min_views=self.min_views)


class PriceDropTrigger(Wave):
    """It became cheaper."""

    type: Literal["price_drop"]
    min_percent: Decimal = Field(Decimal(10), ge=1, le=99)
    min_amount: dict[Annotated[str, Field(pattern=r"^[A-Z]{3}$")], Annotated[Decimal, Field(ge=0)]] = {}

    def rule(self) -> DropRule:
        """Return the rule in the words of the activity room."""
        return DropRule(
            sources=frozenset(self.sources),
            min_percent=self.min_percent,
            min_amount=self.min_amount,
            lookback_days=self.lookback_days,
            min_views=self.min_views,
            cooldown_days=self.cooldown_days,
        )


class BackInStockTrigger(Wave):
    """It can be bought again. ``cooldown_days``: not twice within so many days about the same product.

    The source ``waiting`` are those who asked to be told: they are told in turns, as often as they ask.
    """

    further_sources: ClassVar[frozenset[Source]] = frozenset({Source.WAITING})

    type: Literal["back_in_stock"]
    min_available: int = Field(1, ge=1, le=10_000)

    @property
    def hears_waiting(self) -> bool:
        """Whether it tells those who asked."""
        return Source.WAITING in self.sources

    @property
    def is_asked_for(self) -> bool:
        """Whether everybody whom it reaches asked for its message: then that is no advertisement."""
        return set(self.sources) == {Source.WAITING}


class NewVoucherTrigger(Wave):
    """A new voucher is valid for it. Who holds the code already is left out (features row 10)."""

    type: Literal["new_voucher"]
    sources: tuple[Source, ...] = Field((Source.CARTED, Source.LIKED), min_length=1)


WAVES = (PriceDropTrigger, BackInStockTrigger, NewVoucherTrigger)
