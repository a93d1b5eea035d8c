"""What providers tell after they took a message: kept as it comes in, put to its message by a worker.

A provider may tell twice, before its own answer to the sending has arrived, about messages that are not ours, and in
any order. So the endpoint only keeps what was told (``keep``); ``settle_receipts`` looks for the message, again and
again for an hour, and only when its sending is over. What a bounce or a complaint says about an address holds at once.

Whatever the order, a failure stands: a message of which both a delivery and a bounce were told has failed, and keeps
the time of the delivery (mail servers take a message and send it back later). What is done about addresses and people
is in ``bounces``.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final
from uuid import UUID

from django.db import connection
from django.db.models import Count, F, Min, Q
from django.db.models.functions import Least

from crm_plugin import clock, contacts, merchant
from crm_plugin.messaging import bounces
from crm_plugin.messaging.models import DeliveryReceipt, Message, MessageState, ReceiptKind
from crm_plugin.messaging.outbox import Delivered
from crm_plugin.messaging.outcomes import Reason
from crm_plugin.messaging.retelling import retell
from crm_plugin.money import Money

logger = logging.getLogger(__name__)

#: When to look for a message again that was not found, at first; the pauses grow with the time that has passed.
LOOK_AGAIN: Final = timedelta(seconds=15)
#: A message that was not found for so long is not ours.
GIVE_UP_AFTER: Final = timedelta(hours=1)
#: A settled receipt is kept so long, so that the same one is known when it is told again.
KEPT: Final = timedelta(days=7)

#: The sending is not over: what it comes to would overwrite what is told of it.
_OPEN: Final = (MessageState.QUEUED, MessageState.SENDING)
_FAILURES: Final = {
    ReceiptKind.HARD_BOUNCE: Reason.BOUNCED,
    ReceiptKind.SOFT_BOUNCE: Reason.BOUNCED,
    ReceiptKind.UNDELIVERED: Reason.UNDELIVERED,
}
#: One statement for all that arrived: most of what providers tell. What failed without anybody knowing for certain that
#: the provider had not taken it was sent after all.
_ARRIVED: Final = f"""
UPDATE {Message._meta.db_table} AS m SET delivered_at = LEAST(m.delivered_at, v.at),
    state = CASE WHEN d.is_doubtful THEN 'sent' ELSE m.state END,
    reason = CASE WHEN d.is_doubtful THEN '' ELSE m.reason END,
    detail = CASE WHEN d.is_doubtful THEN '' ELSE m.detail END
FROM (SELECT id, min(at) AS at FROM unnest(%s::bigint[], %s::timestamptz[]) AS e (id, at) GROUP BY id) AS v
JOIN LATERAL (
    SELECT t.state = 'unknown' OR (t.state IN ('failed', 'skipped') AND t.attempts > 0 AND t.reason = ANY(%s))
        AS is_doubtful
    FROM {Message._meta.db_table} t WHERE t.id = v.id
) AS d ON TRUE
WHERE m.id = v.id
"""  # noqa: S608 - the table's own name
_DOUBTFUL: Final = [Reason.RETRIES_EXHAUSTED.value, Reason.STALE.value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a provider told.

    Attributes:
        provider_id: its id of the message, or our public id where it repeats that; empty when only an address is told.
        event_id: its id of what it tells, by which a repetition is known; empty: kind, message and time make one.
        address: whom it is about, where no message is named (an answer STOP) or besides the message.
    """

    channel: str
    kind: ReceiptKind
    provider_id: str = ""
    event_id: str = ""
    address: str = ""
    detail: str = ""
    occurred_at: datetime | None = None
    cost: Money | None = None


def keep(told: Sequence[Told]) -> int:
    """Keep what a provider told; return how much of it was new."""
    now = clock.now()
    rows = {
        _key(one, now): DeliveryReceipt(
            channel=one.channel,
            kind=one.kind,
            key=_key(one, now),
            provider_id=_fit(one.provider_id, 200),
            address=_fit(one.address, 254),
            detail=_fit(one.detail, 500),
            cost=one.cost.amount if one.cost else None,
            cost_currency=one.cost.currency if one.cost else "",
            occurred_at=min(one.occurred_at or now, now),
            created_at=now,
            look_at=now,
        )
        for one in told
        if one.provider_id or one.address
    }
    known = set(DeliveryReceipt.objects.filter(key__in=rows).values_list("key", flat=True))
    # In the order of their keys: two calls that tell the same do not block each other.
    DeliveryReceipt.objects.bulk_create([rows[key] for key in sorted(rows)], ignore_conflicts=True)
    return len(rows.keys() - known)


