"""Anymail's form of a campaign mail, made once for a batch and filled for each message.

Anymail needs about as long to build a message as we need to render it, most of it to parse the same addresses anew.
Mails of a campaign differ in the same few texts only. So Anymail builds one with marks in the place of those, and each
message is that one's JSON with its own texts put in. What is not of this shape is built by Anymail, one by one.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.core.mail import EmailMultiAlternatives
from pydantic_core import to_json

from crm_plugin.messaging.mime import is_plain_address
from crm_plugin.messaging.providers.esp import METADATA_KEY
from crm_plugin.messaging.providers.esp_apis import Api, Payload

#: No text of a merchant or a person holds it.
_SECRET: Final = f"m{secrets.token_hex(12)}"
_MARK: Final = re.compile(f"{_SECRET}(to@mould\\.example|subject|text|html|link|id)")
_NAMES: Final = {"to@mould.example": "to"}
_LINK: Final = "List-Unsubscribe"


@dataclass(frozen=True, slots=True)
class Mould:
    """The JSON of a mail in pieces: a text, what goes in by its name, a text, and so on.

    ``payload`` is Anymail's, with the marks.
    """

    texts: Sequence[bytes]
    names: Sequence[str]
    payload: Payload

    def fill(self, message: EmailMultiAlternatives) -> bytes:
        """Return the JSON of a message of the same shape."""
        values = _values(message)
        pieces = [self.texts[0]]
        for name, text in zip(self.names, self.texts[1:], strict=True):
            pieces += values[name], text
        return b"".join(pieces)


class Moulds:
    """The moulds of one batch."""

    def __init__(self, backend: Any, api: Api) -> None:
        self._backend = backend
        self._api = api
        self._made: dict[tuple[object, ...], Mould | None] = {}
        self._is_usable = _is_anymails_own(backend)

    def of(self, message: EmailMultiAlternatives) -> Mould | None:
        """Return the mould that a message fits; None: it fits none."""
        if not self._is_usable or not _is_simple(message):
            return None
        shape = _shape(message)
        if shape not in self._made:
            self._made[shape] = self._make(message)
        return self._made[shape]

    def _make(self, like: EmailMultiAlternatives) -> Mould | None:
        marked = EmailMultiAlternatives(
            subject=f"{_SECRET}subject",
            body=f"{_SECRET}text",
            from_email=like.from_email,
            to=[f"{_SECRET}to@mould.example"],
            reply_to=like.reply_to,
            headers=like.extra_headers | ({_LINK: f"{_SECRET}link"} if _LINK in like.extra_headers else {}),
        )
        marked.attach_alternative(f"{_SECRET}html", "text/html")
        vars(marked)["metadata"] = {METADATA_KEY: f"{_SECRET}id"}
        payload = self._backend.build_message_payload(marked, self._backend.send_defaults)
        pieces = _MARK.split(self._api.write(payload))
        names = [_NAMES.get(name, name) for name in pieces[1::2]]
        is_whole = set(names) == set(_values(like))
        return Mould([text.encode() for text in pieces[::2]], names, payload) if is_whole else None


def _is_anymails_own(backend: Any) -> bool:
    """Whether nothing of the operator's looks at single messages: no class of their own, no receiver of a signal."""
    from anymail.signals import pre_send  # noqa: PLC0415 - an extra; the caller has a backend of it

    kind = type(backend)
    return kind.__module__.startswith("anymail.backends.") and not pre_send.has_listeners(kind)


def _is_simple(message: EmailMultiAlternatives) -> bool:
    return bool(message.body) and len(message.alternatives) == 1 and is_plain_address(message.to[0])


def _shape(message: EmailMultiAlternatives) -> tuple[object, ...]:
    """Return what messages of one mould have in common."""
    fixed = tuple((name, value) for name, value in message.extra_headers.items() if name != _LINK)
    return message.from_email, tuple(message.reply_to), fixed, _LINK in message.extra_headers


def _values(message: EmailMultiAlternatives) -> Mapping[str, bytes]:
    """Return what goes into the mould, as the inside of a string of JSON; address and id need no escape."""
    values = {
        "to": message.to[0].encode(),
        "subject": _inside(str(message.subject)),
        "text": _inside(str(message.body)),
        "html": _inside(str(message.alternatives[0][0])),
        "id": vars(message)["metadata"][METADATA_KEY].encode(),
    }
    if _LINK in message.extra_headers:
        values["link"] = _inside(message.extra_headers[_LINK])
    return values


def _inside(text: str) -> bytes:
    # Of a page of HTML this takes a third of the time that the standard library needs.
    return to_json(text)[1:-1]


__all__ = ["Mould", "Moulds"]
