"""Solapi: SMS, LMS, Alimtalk and Brand Messages in Korea, text messages to other countries.

Requests are built and signed by Solapi's SDK; they are posted here, because the SDK drops the status and Retry-After of
an answer, has no time limit of its own for connecting, and raises when all of a batch were refused.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel
from solapi.lib.authenticator import Authenticator
from solapi.model.request.send_message_request import SendMessageRequest

from crm_plugin import clock
from crm_plugin.conf import settings
from crm_plugin.messaging.calling import wait_asked_for
from crm_plugin.messaging.channels import ChannelDown, Envelope, HandOut, Receipt
from crm_plugin.messaging.providers.solapi_codes import OUR_ID, hand_out_of
from crm_plugin.messaging.providers.solapi_writing import Page, write
from crm_plugin.money import Money

CONNECT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 20.0
#: A batch that is refused as a whole is halved to find the one to blame; so often, and so long, at most.
MAX_REQUESTS: Final = 40
MAX_SECONDS: Final = 60.0
#: Of an answer about 1,000 messages there are about 300 KB.
MAX_ANSWER_BYTES: Final = 4 * 1024 * 1024
#: Something in the request is wrong or too large. Any other 4xx (credentials, no money, too many, a wrong address) is
#: about none of the messages.
_WRONG: Final = (400, 413, 422)


class _Item(BaseModel):
    """One message of an answer."""

    model_config = ConfigDict(alias_generator=to_camel)

    message_id: str = ""
    status_code: str = ""
    status_message: str | None = ""
    to: str | None = ""
    custom_fields: dict[str, str] | None = None


class _Group(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)

    price: dict[str, dict[str, Decimal | None]] = {}


class _Taken(BaseModel):
    """An answer. Read more leniently than by the SDK: a field that we do not use must not put a batch in doubt."""

    model_config = ConfigDict(alias_generator=to_camel)

    group_info: _Group
    failed_message_list: list[_Item] | None = None
    message_list: list[_Item] | None = None


class _Refused(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)

    error_code: str = ""
    error_message: str = ""


class Solapi:
    """Sends through Solapi's batch interface."""

    def __init__(self) -> None:
        self._line: httpx.Client | None = None

    def open(self) -> None:
        """Look for the credentials; a connection is made when something is sent."""
        conf = settings()
        if not conf.solapi_api_key or not conf.solapi_api_secret:
            raise ChannelDown("CRM_SOLAPI_API_KEY and CRM_SOLAPI_API_SECRET are not set.")
        if self._line is None:
            limits = httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)
            try:
                self._line = httpx.Client(base_url=conf.solapi_url, timeout=limits)
            except httpx.InvalidURL as error:
                raise ChannelDown(f"CRM_SOLAPI_URL: {error}") from error

    def close(self) -> None:
        """Hang up."""
        line, self._line = self._line, None
        if line is not None:
            line.close()

    def send(self, envelopes: Sequence[Envelope]) -> Sequence[Receipt]:
        """Send a batch. One that is refused as a whole is halved, until only those to blame are left."""
        receipts: dict[str, Receipt] = {}
        pages = []
        for envelope in envelopes:
            page = write(envelope)
            if isinstance(page, Receipt):
                receipts[str(envelope.public_id)] = page
            else:
                pages.append(page)
        waiting, requests, until = deque([pages] if pages else []), 0, time.monotonic() + MAX_SECONDS
        while waiting:
            part = waiting.popleft()
            if requests >= MAX_REQUESTS or time.monotonic() >= until:
                receipts |= _same(part, Receipt(HandOut.RETRY, "Solapi refused too many batches of messages."))
                continue
            requests += 1
            answer = self._send(part)
            if isinstance(answer, _Refused) and len(part) > 1:
                waiting.extendleft((part[len(part) // 2 :], part[: len(part) // 2]))
            elif isinstance(answer, _Refused):
                receipts |= _same(part, Receipt(HandOut.REJECTED, _words(answer)))
            else:
                receipts |= answer
        return [receipts[str(envelope.public_id)] for envelope in envelopes]

    def _send(self, part: Sequence[Page]) -> dict[str, Receipt] | _Refused:
        """Send one request; return what became of each message, or why all were refused."""
        try:
            status, content, asked = self._post(part)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
            return _same(part, Receipt(HandOut.LATER, f"Solapi cannot be reached: {error!r}"[:300]))
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            return _same(part, Receipt(HandOut.LATER, f"CRM_SOLAPI_URL: {error}"))
        except httpx.HTTPError as error:
            return _same(part, Receipt(HandOut.LOST, f"No answer of Solapi: {error!r}"[:300]))
        if 200 <= status < 300:
            return _read(part, content)
        wait = wait_asked_for(asked, now=clock.now()).total_seconds() or None
        words = _words(refused := _refused(content))
        if status in _WRONG:
            return refused
        result = HandOut.LATER if 400 <= status < 500 else HandOut.RETRY
        return _same(part, Receipt(result, f"Solapi: {status} {words}", retry_seconds=wait))

    def _post(self, part: Sequence[Page]) -> tuple[int, bytes, str]:
        """Return status, body and Retry-After of an answer.

        Raises:
            httpx.HTTPError: for all that a network can do.
        """
        if self._line is None:
            self.open()
        assert self._line is not None  # noqa: S101 - open() says so
        conf = settings()
        request = SendMessageRequest(
            messages=[page.message for page in part], allow_duplicates=True, show_message_list=True
        )
        signature = Authenticator(conf.solapi_api_key, conf.solapi_api_secret.get_secret_value()).get_auth_info()
        until = time.monotonic() + ANSWER_SECONDS
        content = bytearray()
        with self._line.stream(
            "POST",
            "/messages/v4/send-many/detail",
            json=request.model_dump(exclude_none=True, by_alias=True),
            headers={"Authorization": signature},
        ) as response:
            for piece in response.iter_bytes():
                content += piece
                if time.monotonic() >= until or len(content) > MAX_ANSWER_BYTES:
                    raise httpx.ReadTimeout("The answer is too slow or too long.")
        return response.status_code, bytes(content), response.headers.get("retry-after", "")


def _read(part: Sequence[Page], content: bytes) -> dict[str, Receipt]:
    """Return what an answer says of each message. One that it does not name was taken: it counts only what failed."""
    try:
        taken = _Taken.model_validate_json(content)
    except ValidationError:
        return _same(part, Receipt(HandOut.LOST, "Solapi's answer could not be read."))
    named = _Named.of(part)
    failed = {named.id_of(item): item for item in taken.failed_message_list or ()}
    ids = {named.id_of(item): item.message_id for item in taken.message_list or ()}
    return {
        page.our_id: _receipt_of(failed[page.our_id])
        if page.our_id in failed
        else Receipt(HandOut.SENT, provider_id=ids.get(page.our_id, ""), cost=_cost(page, taken.group_info.price))
        for page in part
    }


@dataclass(frozen=True, slots=True)
class _Named:
    """The messages of a request by our id, and by number for answers that do not repeat it."""

    ids: frozenset[str]
    by_number: Mapping[str, deque[str]]

    @classmethod
    def of(cls, part: Sequence[Page]) -> _Named:
        by_number: dict[str, deque[str]] = {}
        for page in part:
            by_number.setdefault(str(page.message.to), deque()).append(page.our_id)
        return cls(frozenset(page.our_id for page in part), by_number)

    def id_of(self, item: _Item) -> str:
        ours = (item.custom_fields or {}).get(OUR_ID, "")
        if ours in self.ids:
            return ours
        same_number = self.by_number.get(item.to or "")
        return same_number.popleft() if same_number else ""


def _receipt_of(item: _Item) -> Receipt:
    detail = f"{item.status_code} {item.status_message or ''}".strip()
    return Receipt(hand_out_of(item.status_code), detail, provider_id=item.message_id)


def _cost(page: Page, prices: Mapping[str, Mapping[str, Decimal | None]]) -> Money | None:
    """Return the price that Solapi tells for the country and the type, in won."""
    price = prices.get(page.message.country, {}).get(str(page.message.type or "").lower())
    return Money(price, "KRW") if price else None


def _same(part: Sequence[Page], receipt: Receipt) -> dict[str, Receipt]:
    return {page.our_id: receipt for page in part}


def _refused(content: bytes) -> _Refused:
    try:
        return _Refused.model_validate_json(content)
    except ValidationError:
        return _Refused(errorMessage=content[:200].decode("utf-8", "replace"))


def _words(refused: _Refused) -> str:
    return f"{refused.error_code} {refused.error_message}".strip()[:300]