def settle_receipts(limit: int) -> tuple[int, list[Delivered]]:
    """Put receipts to their messages. Must run in a transaction.

    Returns:
        How many were looked at, and the messages of runs that turned out not to have arrived.
    """
    now = clock.now()
    rows = list(
        DeliveryReceipt.objects.filter(settled_at__isnull=True, look_at__lte=now)
        .order_by("look_at", "id")
        .select_for_update(skip_locked=True)[:limit]
    )
    if not rows:
        return 0, []
    desk = _Desk.lay(rows, now)
    desk.note_arrivals(rows)
    failed: list[Delivered] = []
    settled: list[int] = []
    waiting: list[DeliveryReceipt] = []
    for row in rows:
        found = desk.settle(row)
        if found is None:
            row.look_at = _next_look(row, now)
            waiting.append(row)
        else:
            settled.append(row.pk)
            failed += found
    DeliveryReceipt.objects.filter(pk__in=settled).update(settled_at=now, address="", detail="")
    DeliveryReceipt.objects.bulk_update(waiting, ["look_at"])
    return len(rows), failed


def lag_of_receipts() -> dict[str, float]:
    """Return how many receipts wait, and the age in seconds of the oldest."""
    waiting = DeliveryReceipt.objects.filter(settled_at__isnull=True).aggregate(rows=Count("pk"), at=Min("created_at"))
    age = (clock.now() - waiting["at"]).total_seconds() if waiting["at"] else 0.0
    return {"receipts_rows": waiting["rows"], "receipts_oldest_seconds": age}


def forget_receipts(limit: int) -> int:
    """Delete receipts that were settled long ago; return how many."""
    old = DeliveryReceipt.objects.filter(settled_at__lt=clock.now() - KEPT).order_by("settled_at")
    return DeliveryReceipt.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:limit])).delete()[0]


def _key(told: Told, now: datetime) -> str:
    """Return what a repetition has in common; an answer without id and time (STOP, START, STOP) is always a new one."""
    at = "" if told.event_id else told.occurred_at or ("" if told.provider_id else now)
    address = told.address if not told.provider_id else ""
    parts = (told.channel, told.kind, told.provider_id, told.event_id, address, str(at))
    return sha256("\0".join(parts).encode()).hexdigest()


def _fit(text: str, length: int) -> str:
    return text.replace("\0", "")[:length]


def _next_look(row: DeliveryReceipt, now: datetime) -> datetime:
    at = now + max(LOOK_AGAIN, (now - row.created_at) / 2)
    last = row.created_at + GIVE_UP_AFTER
    return min(at, last) if now < last else at


