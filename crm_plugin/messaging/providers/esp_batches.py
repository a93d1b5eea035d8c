"""Many different mails in one call of a provider's API, each built by Anymail's own code.

A batch is not a message: one bad recipient must not spoil the others, and what became of each is told apart. A refused
batch was not taken, so it is halved until the message is found that is to blame.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final
from urllib.parse import urljoin

import requests
from django.core.mail import EmailMultiAlternatives

from crm_plugin.conf import settings
from crm_plugin.messaging.channels import HandOut, Receipt
from crm_plugin.messaging.providers.esp import read_status, read_transport, retry_seconds
from crm_plugin.messaging.providers.esp_apis import BATCH_APIS, Api, Payload, Unintelligible
from crm_plugin.messaging.providers.esp_moulds import Moulds

#: A lost call is made again when the provider knows that it is the same one; how often, and after which pauses.
CALLS: Final = 3
PAUSE_SECONDS: Final = 0.3
_REFUSED: Final = frozenset({400, 404, 413, 422})


@dataclass(frozen=True, slots=True)
class _Item:
    """One message of a batch, and its JSON. ``at`` is its place in what was asked for."""

    at: int
    payload: Payload
    text: bytes


def batch_api(esp: str) -> Api | None:
    """Return the batch API of a provider by Anymail's name; None: it has none."""
    return BATCH_APIS.get(esp)


def send_batch(backend: Any, messages: Iterable[EmailMultiAlternatives]) -> list[Receipt]:
    """Hand mails to the provider of an open backend of Anymail; one receipt each, in their order."""
    api = BATCH_APIS[backend.esp_name]
    moulds = Moulds(backend, api)
    every = [_build(backend, api, at, message, moulds) for at, message in enumerate(messages)]
    receipts = {at: one for at, one in enumerate(every) if isinstance(one, Receipt)}
    items = [one for one in every if isinstance(one, _Item)]
    post = _Post(backend, api, until=time.monotonic() + settings().lease_seconds / 2)
    for group in _fitting(items, api):
        receipts |= post.out(group)
    return [receipts[at] for at in range(len(every))]


def _build(backend: Any, api: Api, at: int, message: EmailMultiAlternatives, moulds: Moulds) -> _Item | Receipt:
    try:
        if (mould := moulds.of(message)) is not None:
            return _Item(at, mould.payload, mould.fill(message))
        if not backend.run_pre_send(message):
            return Receipt(HandOut.REJECTED, "A receiver of Anymail's pre_send took it back.")
        payload = backend.build_message_payload(message, backend.send_defaults)
        return _Item(at, payload, api.write(payload).encode())
    except Exception as error:  # noqa: BLE001 - an address or a name that the provider's form cannot carry; nothing left
        return Receipt(HandOut.REJECTED, repr(error)[:500])


def _fitting(items: Sequence[_Item], api: Api) -> Iterator[list[_Item]]:
    """Divide messages into calls that are neither too many nor too long."""
    group: list[_Item] = []
    size = 0
    for item in items:
        length = len(item.text)
        if group and (len(group) >= api.batch_size or size + length > api.largest_bytes):
            yield group
            group, size = [], 0
        group.append(item)
        size += length
    if group:
        yield group


@dataclass(slots=True)
class _Post:
    """Makes the calls; after one that says "not now", or when the lease of the messages nears its end, no more."""

    backend: Any
    api: Api
    until: float
    waiting: Receipt | None = None

    def out(self, group: Sequence[_Item]) -> dict[int, Receipt]:
        """Return the receipts of a group by their places."""
        if self.waiting is None and time.monotonic() > self.until:
            self.waiting = Receipt(HandOut.LATER, "The provider was too slow for the lease.")
        if self.waiting is not None:
            return dict.fromkeys((item.at for item in group), self.waiting)
        found = self._call(group)
        if isinstance(found, list):
            return dict(zip((item.at for item in group), found, strict=True))
        if found.result == HandOut.REJECTED and len(group) > 1:
            middle = len(group) // 2
            return self.out(group[:middle]) | self.out(group[middle:])
        if found.result == HandOut.LATER:
            self.waiting = found
        return dict.fromkeys((item.at for item in group), found)

    def _call(self, group: Sequence[_Item]) -> list[Receipt] | Receipt:
        """Return a receipt for each message, or one for the whole call."""
        request = self._request(group)
        found = self._answer(request, len(group))
        if not self.api.key_header or isinstance(found, list) or found.result != HandOut.LOST:
            return found
        for count in range(1, CALLS):
            # The same bytes under the same key: taken once, however often. Only an answer that settles it is believed
            # now: "busy" would have the messages offered again in another batch, which the key does not cover.
            time.sleep(PAUSE_SECONDS * count)
            again = self._answer(request, len(group))
            if isinstance(again, list) or again.result == HandOut.REJECTED:
                return again
        return found

    def _request(self, group: Sequence[_Item]) -> Mapping[str, Any]:
        first: Any = group[0].payload
        body = self.api.wrap([item.text for item in group], first)
        request: dict[str, Any] = first.get_request_params(self.backend.api_url)
        headers = request["headers"] | self.api.headers
        if self.api.key_header:
            headers[self.api.key_header] = f"crm-{sha256(body).hexdigest()}"
        url = urljoin(self.backend.api_url, self.api.path)
        return request | {"url": url, "data": body, "headers": headers, "timeout": self.backend.timeout}

    def _answer(self, request: Mapping[str, Any], count: int) -> list[Receipt] | Receipt:
        try:
            response = self.backend.session.request(**request)
        except requests.RequestException as error:
            return read_transport(error)
        detail = f"{response.status_code} {response.text[:400]}"
        is_refused = response.status_code in _REFUSED
        try:
            if response.ok or is_refused:
                return self.api.read(response.content, count=count)
        except (ValueError, Unintelligible) as error:
            if response.ok:
                return Receipt(HandOut.LOST, f"{error!r}: {detail}"[:500])
        if is_refused and self.api.refuses_account(response.content):
            return Receipt(HandOut.LATER, detail, retry_seconds=retry_seconds(response.headers))
        return read_status(response.status_code, detail, headers=response.headers)


__all__ = ["batch_api", "send_batch"]
