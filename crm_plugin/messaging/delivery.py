"""Deliver: the loop that hands messages out.

What a kill can blur is bounded: at most ``handout_batch`` messages are ``sending`` at a time, that state is committed
before their bytes go out, and what is found in it without a living worker is ``unknown`` for ever (``outbox.sweep``).
Messages that were only claimed are claimed again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar, assert_never

from django.db import OperationalError, connection, transaction

from crm_plugin import clock, contacts, merchant
from crm_plugin.conf import settings
from crm_plugin.contacts import ChannelKind, Reach
from crm_plugin.loops import is_on
from crm_plugin.merchant import Merchant
from crm_plugin.messaging import channels, outbox
from crm_plugin.messaging.channels import Channel, ChannelDown, Envelope, HandOut, Receipt, Sender
from crm_plugin.messaging.composing import Composed, Letter, compose
from crm_plugin.messaging.gates import Gatekeeper
from crm_plugin.messaging.inbox import keep_notes
from crm_plugin.messaging.models import MessageClass, MessageState
from crm_plugin.messaging.outbox import Claimed, Delivered, Marking, Settlement
from crm_plugin.messaging.outcomes import Go, Hold, Reason, Skip, Verdict
from crm_plugin.messaging.retelling import retell
from crm_plugin.messaging.tracking import store_links
from crm_plugin.money import Money

T = TypeVar("T")
Report = Callable[[Sequence[Delivered]], None]

#: Tries at writing down what became of a chunk.
WRITE_ATTEMPTS = 3
#: While blocked addresses cannot be recognised, advertisements are looked at again so often.
KEY_SECONDS = 300.0
#: The longest that a provider's Retry-After is believed.
LONGEST_WAIT_SECONDS = 3_600.0


@dataclass(frozen=True, slots=True)
class _Parcel:
    """A message ready to go."""

    claimed: Claimed
    letter: Letter
    going: Go


_Going = tuple[_Parcel, Reach]


def deliver(claimed: Sequence[Claimed], *, verdicts: Mapping[int, Verdict], on_outcomes: Report) -> int:
    """Compose, gate and hand out what ``claim`` returned; return how many the providers took.

    Args:
        claimed: from ``claim``, not older than the lease.
        verdicts: by message id, what automations says of each.
        on_outcomes: called with the messages that reached a final state, inside the transaction that writes it;
            several times, each message once (again when that transaction was rolled back).
    """
    verdicts = _while_key_is_kept(claimed, verdicts)
    composed, links = compose(claimed, verdicts=verdicts)
    _settle([settled for one in composed if (settled := _early(one)) is not None], on_outcomes)
    store_links(links)
    parcels = [
        _Parcel(one.claimed, one.result, going)
        for one in composed
        if isinstance(one.result, Letter) and isinstance(going := verdicts[one.claimed.message_id], Go)
    ]
    us = merchant.load()
    sent = 0
    for kind in dict.fromkeys(one.claimed.channel for one in parcels):
        sent += _Hand.of(kind, us, on_outcomes).out([one for one in parcels if one.claimed.channel == kind])
    return sent


def _while_key_is_kept(claimed: Sequence[Claimed], verdicts: Mapping[int, Verdict]) -> Mapping[int, Verdict]:
    """Hold the advertisements when the key of digests has changed: nobody knows then which addresses are blocked."""
    if contacts.is_key_kept():
        return verdicts
    hold = Hold(clock.now() + timedelta(seconds=KEY_SECONDS), Reason.KEY_CHANGED)
    held = {
        one.message_id: hold
        for one in claimed
        if one.message_class == MessageClass.MARKETING and isinstance(verdicts[one.message_id], Go)
    }
    return {**verdicts, **held}


def sweep(limit: int) -> list[Delivered]:
    """Settle what dead workers left ``sending``; return the messages of runs whose fate nobody knows."""
    return outbox.sweep(limit, safe=channels.idempotent())


def _early(composed: Composed) -> Settlement | None:
    """Return what a message became that was not written at all."""
    return None if isinstance(composed.result, Letter) else _turned_back(composed.claimed, composed.result)


def _turned_back(claimed: Claimed, verdict: Hold | Skip) -> Settlement:
    """Return what a message becomes that may not go now, or never."""
    match verdict:
        case Skip(reason=reason, detail=detail):
            return Settlement(claimed=claimed, state=MessageState.SKIPPED, reason=reason, detail=detail)
        case Hold(until=until, reason=reason):
            return Settlement(claimed=claimed, state=MessageState.QUEUED, reason=reason, due_at=until)


def _settle(settlements: Sequence[Settlement], on_outcomes: Report) -> None:
    if not settlements:
        return
    with transaction.atomic():
        if final := outbox.settle(settlements):
            on_outcomes(final)


@dataclass(slots=True)
class _Hand:
    """Hands the parcels of one channel out, chunk by chunk, over one connection."""

    kind: str
    channel: Channel
    merchant: Merchant
    on_outcomes: Report
    sender: Sender
    prices: Mapping[str, Decimal]

    @classmethod
    def of(cls, kind: str, us: Merchant, on_outcomes: Report) -> _Hand:
        """Return a hand that is not connected yet."""
        sender = Sender(
            name=us.sender_name,
            email=us.sender_email,
            reply_to=us.reply_to,
            phone=us.sms_sender,
            kakao_key=us.kakao_sender_key,
        )
        return cls(kind, channels.get(kind), us, on_outcomes, sender, us.price_list)

    def out(self, parcels: Sequence[_Parcel]) -> int:
        """Return how many were taken. When the provider is away, everything left is put off.

        When the operator switches the CRM off meanwhile, what is left waits in line as if nobody had claimed it.
        """
        sent = 0
        size = max(settings().handout_batch, self.channel.batch_size)
        try:
            for at, chunk in _chunks(parcels, size):
                if not is_on():
                    _settle([_given_back(one) for one in parcels[at:]], self.on_outcomes)
                    break
                try:
                    self.channel.open()
                except ChannelDown as error:
                    waiting = [_wait_for_provider(one, str(error), error.retry_seconds) for one in parcels[at:]]
                    _settle(waiting, self.on_outcomes)
                    break
                sent += self._chunk(chunk)
        finally:
            self.channel.close()
        return sent

    def _chunk(self, chunk: Sequence[_Parcel]) -> int:
        lease_until = clock.now() + timedelta(seconds=settings().lease_seconds)
        going = self._admit(chunk, lease_until)
        receipts = [
            (one, reach, receipt)
            for _, batch in _chunks(going, self.channel.batch_size)
            for (one, reach), receipt in zip(batch, self._hand_out(batch, lease_until), strict=True)
        ]
        for attempt in range(1, WRITE_ATTEMPTS + 1):
            try:
                self._write(receipts)
                break
            except OperationalError:
                # Lost to a deadlock: what was handed out is worth another try, else it would all be "unknown".
                if attempt == WRITE_ATTEMPTS:
                    raise
        return sum(receipt.result == HandOut.SENT for *_, receipt in receipts)

    def _write(self, receipts: Sequence[tuple[_Parcel, Reach, Receipt]]) -> None:
        with transaction.atomic(durable=True):
            _do_not_wait_for_the_disk()
            for _, reach, receipt in receipts:
                if receipt.result == HandOut.ADDRESS_REFUSED and not reach.endpoints:
                    contacts.suppress(reach.address, channel=self.kind, reason="refused", detail=receipt.detail[:300])
            contacts.remove_endpoints([gone for *_, receipt in receipts for gone in receipt.gone], channel=self.kind)
            if self.kind == ChannelKind.INBOX:
                keep_notes([(one.claimed, one.letter.content) for one, _, receipt in receipts if receipt.is_delivered])
            if final := outbox.settle([self._outcome(one, receipt) for one, _, receipt in receipts]):
                self.on_outcomes(final)
            retell([one.claimed.message_id for one, *_ in receipts if one.claimed.enrollment_id is None])

    def _admit(self, chunk: Sequence[_Parcel], lease_until: datetime) -> list[tuple[_Parcel, Reach]]:
        """Pass the chunk through the gates and commit what goes as ``sending``; return that."""
        ids = {one.claimed.contact_id for one in chunk}
        with transaction.atomic(durable=True):
            # Two workers must not both find the same person under the cap, nor miss a withdrawal.
            contacts.lock(ids)
            reaches = contacts.reach(ids, channel=self.kind)
            keeper = Gatekeeper.on_duty(
                self.merchant,
                contact_ids=ids,
                channel=self.kind,
                now=clock.now(),
                caps={
                    one.claimed.campaign_id: cap
                    for one in chunk
                    if one.claimed.campaign_id is not None and (cap := one.going.terms.cap) is not None
                },
                addresses=[reach.address for reach in reaches.values()],
            )
            judged = [
                (one, keeper.judge(one.claimed, reaches.get(one.claimed.contact_id), one.going.terms)) for one in chunk
            ]
            keeper.off_duty()
            going = [(one, reaches[one.claimed.contact_id]) for one, verdict in judged if verdict is None]
            marked = outbox.mark_sending([_marking(*pair) for pair in going], lease_until=lease_until)
            turned_back = [_turned_back(one.claimed, verdict) for one, verdict in judged if verdict is not None]
            if final := outbox.settle(turned_back):
                self.on_outcomes(final)
        return [(one, reach) for one, reach in going if one.claimed.message_id in marked]

    def _hand_out(self, batch: Sequence[_Going], lease_until: datetime) -> Sequence[Receipt]:
        if clock.now() >= lease_until:
            # From here on the sweep calls it unknown; what did not go out by now must not go out at all.
            return [Receipt(HandOut.RETRY, "The provider was too slow for the lease.")] * len(batch)
        try:
            return self.channel.hand_out([self._envelope(one, reach) for one, reach in batch])
        except ChannelDown as error:
            return [Receipt(HandOut.LATER, str(error), retry_seconds=error.retry_seconds)] * len(batch)

    def _envelope(self, parcel: _Parcel, reach: Reach) -> Envelope:
        return Envelope(
            public_id=parcel.claimed.public_id,
            recipient=reach.address,
            sender=self.sender,
            content=parcel.letter.content,
            language=parcel.letter.language,
            is_marketing=parcel.claimed.message_class == MessageClass.MARKETING,
            endpoints=reach.endpoints,
        )

    def _outcome(self, parcel: _Parcel, receipt: Receipt) -> Settlement:
        """Return what the provider's answer makes of a message."""
        match receipt.result:
            case HandOut.SENT:
                state, reason = MessageState.SENT, None
            case HandOut.RETRY:
                return _put_off(parcel, receipt)
            case HandOut.LATER:
                return replace(_wait_for_provider(parcel, receipt.detail, receipt.retry_seconds), is_untried=True)
            case HandOut.ADDRESS_REFUSED:
                state, reason = MessageState.FAILED, Reason.ADDRESS_REFUSED
            case HandOut.REJECTED:
                state, reason = MessageState.FAILED, Reason.REJECTED
            case HandOut.LOST:
                if self.channel.has_idempotency_key:  # the provider takes it only once, however often it is offered
                    return _put_off(parcel, receipt)
                state, reason = MessageState.UNKNOWN, Reason.CONNECTION_LOST
            case _:
                assert_never(receipt.result)
        return Settlement(
            claimed=parcel.claimed,
            state=state,
            reason=reason,
            detail=receipt.detail,
            provider_id=receipt.provider_id,
            is_delivered=receipt.is_delivered,
            cost=self._cost(parcel, receipt) if state == MessageState.SENT else None,
            items=parcel.letter.items,
        )

    def _cost(self, parcel: _Parcel, receipt: Receipt) -> Money | None:
        """Return what the provider asks for, else what the merchant says that the form, or the channel, costs."""
        price = self.prices.get(parcel.letter.content.form, self.prices.get(self.kind))
        return receipt.cost or (Money(price, self.merchant.price_currency) if price is not None else None)