@dataclass(frozen=True, slots=True)
class _Desk:
    """The receipts of one pass: their messages, and the people at their addresses; all of them are locked."""

    messages: Mapping[int, Message]
    people: Mapping[int, Sequence[int]]
    soft_bounces_block: int
    now: datetime

    @classmethod
    def lay(cls, rows: Sequence[DeliveryReceipt], now: datetime) -> _Desk:
        """Lock contacts before messages, as the delivery loop does, and each in the order of ids."""
        found = _matched(rows, _messages_of(rows))
        heard = [row for row in rows if row.pk not in found and row.address and row.kind in bounces.OF_ADDRESSES]
        people = {row.pk: contacts.people_at(row.address, channel=row.channel) for row in heard}
        ids = {message.contact_id for message in found.values()} | {pk for some in people.values() for pk in some}
        there = contacts.lock(ids)
        pks = {message.pk for message in found.values()}
        messages = Message.objects.filter(pk__in=pks).order_by("pk").select_for_update(no_key=True)
        return cls(
            messages=_matched(rows, messages),
            people={pk: [one for one in some if one in there] for pk, some in people.items()},
            soft_bounces_block=merchant.load().soft_bounces_block,
            now=now,
        )

    def note_arrivals(self, rows: Sequence[DeliveryReceipt]) -> None:
        """Write which messages arrived, before anything that says that they came back."""
        arrived = [
            (message.pk, row.occurred_at)
            for row in rows
            if row.kind == ReceiptKind.DELIVERED
            and (message := self.messages.get(row.pk)) is not None
            and message.state not in _OPEN
        ]
        if arrived:
            with connection.cursor() as cursor:
                cursor.execute(_ARRIVED, [*map(list, zip(*arrived, strict=True)), _DOUBTFUL])

    def settle(self, row: DeliveryReceipt) -> list[Delivered] | None:
        """Do what one receipt asks for; return the failures that it tells, None when it has to wait."""
        message = self.messages.get(row.pk)
        is_first_look = row.look_at == row.created_at
        if message is not None and message.state not in _OPEN:
            # What was heard of the address before its message was there is not heard again: START may follow STOP.
            return self._apply(row, message, is_heard=bool(row.address) and not is_first_look)
        if is_first_look and row.address:
            whose = self.people.get(row.pk, ()) if message is None else [message.contact_id]
            bounces.hear(row, contact_ids=whose, address=row.address)
        if not row.provider_id:
            return []
        if message is None and row.created_at <= self.now - GIVE_UP_AFTER:
            logger.info("crm: a receipt of %s names a message that is not ours", row.channel)
            return []
        return None

    def _apply(self, row: DeliveryReceipt, message: Message, *, is_heard: bool) -> list[Delivered]:
        kind = ReceiptKind(row.kind)
        mine = Message.objects.filter(pk=message.pk)
        if row.cost is not None:
            mine.update(cost=row.cost, cost_currency=row.cost_currency)
        if kind == ReceiptKind.COMPLAINT:
            mine.update(complained_at=Least(F("complained_at"), row.occurred_at))
        failed = _fail(row, message) if kind in _FAILURES else []
        if not is_heard:
            bounces.hear(row, contact_ids=[message.contact_id], address=message.recipient or row.address)
        if kind == ReceiptKind.SOFT_BOUNCE and self.soft_bounces_block:
            bounces.count_soft(message, block_after=self.soft_bounces_block)
        return failed


def _messages_of(rows: Sequence[DeliveryReceipt]) -> list[Message]:
    """Return the messages that receipts name, by the provider's id or by ours; each way by its own index."""
    ids = {row.provider_id for row in rows if row.provider_id}
    ours = [public_id for one in ids if (public_id := _as_uuid(one)) is not None]
    # Said in so many words: of a long list, PostgreSQL does not see that the partial index (none is empty) holds it.
    theirs = Message.objects.filter(~Q(provider_id=""), provider_id__in=ids)
    return [*theirs, *Message.objects.filter(public_id__in=ours)]


def _matched(rows: Sequence[DeliveryReceipt], messages: Iterable[Message]) -> Mapping[int, Message]:
    """Return the message of each receipt, by the receipt's key."""
    by_id: dict[str, list[Message]] = defaultdict(list)
    for message in messages:
        by_id[message.provider_id].append(message)
        by_id[str(message.public_id)].append(message)
    found = {}
    for row in rows:
        named = [*by_id.get(row.provider_id, ()), *by_id.get(str(_as_uuid(row.provider_id)), ())]
        same = [one for one in named if row.provider_id and one.channel == row.channel]
        if same:  # of several under one id (a provider's id of a whole batch), the one to the address that is told
            found[row.pk] = next((one for one in same if row.address and one.recipient == row.address), same[-1])
    return found


def _as_uuid(value: str) -> UUID | None:
    try:
        return UUID(value)
    except ValueError:
        return None


def _fail(row: DeliveryReceipt, message: Message) -> list[Delivered]:
    """Write that a message did not arrive; return it when that is news and another channel may be tried."""
    mine = Message.objects.filter(pk=message.pk)
    reason = _FAILURES[ReceiptKind(row.kind)]
    values = {"reason": reason, "detail": row.detail}
    was_sent = mine.filter(state__in=(MessageState.SENT, MessageState.UNKNOWN))
    if not was_sent.update(state=MessageState.FAILED, **values):
        if reason == Reason.BOUNCED:  # says more than that it was not delivered
            mine.filter(state=MessageState.FAILED, reason=Reason.UNDELIVERED).update(**values)
        return []
    if message.enrollment_id is None:
        retell([message.pk])
        return []
    outcome = Delivered(
        message_id=message.pk,
        enrollment_id=message.enrollment_id,
        contact_id=message.contact_id,
        step_id=message.step_id,
        channel=message.channel,
        state=MessageState.FAILED,
        reason=reason,
    )
    return [outcome]


__all__ = ["Told", "forget_receipts", "keep", "lag_of_receipts", "settle_receipts"]
