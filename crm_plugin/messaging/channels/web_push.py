"""Web push: encrypted messages (RFC 8291) through the push services of the browsers (RFC 8030), signed by VAPID.

Each device of a person is one call, to public addresses of known push services only: whoever subscribes chooses the
address. Calls of a batch are made side by side, for each is a round trip.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final
from urllib.parse import urlsplit

from crm_plugin import clock
from crm_plugin.conf import settings
from crm_plugin.contacts import Endpoint
from crm_plugin.messaging import calling, vapid
from crm_plugin.messaging.calling import Answer
from crm_plugin.messaging.channels import AdLabel, Capabilities, ChannelDown, Envelope, HandOut, Receipt
from crm_plugin.messaging.devices import is_push_service
from crm_plugin.messaging.finished import Notification
from crm_plugin.messaging.providers.devices import DeviceAnswer, Note, combined, fitting

#: RFC 8030, 7.2: 4,096 bytes are always taken. Of these the header takes 86 (RFC 8188, 2.1: salt, record size, key),
#: the tag and the delimiter of the one record 17.
MAX_BYTES: Final = 4_096 - 86 - 17
#: By these letters the service worker knows a message as ours.
TAG: Final = "crm-"
_CALLERS: Final = 16
#: RFC 8292, 2: at most 24 hours.
_SIGNED_FOR: Final = timedelta(hours=12)
_GONE: Final = frozenset({404, 410})


class WebPushChannel:
    """Hands out to every browser that a person subscribed with.

    A push service knows a message by its topic, and the browser by its tag, but neither after it was shown: a message
    that is offered twice may be seen twice.
    """

    capabilities = Capabilities(has_title=True, has_image=True, ad_label={"": AdLabel.TITLE})
    batch_size = 50
    has_idempotency_key = False

    def __init__(self) -> None:
        self._vapid: Any = None
        self._signatures: dict[str, Mapping[str, str]] = {}

    def open(self) -> None:
        """See that web push is set up; each call has a connection of its own."""
        try:
            self._vapid = vapid.load()
            self._sign("https://push.example")
        except vapid.NotSetUp as error:
            raise ChannelDown(str(error)) from error

    def hand_out(self, envelopes: Sequence[Envelope]) -> Sequence[Receipt]:
        """Send each message to every device of its reader."""
        if self._vapid is None:
            self.open()
        calls = [(envelope, body, device) for envelope in envelopes for body, device in _calls_of(envelope)]
        origins = {_origin(device.address) for _, _, device in calls if is_push_service(device.address)}
        self._signatures = {origin: self._sign(origin) for origin in origins}
        now = clock.now()
        with ThreadPoolExecutor(max_workers=min(_CALLERS, len(calls)) or 1) as callers:
            answers = iter(list(callers.map(lambda call: self._call(*call, now=now), calls)))
        return [combined(list(islice(answers, len(envelope.endpoints)))) for envelope in envelopes]

    def close(self) -> None:
        """Nothing is held open."""

    def _sign(self, origin: str) -> Mapping[str, str]:
        expires = int((clock.now() + _SIGNED_FOR).timestamp())
        return vapid.sign(self._vapid, audience=origin, expires=expires)

    def _call(self, envelope: Envelope, body: bytes | None, device: Endpoint, *, now: datetime) -> DeviceAnswer:
        address = device.address
        if body is None:
            return DeviceAnswer(address=address, result=HandOut.REJECTED, detail="The message is too long for a push.")
        if not is_push_service(address):
            detail = "This is not the address of a push service."
            return DeviceAnswer(address=address, result=HandOut.ADDRESS_REFUSED, detail=detail, is_gone=True)
        try:
            encrypted = _encrypted(body, device)
        except Exception as error:  # noqa: BLE001 - whatever the browser gave us for a key, it is none
            detail = f"The device's keys cannot be used: {error!r}"[:500]
            return DeviceAnswer(address=address, result=HandOut.ADDRESS_REFUSED, detail=detail, is_gone=True)
        headers = {**_headers(envelope), **self._signatures[_origin(address)]}
        return _read(calling.post(address, encrypted, headers), address, now=now)


def _calls_of(envelope: Envelope) -> list[tuple[bytes | None, Endpoint]]:
    body = payload(envelope)
    return [(body, device) for device in envelope.endpoints]


def payload(envelope: Envelope) -> bytes | None:
    """Return what the service worker gets, JSON that fits into one push; None when even the title does not fit."""
    content = envelope.content
    assert isinstance(content, Notification)  # noqa: S101 - CONTENTS says so
    more = {"tag": f"{TAG}{envelope.public_id.hex}", "lang": envelope.language}
    note = Note(title=content.title, body=content.text, url=content.url, image=content.image_url)
    fitted = fitting(note, more=more, max_bytes=MAX_BYTES)
    return None if fitted is None else json.dumps({**fitted.fields(), **more}, ensure_ascii=False).encode()


def _headers(envelope: Envelope) -> dict[str, str]:
    return {
        "content-encoding": "aes128gcm",
        "content-type": "application/octet-stream",
        "ttl": str(int(settings().push_ttl_hours * 3_600)),
        "urgency": "normal" if envelope.is_marketing else "high",
        # RFC 8030, 5.4: at most 32 letters. One that is still waiting is replaced.
        "topic": envelope.public_id.hex,
        "user-agent": "crm_plugin",
    }


def _encrypted(body: bytes, device: Endpoint) -> bytes:
    from pywebpush import WebPusher  # noqa: PLC0415 - an extra; `open` has seen that it is there

    subscription = {"endpoint": device.address, "keys": dict(device.keys)}
    encrypted: bytes = WebPusher(subscription).encode(body)["body"]
    return encrypted


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def _read(answer: Answer, address: str, *, now: datetime) -> DeviceAnswer:
    """Return what a push service's answer says (RFC 8030, 5 and 8.4)."""
    wait = calling.wait_asked_for(answer.retry_after, now=now).total_seconds() if answer.retry_after else None
    return DeviceAnswer(
        address=address,
        result=_result(answer),
        detail=answer.detail,
        retry_seconds=wait,
        is_gone=answer.status in _GONE,
    )


def _result(answer: Answer) -> HandOut:
    status = answer.status
    if answer.is_good:
        return HandOut.SENT
    if answer.is_refused or status in _GONE:
        return HandOut.ADDRESS_REFUSED
    if status is None:
        return HandOut.RETRY if answer.is_unreached else HandOut.LOST
    if status == 429:
        return HandOut.LATER
    return HandOut.RETRY if status >= 500 else HandOut.REJECTED
