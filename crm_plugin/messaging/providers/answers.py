"""What people answer to a text message: that they want no more of them, or that they do again."""

from __future__ import annotations

import re
from typing import Final

from crm_plugin.messaging.models import ReceiptKind

#: Twilio's own words (its "Advanced Opt-Out"), CTIA's handbook, and Korean for "refuse reception" and "refusal".
STOP: Final = frozenset({
    "STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT", "수신거부", "거부",
})  # fmt: skip
START: Final = frozenset({"START", "UNSTOP"})
_NO_WORD = re.compile(r"[\W_]+")


def read_answer(text: str) -> ReceiptKind | None:
    """Return what a whole answer means; None for any other text. ``"Stop."`` and ``"opt out"`` are understood."""
    word = _NO_WORD.sub("", text[:100]).upper()
    if word in STOP:
        return ReceiptKind.UNSUBSCRIBED
    return ReceiptKind.RESUBSCRIBED if word in START else None
