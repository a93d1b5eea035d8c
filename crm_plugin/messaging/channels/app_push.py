"""App push: through Firebase Cloud Messaging (HTTP v1) to the shop's app on every device of a person.

What the answers mean: https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from requests.adapters import HTTPAdapter

from crm_plugin import clock
from crm_plugin.conf import settings
from crm_plugin.contacts import Endpoint
from crm_plugin.messaging import calling
from crm_plugin.messaging.channels import AdLabel, Capabilities, ChannelDown, Envelope, HandOut, Receipt
from crm_plugin.messaging.finished import Notification
from crm_plugin.messaging.providers.devices import DeviceAnswer, Note, combined, fitting

#: "Maximum payload ... is 4096 bytes"; the rest is for the names of the fields and what else a message carries.
MAX_BYTES: Final = 3_500
#: Messages in one call of the SDK, which takes 500 at most and starts a thread for each.
AT_ONCE: Final = 100
TIMEOUT_SECONDS: Final = 10.0
_MAX_DETAIL: Final = 300


class AppPushChannel:
    """Hands out to every device; the credentials live as long as the process."""

    capabilities = Capabilities(has_title=True, has_image=True, ad_label={"": AdLabel.TITLE})
    batch_size = 100
    has_idempotency_key = False

    def __init__(self) -> None:
        self._app: Any = None

    def open(self) -> None:
        """See that Firebase lets us in."""
        chosen = settings()
        credentials = chosen.firebase_credentials.get_secret_value()
        if not credentials:
            raise ChannelDown("CRM_FIREBASE_CREDENTIALS is not set.")
        try:
            self._app = _app(credentials, chosen.firebase_url)
            _let_in(self._app)
        except ImportError as error:
            raise ChannelDown("App push is not installed: pip install 'crm_plugin[push]'.") from error
        except (OSError, ValueError) as error:
            raise ChannelDown(f"CRM_FIREBASE_CREDENTIALS cannot be used: {error}"[:_MAX_DETAIL]) from error
        except Exception as error:
            # Whatever went wrong with the credentials, no message has been handed out.
            raise ChannelDown(f"Firebase lets nobody in: {error}"[:_MAX_DETAIL]) from error

    def hand_out(self, envelopes: Sequence[Envelope]) -> Sequence[Receipt]:
        """Send each message to every device of its reader."""
        if self._app is None:
            self.open()
        messages = [(device.address, message) for envelope in envelopes for device, message in _messages_of(envelope)]
        answers = self._answers(messages)
        return [combined(list(islice(answers, len(envelope.endpoints)))) for envelope in envelopes]

    def close(self) -> None:
        """Nothing to give up: the SDK keeps its connections."""
        self._app = None

    def _answers(self, messages: Sequence[tuple[str, Any]]) -> Iterator[DeviceAnswer]:
        for at in range(0, len(messages), AT_ONCE):
            yield from self._send(messages[at : at + AT_ONCE])

    def _send(self, messages: Sequence[tuple[str, Any]]) -> Iterator[DeviceAnswer]:
        from firebase_admin import messaging  # noqa: PLC0415 - an extra

        going = [message for _, message in messages if message is not None]
        try:
            responses = iter(messaging.send_each(going, app=self._app).responses if going else ())
        except Exception as error:  # noqa: BLE001 - the SDK gives up on all when one thread fails in an unforeseen way
            # Some may have been taken.
            lost = DeviceAnswer(address="", result=HandOut.LOST, detail=str(error)[:_MAX_DETAIL])
            yield from (lost for _ in messages)
            return
        for address, message in messages:
            if message is None:
                detail = "The message is too long for a push."
                yield DeviceAnswer(address=address, result=HandOut.REJECTED, detail=detail)
            else:
                yield _read(next(responses), address)


@lru_cache(maxsize=4)
def _app(credentials: str, url: str) -> Any:
    """Return the SDK's app, which keeps the access token."""
    import firebase_admin  # noqa: PLC0415 - an extra
    from firebase_admin import credentials as kinds  # noqa: PLC0415
    from firebase_admin import messaging  # noqa: PLC0415

    certificate = kinds.Certificate(_account(credentials))
    options = {"httpTimeout": TIMEOUT_SECONDS}
    app = firebase_admin.initialize_app(certificate, options, name=f"crm-{uuid4().hex}")
    # The SDK has no words for these two: another address (a relay, a test), and that a channel never tries twice. Left
    # to itself it waits as long as a Retry-After asks, in a thread, four times.
    service = messaging._get_messaging_service(app)
    once = HTTPAdapter(pool_connections=1, pool_maxsize=AT_ONCE, max_retries=0)
    for prefix in ("https://", "http://", "https://fcm.googleapis.com"):
        service._client.session.mount(prefix, once)
    if url:
        # Nothing goes anywhere else then, not even the question where in the world the account may be used.
        app.credential.get_credential()._is_regional_access_boundary_lookup_required = lambda: False
        service._fcm_url = f"{url.rstrip('/')}/v1/projects/{app.project_id}/messages:send"
    return app


