"""What Solapi tells: reports of single messages, and answers of people.

Solapi signs nothing that could be verified: it shows that it knows the secret of the address it was given. The secret
stands in the address as ``key``, or Solapi repeats its SHA-1 in ``X-Solapi-Secret``, where it was entered as the
webhook's secret in Solapi's console.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from hashlib import sha1
from typing import Any, Final

from django.http import HttpRequest
from django.utils.crypto import constant_time_compare
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from crm_plugin import clock
from crm_plugin.conf import settings
from crm_plugin.contacts import ChannelKind, normalize_phone
from crm_plugin.messaging.providers import receipts_key
from crm_plugin.messaging.providers.answers import read_answer
from crm_plugin.messaging.providers.refusals import Forged, UnknownProvider, Unreadable
from crm_plugin.messaging.providers.solapi_codes import OUR_ID, kinds_of
from crm_plugin.messaging.receipts import Told

#: Message types that go by text message; all others are Kakao's.
_TEXT: Final = ("SMS", "LMS", "MMS", "")


class _Report(BaseModel):
    """A report of one message, or an answer of a person (``text``)."""

    model_config = ConfigDict(alias_generator=to_camel, coerce_numbers_to_str=True)

    message_id: str | None = ""
    status_code: str | None = ""
    status_message: str | None = ""
    type: str | None = ""
    custom_fields: dict[str, str] | None = None
    date_received: str | None = ""
    date_reported: str | None = ""
    sender: str | None = Field("", alias="from")
    text: str | None = Field("", validation_alias=AliasChoices("text", "content"))

    @property
    def channel(self) -> ChannelKind:
        return ChannelKind.SMS if (self.type or "") in _TEXT else ChannelKind.KAKAO


def read(request: HttpRequest) -> list[Told]:
    """Return what a call of Solapi tells."""
    if not settings().solapi_api_key:
        raise UnknownProvider("solapi")
    if not _is_genuine(request):
        raise Forged("The call does not know the key of its address.")
    return [told for report in _reports(request.body) for told in _told(report)]


def _is_genuine(request: HttpRequest) -> bool:
    key = receipts_key("solapi")
    proof = request.headers.get("X-Solapi-Secret", "").lower()
    # Solapi's choice of digest; the key is random, and nothing is to be gained by a collision.
    repeated = sha1(key.encode(), usedforsecurity=False).hexdigest()
    return constant_time_compare(request.GET.get("key", ""), key) or constant_time_compare(proof, repeated)


def _reports(body: bytes) -> Iterator[_Report]:
    try:
        value = json.loads(body)
        for entry in value if isinstance(value, list) else [value]:
            yield _Report.model_validate(_unwrapped(entry))
    except (ValueError, RecursionError, ValidationError) as error:
        raise Unreadable("Not a report of Solapi.") from error


def _unwrapped(entry: Any) -> Any:
    """Return the report itself: newer webhooks put it into ``data``, beside the id of the event."""
    return entry["data"] if isinstance(entry, dict) and isinstance(entry.get("data"), dict) else entry


def _told(report: _Report) -> Iterator[Told]:
    name = (report.custom_fields or {}).get(OUR_ID) or report.message_id or ""
    if name and report.status_code:
        for kind in kinds_of(report.status_code):
            yield Told(
                channel=report.channel,
                kind=kind,
                provider_id=name,
                # Told up to five times, each time the same.
                event_id=f"{report.message_id}:{report.status_code}",
                detail=f"{report.status_code} {report.status_message or ''}".strip(),
                occurred_at=_time(report.date_received) or _time(report.date_reported),
            )
        return
    answer, address = read_answer(report.text or ""), normalize_phone(report.sender or "", country="KR")
    if answer is not None and address:
        yield Told(
            channel=ChannelKind.SMS,
            kind=answer,
            address=address,
            event_id=report.message_id or "",
            detail="Answered by text message.",
            # Without any, a second STOP (after a START) would pass for the first one told again.
            occurred_at=_time(report.date_received) or clock.now(),
        )


def _time(value: str | None) -> datetime | None:
    try:
        at = datetime.fromisoformat(value or "")
    except ValueError:
        return None
    return at if at.tzinfo else None
