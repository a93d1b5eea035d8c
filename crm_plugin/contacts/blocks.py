"""Which contacts are blocked on which channel: for statements that ask about everybody at once.

A suppression keeps a digest of the address, and to compute the digests of a million addresses takes seconds. So the
answer is kept beside it for each contact (``Blocked``): brought up to date for whoever is touched, before anything is
asked about them. Derived, and never more than that: a message is held back by the suppression itself (``reach``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import timedelta
from typing import Any, Final, NamedTuple

from django.db import connection
from django.db.models import Max

from crm_plugin import clock, ids
from crm_plugin.channel_kind import PHONE_CHANNELS, ChannelKind
from crm_plugin.contacts.models import Contact

#: Channels whose addresses are suppressed: devices that are gone are deleted, the shop's own inbox refuses nobody.
BLOCKABLE: Final = frozenset({ChannelKind.EMAIL, *PHONE_CHANNELS})

#: Whether there is anything to compare, which in a young shop there is not.
IS_ANY: Final = "(EXISTS (SELECT FROM crm_plugin_suppression) OR EXISTS (SELECT FROM crm_plugin_blocked))"

#: Everybody is looked at once in this time, for what no touch told: a key that changed, a worker of an older release.
VERIFIED_EVERY: Final = timedelta(hours=24)
_CHUNK: Final = 5_000

#: ``wanted``: who should be blocked; ``present``: who is. One look-up by index for each address and each contact.
_COMPARED: Final = f"""
WITH wanted AS MATERIALIZED (
    SELECT a.contact_id, a.channel
    FROM unnest(%(owners)s::bigint[], %(channels)s::text[], %(digests)s::text[]) AS a(contact_id, channel, digest)
    CROSS JOIN LATERAL (
        SELECT FROM crm_plugin_suppression WHERE channel = a.channel AND address_digest = a.digest LIMIT 1
    ) AS s
), present AS MATERIALIZED (
    SELECT b.id, b.contact_id, b.channel FROM unnest(%(contacts)s::bigint[]) AS c(id)
    CROSS JOIN LATERAL (
        SELECT id, contact_id, channel FROM crm_plugin_blocked WHERE contact_id = c.id LIMIT {len(ChannelKind)}
    ) AS b
), missing AS (
    SELECT contact_id, channel FROM wanted EXCEPT SELECT contact_id, channel FROM present
), gone AS (
    SELECT contact_id, channel FROM present EXCEPT SELECT contact_id, channel FROM wanted
)"""  # noqa: S608 - only constants are put in

_REFRESH: Final = f"""
{_COMPARED}, freed AS (
    DELETE FROM crm_plugin_blocked WHERE id IN (SELECT p.id FROM present p JOIN gone USING (contact_id, channel))
)
INSERT INTO crm_plugin_blocked (contact_id, channel) SELECT contact_id, channel FROM missing ORDER BY 1, 2
ON CONFLICT DO NOTHING
"""  # noqa: S608

_TOUCH_WRONG: Final = f"""
{_COMPARED}
INSERT INTO crm_plugin_touched (contact_id) SELECT contact_id FROM missing UNION SELECT contact_id FROM gone
"""  # noqa: S608


class Addresses(NamedTuple):
    """Where a contact can be written to; empty where it cannot."""

    contact_id: int
    email: str
    phone: str

    def by_channel(self) -> Iterator[tuple[str, str]]:
        """Return the addresses that can be suppressed."""
        if self.email:
            yield ChannelKind.EMAIL, self.email
        if self.phone:
            yield from ((channel, self.phone) for channel in PHONE_CHANNELS)


def digest_of(address: str) -> str:
    """Return what a suppression keeps of a (normalised) address."""
    return ids.digest("suppression", address)


def refresh(people: Collection[Addresses]) -> None:
    """Write down anew who of the contacts is blocked; what is right already is not written. They must be locked."""
    _execute(_REFRESH, people)


def verify_blocks(*, every: timedelta) -> int:
    """Touch whoever's blocks are wrong, among those whose turn it is; return how many that are.

    A hand goes over all contacts once in ``VERIFIED_EVERY``, by their ids and the clock alone, and each call looks at
    what it has passed over. What a call misses, because no worker was there, waits for the next time round.

    Args:
        every: the time between two calls.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {IS_ANY}")
        (is_any,) = cursor.fetchone()
    return sum(_touch_wrong(*stretch) for stretch in _passed_over(every)) if is_any else 0


def _passed_over(every: timedelta) -> Iterator[tuple[int, int]]:
    """Return the stretches of ids that the hand passed over, and once more those before, for calls that are late."""
    last = Contact.objects.aggregate(last=Max("pk"))["last"] or 0
    share = min(1.0, 2 * every / VERIFIED_EVERY)
    end = clock.now().timestamp() / VERIFIED_EVERY.total_seconds() % 1.0
    for start, until in ((end - share, end), (end - share + 1.0, 1.0)):
        first, after = max(0, int(last * start)), int(last * until) + 1
        for low in range(first, after, _CHUNK):
            yield low, min(low + _CHUNK, after)


def _touch_wrong(low: int, after: int) -> int:
    rows = Contact.objects.filter(pk__gte=low, pk__lt=after).values_list("pk", "email", "phone")
    return _execute(_TOUCH_WRONG, [Addresses(pk, email or "", phone) for pk, email, phone in rows])


def _execute(statement: str, people: Collection[Addresses]) -> int:
    asked = [(one.contact_id, *pair) for one in people for pair in one.by_channel()]
    values: dict[str, Any] = {
        "contacts": [one.contact_id for one in people],
        "owners": [contact_id for contact_id, _channel, _address in asked],
        "channels": [channel for _contact_id, channel, _address in asked],
        "digests": [digest_of(address) for _contact_id, _channel, address in asked],
    }
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return int(cursor.rowcount)
