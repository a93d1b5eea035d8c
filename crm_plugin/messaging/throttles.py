"""Throttles: how fast messages go out, so that receivers and providers do not turn them away.

Three of them: e-mails an hour to a receiving domain (the merchant's ``domain_limits``), messages a minute through a
provider (the operator's ``email_per_minute`` and ``sms_per_minute``), and e-mails a day while a sender is new (the
merchant's ``warm_up_from`` and ``warm_up_first``).

Each counts in stretches of the clock, in rows of ``SendingCount``. A chunk locks the rows that it needs, judges, and
writes them back before it commits, so that any number of workers together stay within a limit. What is above it is
counted too: it is that many places back in the queue, and waits for the stretch in which its place is. Nothing that is
transactional waits for the warm-up, but it counts for it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from django.db import connection

from crm_plugin import clock
from crm_plugin.conf import settings
from crm_plugin.contacts import ChannelKind
from crm_plugin.messaging.models import SendingCount

if TYPE_CHECKING:
    from crm_plugin.merchant import Merchant
    from crm_plugin.messaging.gates.hours import Clocks

#: Each day of a warm-up may bring so many times the mail of the day before. Providers publish schedules that begin with
#: 50 to 500 and double at most ("never more than 2x the previous day's volume" in 30 to 90 days, SocketLabs,
#: help.socketlabs.com/docs/warm-up-basics); half as much again leaves room for the days on which nothing is sent.
WARM_UP_GROWTH: Final = Decimal("1.5")
#: A sender of whom so much is accepted in a day, or that is so old, is new no longer.
WARM_UP_ENOUGH: Final = 1_000_000
WARM_UP_DAYS: Final = 60
#: What waits for a stretch comes in its first tenth, one after the other.
_SPREAD: Final = 10
#: The longest stretch is a day; counts of older ones are of no use.
_KEPT: Final = timedelta(days=3)

_TABLE = SendingCount._meta.db_table
_LOCK = f"""
INSERT INTO {_TABLE} (key, begins_at, count)
SELECT key, begins_at, 0 FROM unnest(%s::text[], %s::timestamptz[]) AS v (key, begins_at) ORDER BY key
ON CONFLICT (key, begins_at) DO UPDATE SET count = {_TABLE}.count
RETURNING key, count
"""  # noqa: S608 - the table's own name
_WRITE = f"""
UPDATE {_TABLE} AS t SET count = v.count
FROM unnest(%s::text[], %s::timestamptz[], %s::integer[]) AS v (key, begins_at, count)
WHERE t.key = v.key AND t.begins_at = v.begins_at
"""  # noqa: S608 - the table's own name


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttle:
    """At most ``most`` messages in the stretch that began at ``begins_at``."""

    key: str
    begins_at: datetime
    most: int
    length: timedelta

    def slot(self, place: int) -> datetime:
        """Return when the message that is so many places back in the queue has its turn."""
        stretches, place = divmod(place, self.most)
        return self.begins_at + self.length * (stretches + 1) + self.length / _SPREAD * place / self.most

    def is_for(self, *, is_marketing: bool) -> bool:
        """Whether such a message has to wait for it; it counts in any case."""
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmUp(Throttle):
    """The e-mails of one day of a sender that is new."""

    began_on: date
    first: int
    today: date
    zone: tzinfo

    def slot(self, place: int) -> datetime:
        """Return when the message has its turn, on one of the next days, each of which has room for more."""
        day = self.today + timedelta(days=1)
        while (most := warm_up_limit(self.began_on, self.first, day)) is not None and place >= most:
            place, day = place - most, day + timedelta(days=1)
        return clock.day_start(day, self.zone) + self.length / _SPREAD * place / (most or WARM_UP_ENOUGH)

    def is_for(self, *, is_marketing: bool) -> bool:
        """Only advertisements wait."""
        return is_marketing


def warm_up_limit(began_on: date, first: int, day: date) -> int | None:
    """Return how many e-mails a new sender may send on a day; None: as many as it likes."""
    number = (day - began_on).days
    if not 0 <= number < WARM_UP_DAYS:
        return None
    most = int(first * WARM_UP_GROWTH**number)
    return most if most <= WARM_UP_ENOUGH else None


@dataclass(slots=True)
class Throttles:
    """The throttles of one chunk; without any, nothing waits.

    Attributes:
        general: for every message.
        domains: for messages to a receiving domain.
        counts: what was counted in each one's stretch, what waits included.
    """

    general: Sequence[Throttle] = ()
    domains: Mapping[str, Throttle] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    _changed: set[str] = field(default_factory=set)

    @classmethod
    def open(
        cls, us: Merchant, *, channel: str, addresses: Collection[str], now: datetime, clocks: Clocks
    ) -> Throttles:
        """Lock what is counted for the channel, in one statement; none when nothing is limited.

        Other workers on the same channel wait here until the transaction is over.
        """
        domains = {} if channel != ChannelKind.EMAIL else _of_domains(us, addresses, now)
        found = cls([*_of_provider(channel, now), *_of_warm_up(us, channel, now, clocks)], domains)
        if throttles := found._all():
            with connection.cursor() as cursor:
                cursor.execute(_LOCK, [[one.key for one in throttles], [one.begins_at for one in throttles]])
                found.counts = dict(cursor.fetchall())
        return found

    def hold(self, address: str, *, is_marketing: bool, stale_at: datetime) -> datetime | None:
        """Return when the message may go that may not go now.

        What goes is counted, and so is an advertisement that waits its turn, unless it will be stale by then. News
        about the person's own business only waits for the next stretch, before all advertisements.
        """
        domain = self.domains.get(_domain(address))
        mine = [*self.general, domain] if domain is not None else self.general
        full = [one for one in mine if self.counts[one.key] >= one.most and one.is_for(is_marketing=is_marketing)]
        if not full:
            self._count(mine)
            return None
        until = max(one.slot(self.counts[one.key] - one.most if is_marketing else 0) for one in full)
        if is_marketing and until < stale_at:
            self._count(full)
        return until

    def close(self) -> None:
        """Write down what was counted, in one statement."""
        changed = [one for one in self._all() if one.key in self._changed]
        if changed:
            keys, begins_at = [one.key for one in changed], [one.begins_at for one in changed]
            with connection.cursor() as cursor:
                cursor.execute(_WRITE, [keys, begins_at, [self.counts[key] for key in keys]])

    def _count(self, throttles: Sequence[Throttle]) -> None:
        for one in throttles:
            self.counts[one.key] += 1
            self._changed.add(one.key)

    def _all(self) -> list[Throttle]:
        return [*self.general, *self.domains.values()]


def forget_counts(limit: int) -> int:
    """Delete counts of stretches that are long over; return how many."""
    old = SendingCount.objects.filter(begins_at__lt=clock.now() - _KEPT).values_list("pk", flat=True)
    return SendingCount.objects.filter(pk__in=list(old[:limit])).delete()[0]


def _of_provider(channel: str, now: datetime) -> Iterator[Throttle]:
    most = {ChannelKind.EMAIL: settings().email_per_minute, ChannelKind.SMS: settings().sms_per_minute}.get(
        ChannelKind(channel), 0
    )
    if most:
        begins_at = now.astimezone(UTC).replace(second=0, microsecond=0)
        yield Throttle(key=f"provider:{channel}", begins_at=begins_at, most=most, length=timedelta(minutes=1))


def _of_warm_up(us: Merchant, channel: str, now: datetime, clocks: Clocks) -> Iterator[Throttle]:
    if us.warm_up_from is None or channel != ChannelKind.EMAIL:
        return
    zone = clocks.shop_zone
    today = now.astimezone(zone).date()
    most = warm_up_limit(us.warm_up_from, us.warm_up_first, today)
    if most is None:
        return
    begins_at = clock.day_start(today, zone)
    yield WarmUp(
        key="warm_up",
        begins_at=begins_at,
        most=most,
        length=clock.day_start(today + timedelta(days=1), zone) - begins_at,
        began_on=us.warm_up_from,
        first=us.warm_up_first,
        today=today,
        zone=zone,
    )


def _of_domains(us: Merchant, addresses: Collection[str], now: datetime) -> dict[str, Throttle]:
    limits = us.domain_limit
    begins_at = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return {
        domain: Throttle(
            key=f"domain:{domain}"[:120], begins_at=begins_at, most=limits[domain], length=timedelta(hours=1)
        )
        for domain in {_domain(address) for address in addresses}
        if domain in limits
    }


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower()
