"""Solapi's status codes (its "message status codes"): what each says about a message.

1xxx: refused on the way in; 2000: taken; 2xxx: failed inside; 3000: with the carrier; 3xxx: failed there;
4000: arrived.
"""

from __future__ import annotations

from typing import Final

from crm_plugin.messaging.channels import HandOut
from crm_plugin.messaging.models import ReceiptKind

#: The custom field in which a message carries our id; Solapi repeats it in answers and reports.
OUR_ID: Final = "crm"

ARRIVED: Final = "4000"
#: Taken, or handed to the carrier: nothing is decided yet.
ON_ITS_WAY: Final = frozenset({"2000", "3000"})
#: The person refused by the free 080 number.
REFUSED_BY_PERSON: Final = frozenset({"1061", "2061"})
#: Not in the form of a number, and not given to anybody.
NO_SUCH_NUMBER: Final = frozenset({"3010", "3032"})
#: The number cannot be written to: blocked by Solapi, or it takes no text messages.
_BLOCKED_NUMBER: Final = frozenset({"1060", "2060", "3050"})
#: No money left: the same for every message, until somebody pays.
_NO_MONEY: Final = frozenset({"1030", "2230"})
#: Errors of servers.
_PASSING: Final = frozenset({"1024", "2024", "3012", "3024"})


def hand_out_of(code: str) -> HandOut:
    """Return what the code of a message that was refused on the way in makes of it."""
    if code in _NO_MONEY:
        return HandOut.LATER
    if code in _PASSING:
        return HandOut.RETRY
    if code in REFUSED_BY_PERSON | NO_SUCH_NUMBER | _BLOCKED_NUMBER:
        return HandOut.ADDRESS_REFUSED
    return HandOut.REJECTED


def kinds_of(code: str) -> tuple[ReceiptKind, ...]:
    """Return what the code of a report tells; nothing while a message is on its way."""
    if code == ARRIVED:
        return (ReceiptKind.DELIVERED,)
    if code in ON_ITS_WAY or not code:
        return ()
    if code in REFUSED_BY_PERSON:
        return (ReceiptKind.UNDELIVERED, ReceiptKind.UNSUBSCRIBED)
    if code in NO_SUCH_NUMBER:
        return (ReceiptKind.HARD_BOUNCE,)
    return (ReceiptKind.UNDELIVERED,)