def _do_not_wait_for_the_disk() -> None:
    """Let the commit return before it is on disk: outcomes that a crash of the database takes become ``unknown``."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit TO OFF")


def _chunks(parcels: Sequence[T], size: int) -> Iterator[tuple[int, Sequence[T]]]:
    for at in range(0, len(parcels), size):
        yield at, parcels[at : at + size]


def _marking(parcel: _Parcel, reach: Reach) -> Marking:
    letter = parcel.letter
    return Marking(
        claimed=parcel.claimed,
        recipient=reach.address,
        language=letter.language,
        subject=letter.content.title,
        form=letter.content.form,
    )


def _given_back(parcel: _Parcel) -> Settlement:
    """Leave a message as it was before it was claimed."""
    return Settlement(claimed=parcel.claimed, state=MessageState.QUEUED)


def _wait_for_provider(parcel: _Parcel, detail: str, retry_seconds: float | None = None) -> Settlement:
    """Queue a message again that nobody was there to take: no try of its own, and only until it is stale."""
    now = clock.now()
    if parcel.claimed.stale_at <= now:
        return Settlement(claimed=parcel.claimed, state=MessageState.SKIPPED, reason=Reason.STALE, detail=detail)
    due_at = now + timedelta(seconds=_bounded(retry_seconds) or settings().retry_seconds)
    return Settlement(
        claimed=parcel.claimed, state=MessageState.QUEUED, reason=Reason.RETRY, detail=detail, due_at=due_at
    )


def _put_off(parcel: _Parcel, receipt: Receipt) -> Settlement:
    """Queue a message again, each time for twice as long, until the tries are used up."""
    tries = parcel.claimed.attempts + 1
    if tries >= settings().max_attempts:
        state, reason, due_at = MessageState.FAILED, Reason.RETRIES_EXHAUSTED, None
    else:
        pause = timedelta(seconds=_bounded(receipt.retry_seconds) or settings().retry_seconds * 2 ** (tries - 1))
        state, reason, due_at = MessageState.QUEUED, Reason.RETRY, clock.now() + pause
    return Settlement(claimed=parcel.claimed, state=state, reason=reason, detail=receipt.detail, due_at=due_at)


def _bounded(seconds: float | None) -> float:
    """Return how long a provider wants us to wait, within reason: one that says "a year" does not stop us for one."""
    return min(max(seconds or 0.0, 0.0), LONGEST_WAIT_SECONDS)