def _account(credentials: str) -> dict[str, Any]:
    text = credentials if credentials.lstrip().startswith("{") else Path(credentials).read_text(encoding="utf-8")
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("this is no service account")
    return found


def _let_in(app: Any) -> None:
    """Get an access token, unless there is one: inside a batch, a refusal would blur what was taken."""
    from google.auth.transport.requests import Request  # noqa: PLC0415 - comes with the SDK

    held = app.credential.get_credential()
    if not held.valid:
        held.refresh(partial(Request(), timeout=TIMEOUT_SECONDS))


def _messages_of(envelope: Envelope) -> Iterator[tuple[Endpoint, Any]]:
    """Return one message for each device; None when even the title is too long."""
    content, key = envelope.content, envelope.public_id.hex
    assert isinstance(content, Notification)  # noqa: S101 - CONTENTS says so
    note = Note(title=content.title, body=content.text, url=content.url, image=content.image_url)
    fitted = fitting(note, more={"message": key}, max_bytes=MAX_BYTES)
    for device in envelope.endpoints:
        yield device, None if fitted is None else _message(fitted, device.address, key, envelope=envelope)


def _message(note: Note, token: str, key: str, *, envelope: Envelope) -> Any:
    from firebase_admin import messaging  # noqa: PLC0415 - an extra

    wait = timedelta(hours=settings().push_ttl_hours)
    expires = int((clock.now() + wait).timestamp())
    made = messaging.Message(
        notification=messaging.Notification(title=note.title, body=note.body, image=note.image or None),
        data={"message": key} | ({"url": note.url} if note.url else {}),
        android=messaging.AndroidConfig(
            collapse_key=key,
            priority="normal" if envelope.is_marketing else "high",
            ttl=wait,
            notification=messaging.AndroidNotification(tag=key),
        ),
        apns=messaging.APNSConfig(headers={"apns-collapse-id": key, "apns-expiration": str(expires)}),
    )
    # Not by the constructor, which prefers installation ids: apps have tokens.
    made.token = token
    return made


def _read(response: Any, address: str) -> DeviceAnswer:
    if response.success:
        return DeviceAnswer(address=address, result=HandOut.SENT, provider_id=response.message_id)
    error = response.exception
    if error is None:
        # A good status and no name of a message: somebody else than Firebase answered.
        return DeviceAnswer(address=address, result=HandOut.LOST, detail="The answer names no message.")
    asked = error.http_response.headers.get("retry-after", "") if error.http_response is not None else ""
    return DeviceAnswer(
        address=address,
        result=_result(error),
        detail=str(error)[:_MAX_DETAIL],
        retry_seconds=calling.wait_asked_for(asked, now=clock.now()).total_seconds() if asked else None,
        is_gone=_is_gone(error),
    )


def _is_gone(error: Any) -> bool:
    from firebase_admin import messaging  # noqa: PLC0415 - an extra

    return isinstance(error, messaging.UnregisteredError | messaging.SenderIdMismatchError)


def _result(error: Any) -> HandOut:
    from firebase_admin import exceptions as errors  # noqa: PLC0415 - an extra

    if _is_gone(error):
        return HandOut.ADDRESS_REFUSED
    if error.http_response is None:
        return HandOut.RETRY if calling.never_met(error.cause) else HandOut.LOST
    match error:
        case errors.ResourceExhaustedError() | errors.UnauthenticatedError() | errors.PermissionDeniedError():
            # Too many at once, or the operator's keys: the same message will go when that is over.
            return HandOut.LATER
        case errors.UnavailableError() | errors.InternalError() | errors.DeadlineExceededError():
            return HandOut.RETRY
        case _ if error.http_response.status_code >= 500:
            return HandOut.RETRY
        case _:
            return HandOut.REJECTED


__all__ = ["AT_ONCE", "MAX_BYTES", "AppPushChannel"]
