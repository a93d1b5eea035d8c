"""Whom a wave concerns: the rule of the campaign's trigger, put to the activity room. One case for each kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, TypeAlias, assert_never

from crm_plugin import activity, merchant
from crm_plugin.activity import Select, WaveKind
from crm_plugin.automations.running import running
from crm_plugin.automations.triggers import BackInStockTrigger, NewVoucherTrigger, PriceDropTrigger
from crm_plugin.shop import Voucher

WaveTrigger: TypeAlias = PriceDropTrigger | BackInStockTrigger | NewVoucherTrigger

#: Which trigger waits for which kind of wave.
TRIGGER_OF: Final[Mapping[WaveKind, type[WaveTrigger]]] = {
    WaveKind.PRICE_DROP: PriceDropTrigger,
    WaveKind.BACK_IN_STOCK: BackInStockTrigger,
    WaveKind.NEW_VOUCHER: NewVoucherTrigger,
}


@dataclass(frozen=True, slots=True)
class Concerned:
    """The question whom a wave concerns, and what their runs remember of it.

    Attributes:
        select: the people and their products.
        context: of the runs.
        cooldown_days: no product that the campaign had a run about in so many days; 0: the rule itself sees to that.
    """

    select: Select
    context: Mapping[str, Any] = field(default_factory=dict)
    cooldown_days: int = 0

    @property
    def code(self) -> str | None:
        """The code that the runs are about."""
        coupon = self.context.get("coupon")
        return None if coupon is None else str(coupon["code"])


def hears_waiting() -> int | None:
    """Return from how many units on some running campaign tells those who asked; None when there is none."""
    triggers = [one.definition.trigger for one in running()]
    return min(
        (one.min_available for one in triggers if isinstance(one, BackInStockTrigger) and one.hears_waiting),
        default=None,
    )


def concerned_by(trigger: WaveTrigger, *, wave: int, after_contact: int, limit: int) -> Concerned | None:
    """Return the question for the next chunk of people; None when the wave concerns nobody any more."""
    match trigger:
        case PriceDropTrigger():
            return Concerned(activity.concerned_by(trigger.rule(), wave=wave, after_contact=after_contact, limit=limit))
        case BackInStockTrigger():
            select = activity.waiting_for(
                trigger.interest(),
                min_available=trigger.min_available,
                wave=wave,
                after_contact=after_contact,
                limit=limit,
                is_line_told=trigger.hears_waiting or hears_waiting() is not None,
            )
            return Concerned(select, cooldown_days=trigger.cooldown_days)
        case NewVoucherTrigger():
            voucher = activity.voucher_of(wave)
            if voucher is None:
                return None
            select = activity.could_use(
                trigger.interest(), code=voucher.code, wave=wave, after_contact=after_contact, limit=limit
            )
            return Concerned(select, {"coupon": _coupon(voucher)}, trigger.cooldown_days)
        case _:
            assert_never(trigger)


def _coupon(voucher: Voucher) -> dict[str, str]:
    """Return what a message says of the voucher; a voucher that ends at midnight has its last day before it."""
    found = {"code": voucher.code, "name": voucher.name}
    if voucher.ends_at is not None:
        last = (voucher.ends_at - timedelta(microseconds=1)).astimezone(merchant.zone())
        found["expires_on"] = last.date().isoformat()
    return found
