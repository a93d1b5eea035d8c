"""What the push channels share: how much fits into one message, and what the answers of several devices come to."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from crm_plugin.messaging.channels import HandOut, Receipt

_JOINER = "\u200d"
_ELLIPSIS = "…"
#: The answer for the person when no device took the message: the first of these that any device gave.
_ORDER = (HandOut.LOST, HandOut.LATER, HandOut.RETRY, HandOut.REJECTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceAnswer:
    """What became of a message for one device.

    Attributes:
        is_gone: the device no longer exists, or never did.
    """

    address: str
    result: HandOut
    detail: str = ""
    provider_id: str = ""
    retry_seconds: float | None = None
    is_gone: bool = False


def combined(answers: Sequence[DeviceAnswer]) -> Receipt:
    """Return what became of a message to a person: sent, if any of their devices took it.

    Where nobody knows whether one device took it, nobody knows it of the person: trying again could tell them twice.
    """
    gone = tuple(one.address for one in answers if one.is_gone)
    taken = next((one for one in answers if one.result == HandOut.SENT), None)
    if taken is not None:
        return Receipt(HandOut.SENT, provider_id=taken.provider_id, gone=gone)
    for result in _ORDER:
        if those := [one for one in answers if one.result == result]:
            waits = [one.retry_seconds for one in those if one.retry_seconds]
            return Receipt(result, those[0].detail, retry_seconds=max(waits, default=None), gone=gone)
    return Receipt(HandOut.ADDRESS_REFUSED, answers[0].detail if answers else "There is no device.", gone=gone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What a device shows."""

    title: str
    body: str
    url: str = ""
    image: str = ""

    def fields(self) -> dict[str, str]:
        """Return what is not empty, by the names that devices know."""
        named = {"title": self.title, "body": self.body, "url": self.url, "image": self.image}
        return {name: value for name, value in named.items() if value}


def fitting(note: Note, *, more: Mapping[str, str], max_bytes: int) -> Note | None:
    """Return the note in at most ``max_bytes`` of JSON, together with ``more``.

    The text gives way first, then the picture. None when the title and the address alone are too long.
    """
    for made in (note, replace(note, image="")):
        room = max_bytes - _size(replace(made, body=""), more)
        if room >= _bytes_of(_ELLIPSIS) + len(', "body": ""'):
            return replace(made, body=shortened(made.body, max_bytes=room - len(', "body": ""')))
    return None


def shortened(text: str, *, max_bytes: int) -> str:
    """Return the text in at most ``max_bytes`` of JSON, cut between two characters as a reader sees them."""
    if _bytes_of(text) <= max_bytes:
        return text
    room, end = max_bytes - _bytes_of(_ELLIPSIS), 0
    for end, sign in enumerate(text):  # noqa: B007 - where it stops is the result
        room -= _bytes_of(sign)
        if room < 0:
            break
    while end and (_continues(text[end]) or text[end - 1] == _JOINER):
        end -= 1
    return text[:end].rstrip() + _ELLIPSIS


def _continues(sign: str) -> bool:
    """Whether it belongs to the character before: accents, variation selectors, skin tones, joiners."""
    return sign == _JOINER or unicodedata.category(sign).startswith("M") or "\U0001f3fb" <= sign <= "\U0001f3ff"


def _size(note: Note, more: Mapping[str, str]) -> int:
    return len(json.dumps({**note.fields(), **more}, ensure_ascii=False).encode())


def _bytes_of(text: str) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode()) - len('""')
