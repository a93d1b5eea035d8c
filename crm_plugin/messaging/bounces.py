"""What a bounce, a complaint or an answer means for an address and for the person: listmonk's policy.

One hard bounce or one complaint blocks the address for good; soft bounces only block when the merchant says after how
many (features part 2a, listmonk's ``bounce.actions``). A complaint and a refusal also withdraw the consent.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from django.db.models import Max, Q
from django.db.models.functions import Greatest

from crm_plugin import contacts
from crm_plugin.contacts import PHONE_CHANNELS, SuppressionReason
from crm_plugin.messaging.models import DeliveryReceipt, Message, MessageState, ReceiptKind
from crm_plugin.messaging.outcomes import Reason

#: What is told of an address or its owner, not of a message alone.
OF_ADDRESSES: Final = frozenset({
    ReceiptKind.HARD_BOUNCE, ReceiptKind.COMPLAINT, ReceiptKind.UNSUBSCRIBED, ReceiptKind.RESUBSCRIBED
})  # fmt: skip
_BLOCKS: Final = {
    ReceiptKind.HARD_BOUNCE: SuppressionReason.HARD_BOUNCE,
    ReceiptKind.COMPLAINT: SuppressionReason.COMPLAINT,
}


def hear(row: DeliveryReceipt, *, contact_ids: Collection[int], address: str) -> None:
    """Block the address, or take the person's word.

    A refusal that is taken back (START) lifts the block that it made and no other, and gives no consent back: a carrier
    only asks whether the person wants any messages at all.

    Args:
        row: what was told; of another kind than ``OF_ADDRESSES``, nothing happens.
        contact_ids: whose address it is; their rows are locked.
        address: as the provider gave it, or as it was written to.
    """
    kind = ReceiptKind(row.kind)
    if kind not in OF_ADDRESSES:
        return
    if kind == ReceiptKind.RESUBSCRIBED:
        contacts.lift_suppression(address, channel=row.channel, only=SuppressionReason.STOP)
        return
    is_stop = kind == ReceiptKind.UNSUBSCRIBED and row.channel in PHONE_CHANNELS
    reason = SuppressionReason.STOP if is_stop else _BLOCKS.get(kind)
    if reason is not None:
        contacts.suppress(address, channel=row.channel, reason=reason, detail=row.detail)
    if kind == ReceiptKind.HARD_BOUNCE:
        return
    for contact_id in sorted(contact_ids):
        contacts.set_consent(
            contact_id, channel=row.channel, is_granted=False, source=f"provider_{kind}", evidence={"receipt": row.key}
        )


def count_soft(message: Message, *, block_after: int) -> None:
    """Block the address of a message that came back when it is the n-th in a row.

    A message that arrived, or in which somebody did something, ends a row.
    """
    if not message.recipient:
        return
    mine = Message.objects.filter(
        contact_id=message.contact_id, channel=message.channel, recipient=message.recipient
    ).exclude(finished_at=None)
    bounced = Q(state=MessageState.FAILED, reason=Reason.BOUNCED)
    signs = ("delivered_at", "opened_at", "clicked_at", "machine_opened_at")
    alive_at = mine.exclude(bounced).aggregate(at=Greatest(*(Max(sign) for sign in signs)))["at"]
    since = Q(finished_at__gt=alive_at) if alive_at else Q()
    if mine.filter(bounced, since).count() >= block_after:
        contacts.suppress(message.recipient, channel=message.channel, reason=SuppressionReason.SOFT_BOUNCES)
