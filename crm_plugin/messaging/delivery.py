"""Deliver: the loop that hands messages out.

What a kill can blur is bounded: at most ``handout_batch`` messages are ``sending`` at a time, that state is committed
before their bytes go out, and what is found in it without a living worker is ``unknown`` for ever (``outbox.sweep``).
Messages that were only claimed are claimed again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from django.db import OperationalError, connection, transaction

from crm_plugin import clock, contacts, merchant
from crm_plugin.conf import settings
from crm_plugin.contacts import Reach
from crm_plugin.merchant import Merchant
from crm_plugin.messaging import channels, outbox
from crm_plugin.messaging.channels import Channel, ChannelDown, Envelope, HandOut, Receipt
from crm_plugin.messaging.composing import Composed, Letter, compose
from crm_plugin.messaging.gates import Gatekeeper
from crm_plugin.messaging.models import MessageState
from crm_plugin.messaging.outbox import Claimed, Delivered, Marking, Settlement
from crm_plugin.messaging.outcomes import CampaignCap, Go, Hold, Reason, Skip, Verdict
from crm_plugin.messaging.tracking import store_links

Report = Callable[[Sequence[Delivered]], None]

#: Tries at writing down what became of a chunk.
WRITE_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class _Parcel:
    """A message ready to go."""

    claimed: Claimed
    letter: Letter
    cap: CampaignCap | None = None


def deliver(claimed: Sequence[Claimed], *, verdicts: Mapping[int, Verdict], on_outcomes: Report) -> int:
    """Compose, gate and hand out what ``claim`` returned; return how many the providers took.

    Args:
        claimed: from ``claim``, not older than the lease.
        verdicts: by message id, what automations says of each.
        on_outcomes: called with the messages that reached a final state, inside the transaction that writes it;
            several times, each message once (again when that transaction was rolled back).
    """
    composed, links = compose(claimed, verdicts=verdicts)
    _settle([settled for one in composed if (settled := _early(one)) is not None], on_outcomes)
    store_links(links)
    parcels = [
        _Parcel(one.claimed, one.result, _cap(verdicts[one.claimed.message_id]))
        for one in composed
        if isinstance(one.result, Letter)
    ]
    us = merchant.load()
    sent = 0
    for kind in dict.fromkeys(one.claimed.channel for one in parcels):
        hand = _Hand(kind, channels.get(kind), us, on_outcomes)
        sent += hand.out([one for one in parcels if one.claimed.channel == kind])
    return sent


def _cap(verdict: Verdict) -> CampaignCap | None:
    return verdict.cap if isinstance(verdict, Go) else None


def _early(composed: Composed) -> Settlement | None:
    """Return what a message became that was not written at all."""
    match composed.result:
        case Letter():
            return None
        case Skip(reason=reason):
            return Settlement(claimed=composed.claimed, state=MessageState.SKIPPED, reason=reason)
        case Hold(until=until, reason=reason):
            return Settlement(claimed=composed.claimed, state=MessageState.QUEUED, reason=reason, due_at=until)


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

    def out(self, parcels: Sequence[_Parcel]) -> int:
        """Return how many were taken. When the provider is away, everything left is put off."""
        sent = 0
        try:
            for at, chunk in _chunks(parcels, settings().handout_batch):
                try:
                    self.channel.open()
                except ChannelDown as error:
                    _settle([_wait_for_provider(one, str(error)) for one in parcels[at:]], self.on_outcomes)
                    break
                sent += self._chunk(chunk)
        finally:
            self.channel.close()
        return sent

    def _chunk(self, chunk: Sequence[_Parcel]) -> int:
        lease_until = clock.now() + timedelta(seconds=settings().lease_seconds)
        going = self._admit(chunk, lease_until)
        receipts = [(one, reach, self._hand_out(one, reach, lease_until)) for one, reach in going]
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
                if receipt.result == HandOut.ADDRESS_REFUSED:
                    contacts.suppress(reach.address, channel=self.kind, reason="refused", detail=receipt.detail[:300])
            if final := outbox.settle([_outcome(one, receipt) for one, _, receipt in receipts]):
                self.on_outcomes(final)

    def _admit(self, chunk: Sequence[_Parcel], lease_until: datetime) -> list[tuple[_Parcel, Reach]]:
        """Pass the chunk through the gates and commit what goes as ``sending``; return that."""
        ids = {one.claimed.contact_id for one in chunk}
        with transaction.atomic(durable=True):
            # Two workers must not both find the same person under the cap, nor miss a withdrawal.
            _lock(ids)
            reaches = contacts.reach(ids, channel=self.kind)
            caps = {one.claimed.campaign_id: one.cap for one in chunk if one.cap is not None}
            keeper = Gatekeeper.on_duty(self.merchant, contact_ids=ids, channel=self.kind, now=clock.now(), caps=caps)
            judged = [
                (one, keeper.refusal(one.claimed, reaches.get(one.claimed.contact_id), cap=one.cap)) for one in chunk
            ]
            going = [(one, reaches[one.claimed.contact_id]) for one, reason in judged if reason is None]
            marked = outbox.mark_sending([_marking(*pair) for pair in going], lease_until=lease_until)
            refused = [
                Settlement(claimed=one.claimed, state=MessageState.SKIPPED, reason=reason)
                for one, reason in judged
                if reason is not None
            ]
            if final := outbox.settle(refused):
                self.on_outcomes(final)
        return [(one, reach) for one, reach in going if one.claimed.message_id in marked]

    def _hand_out(self, parcel: _Parcel, reach: Reach, lease_until: datetime) -> Receipt:
        if clock.now() >= lease_until:
            # From here on the sweep calls it unknown; what did not go out by now must not go out at all.
            return Receipt(HandOut.RETRY, "The provider was too slow for the lease.")
        envelope = Envelope(
            public_id=parcel.claimed.public_id,
            recipient=reach.address,
            sender_name=self.merchant.sender_name,
            sender_email=self.merchant.sender_email,
            reply_to=self.merchant.reply_to,
            subject=parcel.letter.subject,
            text=parcel.letter.text,
            html=parcel.letter.html,
            unsubscribe_url=parcel.letter.unsubscribe_url,
        )
        try:
            return self.channel.hand_out(envelope)
        except ChannelDown as error:
            return Receipt(HandOut.RETRY, str(error))


def _do_not_wait_for_the_disk() -> None:
    """Let the commit return before it is on disk: outcomes that a crash of the database takes become ``unknown``."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit TO OFF")


