"""What providers' batch APIs ask for and answer: which message was taken, and why another was not.

Only APIs that take several *different* messages in one call are here; each message is built by Anymail.

- Postmark: https://postmarkapp.com/developer/api/email-api#send-batch-emails
- Resend: https://resend.com/docs/api-reference/emails/send-batch-emails
- Mailjet: https://dev.mailjet.com/email/guides/send-api-v31/
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from pydantic import BaseModel, Field, TypeAdapter

from crm_plugin.messaging.channels import HandOut, Receipt


class Unintelligible(Exception):
    """The answer is not what the provider's documentation says."""


class Payload(Protocol):
    """One message as Anymail makes it for a provider."""

    data: dict[str, Any]

    def serialize_json(self, data: Any) -> str:
        """Return it as JSON, lazy texts included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """One provider's batch API.

    Attributes:
        path: of the endpoint, below the address of the API.
        batch_size: how many messages one call takes.
        largest_bytes: how long one call may be.
        headers: sent with each call.
        key_header: in which a call says its idempotency key; empty: it knows none.
    """

    path: str
    batch_size: int
    largest_bytes: int
    headers: Mapping[str, str] = field(default_factory=dict)
    key_header: str = ""

    def write(self, payload: Payload) -> str:
        """Return one message as the API wants it."""
        return payload.serialize_json(payload.data)

    def wrap(self, messages: Sequence[bytes], _first: Payload) -> bytes:
        """Return the body of a call."""
        return b"[%b]" % b",".join(messages)

    def read(self, body: bytes, *, count: int) -> list[Receipt]:
        """Return what became of each message, in their order.

        Raises:
            Unintelligible: when the answer does not say that.
            ValueError: when it is no JSON, or not of this form.
        """
        raise NotImplementedError

    def refuses_account(self, _body: bytes) -> bool:
        """Whether a refusal of the whole call is about the account, not about a message."""
        return False


class _PostmarkResult(BaseModel):
    code: int = Field(0, alias="ErrorCode")
    message: str = Field("", alias="Message")
    message_id: str = Field("", alias="MessageID")


class PostmarkApi(Api):
    """Postmark: 500 messages and 50 MB a call, a result for each (ErrorCode 0: taken)."""

    #: A bad token, maintenance, a sender that is not confirmed, no credit, an account that is not approved.
    ACCOUNT: Final = frozenset({10, 100, 400, 401, 405, 412, 413})
    INACTIVE: Final = 406
    INVALID: Final = 300
    _RECIPIENT: Final = re.compile(r"(Invalid|Error\s+parsing)\s+'To'", re.IGNORECASE)
    _RESULTS: Final = TypeAdapter(list[_PostmarkResult])

    def read(self, body: bytes, *, count: int) -> list[Receipt]:
        """Read a list of results in the order of the messages."""
        results = self._RESULTS.validate_json(body)
        if len(results) != count:
            raise Unintelligible(f"{len(results)} results for {count} messages.")
        return [self._receipt(result) for result in results]

    def _receipt(self, result: _PostmarkResult) -> Receipt:
        detail = f"{result.code} {result.message}"[:500]
        if result.code == 0:
            return Receipt(HandOut.SENT, provider_id=result.message_id)
        if result.code in self.ACCOUNT:
            return Receipt(HandOut.LATER, detail)
        is_address = result.code == self.INACTIVE or (
            result.code == self.INVALID and self._RECIPIENT.match(result.message) is not None
        )
        return Receipt(HandOut.ADDRESS_REFUSED if is_address else HandOut.REJECTED, detail)

    def refuses_account(self, body: bytes) -> bool:
        """Read the one result that a refusal has."""
        try:
            return _PostmarkResult.model_validate_json(body).code in self.ACCOUNT
        except ValueError:
            return False


class _ResendTaken(BaseModel):
    id: str


class _ResendError(BaseModel):
    index: int = Field(ge=0)
    message: str = ""


class _ResendAnswer(BaseModel):
    data: list[_ResendTaken]
    errors: list[_ResendError] = []


class ResendApi(Api):
    """Resend, in its permissive mode: the ids of those taken in their order, and the errors with their index."""

    _RECIPIENT: Final = re.compile(r"invalid `?to`? field", re.IGNORECASE)

    def read(self, body: bytes, *, count: int) -> list[Receipt]:
        """Put ids and errors to the messages."""
        answer = _ResendAnswer.model_validate_json(body)
        refused = {error.index: error.message for error in answer.errors}
        if len(answer.data) + len(refused) != count or any(index >= count for index in refused):
            raise Unintelligible(f"{len(answer.data)} ids and {len(refused)} errors for {count} messages.")
        taken = iter(answer.data)
        return [
            self._refusal(refused[at]) if at in refused else Receipt(HandOut.SENT, provider_id=next(taken).id)
            for at in range(count)
        ]

    def _refusal(self, message: str) -> Receipt:
        is_address = self._RECIPIENT.search(message) is not None
        return Receipt(HandOut.ADDRESS_REFUSED if is_address else HandOut.REJECTED, message[:500])


class _MailjetRecipient(BaseModel):
    message_id: int | str = Field("", alias="MessageID")


class _MailjetError(BaseModel):
    code: str = Field("", alias="ErrorCode")
    message: str = Field("", alias="ErrorMessage")
    status: int = Field(400, alias="StatusCode")
    related_to: list[str] = Field([], alias="ErrorRelatedTo")


class _MailjetResult(BaseModel):
    status: str = Field(alias="Status")
    to: list[_MailjetRecipient] = Field([], alias="To")
    errors: list[_MailjetError] = Field([], alias="Errors")


class _MailjetAnswer(BaseModel):
    messages: list[_MailjetResult] = Field(alias="Messages")


class MailjetApi(Api):
    """Mailjet v3.1: 50 messages a call; the status of the call is bad when one message is."""

    def write(self, payload: Payload) -> str:
        """Move what Anymail has as common to all messages of its call into the message."""
        return payload.serialize_json({**payload.data["Globals"], **payload.data["Messages"][0]})

    def wrap(self, messages: Sequence[bytes], first: Payload) -> bytes:
        """Keep what is said of the whole call, such as ``SandboxMode``."""
        rest = {name: value for name, value in first.data.items() if name not in {"Globals", "Messages"}}
        head = "".join(f"{json.dumps(name)}:{first.serialize_json(value)}," for name, value in rest.items())
        return b'{%b"Messages":[%b]}' % (head.encode(), b",".join(messages))

    def read(self, body: bytes, *, count: int) -> list[Receipt]:
        """Read the results in the order of the messages."""
        results = _MailjetAnswer.model_validate_json(body).messages
        if len(results) != count:
            raise Unintelligible(f"{len(results)} results for {count} messages.")
        return [self._receipt(result) for result in results]

    def _receipt(self, result: _MailjetResult) -> Receipt:
        if result.status == "success":
            return Receipt(HandOut.SENT, provider_id=str(result.to[0].message_id) if result.to else "")
        detail = "; ".join(f"{error.code} {error.message}" for error in result.errors)[:500]
        if any(error.status in {401, 403, 429} or error.status >= 500 for error in result.errors):
            return Receipt(HandOut.LATER, detail)
        is_address = any(name.startswith("To") for error in result.errors for name in error.related_to)
        return Receipt(HandOut.ADDRESS_REFUSED if is_address else HandOut.REJECTED, detail)


#: By Anymail's name of the provider.
BATCH_APIS: Final[Mapping[str, Api]] = {
    "Postmark": PostmarkApi(path="email/batch", batch_size=500, largest_bytes=45_000_000),
    "Resend": ResendApi(
        path="emails/batch",
        batch_size=100,
        largest_bytes=35_000_000,
        headers={"x-batch-validation": "permissive"},
        key_header="Idempotency-Key",
    ),
    "Mailjet": MailjetApi(path="send", batch_size=50, largest_bytes=14_000_000),
}

__all__ = ["BATCH_APIS", "Api", "MailjetApi", "Payload", "PostmarkApi", "ResendApi", "Unintelligible"]
