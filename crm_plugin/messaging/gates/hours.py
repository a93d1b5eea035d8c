"""Hours in which a person is left in peace: the night of the law, and the quiet hours of the merchant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from babel.core import get_global

from crm_plugin import clock, merchant
from crm_plugin.contacts import Reach
from crm_plugin.merchant import Merchant
from crm_plugin.messaging.compliance import KOREA, NightBan, Pack, pack_of

#: Korea's night is meant by its own clocks (network act, article 50(3)), wherever the reader's browser says it is.
_SEOUL: Final = ZoneInfo("Asia/Seoul")
#: Stretches that follow on one another; a country that is never free of night is held to the end of so many.
_MOST_STRETCHES: Final = 10


@dataclass(slots=True)
class Clocks:
    """By whose clocks hours and days are meant. The shop's zone is asked for only when somebody needs it."""

    merchant: Merchant
    _shop_zone: ZoneInfo | None = None

    @property
    def shop_zone(self) -> ZoneInfo:
        """The merchant's zone, else the shop's."""
        if self._shop_zone is None:
            chosen = clock.zone_named(self.merchant.time_zone)
            self._shop_zone = merchant.zone() if chosen is None else chosen
        return self._shop_zone

    def of(self, reach: Reach) -> ZoneInfo:
        """Return the person's zone, as far as it is known; else the shop's."""
        own = clock.zone_named(reach.time_zone)
        if own is not None:
            return own
        zones = zones_of_country(reach.country)
        return zones[0] if len(zones) == 1 else self.shop_zone

    def night_ends(self, reach: Reach, *, channel: str, at: datetime) -> datetime | None:
        """Return when an advertisement may go that the law forbids at this moment; None when it does not.

        Of a person whose zone is not known, in a country that has several, it is night while it is night in any of
        them: whatever the person's clock says, the message does not come at night.
        """
        bans = [(ban, self._zones(pack, reach)) for pack, ban in self._bans(reach, channel)]
        until = at
        for _stretch in range(_MOST_STRETCHES):
            end = _latest_end(bans, until)
            if end is None:
                break
            until = end
        return None if until == at else until

    def quiet_ends(self, reach: Reach, *, at: datetime) -> datetime | None:
        """Return when the merchant's quiet hours end that ``at`` lies in, by the person's clocks."""
        begins, ends = self.merchant.quiet_from, self.merchant.quiet_to
        if begins is None or ends is None:
            return None
        return clock.end_of_stretch(begins, ends, at=at, zone=self.of(reach))

    def _bans(self, reach: Reach, channel: str) -> Iterator[tuple[Pack, NightBan]]:
        packs = {pack.code: pack for pack in self._packs(reach)}
        for pack in packs.values():
            ban = pack.night_ban
            if ban is None or channel not in ban.channels:
                continue
            if not (ban.night_consent_lifts and reach.has_night_consent):
                yield pack, ban

    def _packs(self, reach: Reach) -> Iterator[Pack]:
        """Walk over whose law may hold: of a person without a known country, that of their language too."""
        yield pack_of(reach, self.merchant)
        if not reach.country:
            yield pack_of(reach, self.merchant, language=reach.language or self.merchant.default_language)

    def _zones(self, pack: Pack, reach: Reach) -> tuple[ZoneInfo, ...]:
        if pack.code == KOREA.code:
            return (_SEOUL,)
        own = clock.zone_named(reach.time_zone)
        if own is not None:
            return (own,)
        return zones_of_country(reach.country or self.merchant.country) or (self.shop_zone,)


@lru_cache(maxsize=300)
def zones_of_country(country: str) -> tuple[ZoneInfo, ...]:
    """Return the time zones of a country (Unicode CLDR); empty when it is not known."""
    names = sorted(name for name, territory in get_global("zone_territories").items() if territory == country)
    return tuple(zone for name in names if (zone := clock.zone_named(name)) is not None)


def _latest_end(bans: Iterable[tuple[NightBan, tuple[ZoneInfo, ...]]], at: datetime) -> datetime | None:
    ends = (clock.end_of_stretch(ban.begins, ban.ends, at=at, zone=zone) for ban, zones in bans for zone in zones)
    return max((end for end in ends if end is not None), default=None)