def _lock(contact_ids: set[int]) -> None:
    list(contacts.rows_of(contact_ids).order_by("pk").select_for_update(no_key=True).values_list("pk"))


def _chunks(parcels: Sequence[_Parcel], size: int) -> Iterator[tuple[int, Sequence[_Parcel]]]:
    for at in range(0, len(parcels), size):
        yield at, parcels[at : at + size]


def _marking(parcel: _Parcel, reach: Reach) -> Marking:
    letter = parcel.letter
    return Marking(claimed=parcel.claimed, recipient=reach.address, language=letter.language, subject=letter.subject)


def _outcome(parcel: _Parcel, receipt: Receipt) -> Settlement:
    """Return what the provider's answer makes of a message."""
    match receipt.result:
        case HandOut.SENT:
            state, reason = MessageState.SENT, None
        case HandOut.RETRY:
            return _put_off(parcel, receipt)
        case HandOut.ADDRESS_REFUSED:
            state, reason = MessageState.FAILED, Reason.ADDRESS_REFUSED
        case HandOut.REJECTED:
            state, reason = MessageState.FAILED, Reason.REJECTED
        case HandOut.LOST:
            state, reason = MessageState.UNKNOWN, Reason.CONNECTION_LOST
        case _:
            assert_never(receipt.result)
    return Settlement(
        claimed=parcel.claimed,
        state=state,
        reason=reason,
        detail=receipt.detail,
        provider_id=receipt.provider_id,
        items=parcel.letter.items,
    )


def _wait_for_provider(parcel: _Parcel, detail: str) -> Settlement:
    """Queue a message again that nobody was there to take: no try of its own, and only until it is stale."""
    now = clock.now()
    if parcel.claimed.stale_at <= now:
        return Settlement(claimed=parcel.claimed, state=MessageState.SKIPPED, reason=Reason.STALE, detail=detail)
    due_at = now + timedelta(seconds=settings().retry_seconds)
    return Settlement(
        claimed=parcel.claimed, state=MessageState.QUEUED, reason=Reason.RETRY, detail=detail, due_at=due_at
    )


def _put_off(parcel: _Parcel, receipt: Receipt) -> Settlement:
    """Queue a message again, each time for twice as long, until the tries are used up."""
    tries = parcel.claimed.attempts + 1
    if tries >= settings().max_attempts:
        state, reason, due_at = MessageState.FAILED, Reason.RETRIES_EXHAUSTED, None
    else:
        pause = timedelta(seconds=settings().retry_seconds * 2 ** (tries - 1))
        state, reason, due_at = MessageState.QUEUED, Reason.RETRY, clock.now() + pause
    return Settlement(claimed=parcel.claimed, state=state, reason=reason, detail=receipt.detail, due_at=due_at)
