"""What the law wants people to be told, and an e-mail did not tell them, is told by text message.

Only of notices that say the same on every channel: the link of a double opt-in is for the address that asked for it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from crm_plugin import contacts
from crm_plugin.contacts import ChannelKind
from crm_plugin.messaging.models import Message, MessageState
from crm_plugin.messaging.notices import Notice, enqueue_notices
from crm_plugin.messaging.outcomes import UNREACHED

#: The file of a notice, by what its occasion begins with.
_NAMES: Final[Mapping[str, str]] = {"consent": "consent_result", "reconfirm": "reconfirm"}


def retell(message_ids: Collection[int]) -> None:
    """Put the notices among these messages whose e-mail certainly did not arrive into the outbox as text messages.

    Once for each occasion, however often a failure is told. Who has no telephone, or has it blocked, cannot be told.
    """
    if not message_ids:
        return
    failed = Message.objects.filter(pk__in=message_ids, channel=ChannelKind.EMAIL, state=MessageState.FAILED)
    lost = [row for row in failed.filter(reason__in=UNREACHED) if row.occasion.partition(":")[0] in _NAMES]
    reaches = contacts.reach({row.contact_id for row in lost}, channel=ChannelKind.SMS) if lost else {}
    enqueue_notices([
        Notice(
            occasion=row.occasion,
            contact_id=row.contact_id,
            channel=ChannelKind.SMS,
            name=_NAMES[row.occasion.partition(":")[0]],
            data=row.data,
        )
        for row in lost
        if (reach := reaches.get(row.contact_id)) is not None and reach.address and reach.suppressed_for is None
    ])  # fmt: skip
