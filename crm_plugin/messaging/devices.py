"""Devices that people register for push messages: what one may look like, before it is kept (``contacts.Endpoint``).

Whoever may register a device chooses an address that a worker of ours will call. So a web push subscription leads to a
push service of a known browser, over https; what is behind the name is looked at again when it is called (``calling``).
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, ValidationError
from pydantic_core import PydanticCustomError

from crm_plugin.conf import settings
from crm_plugin.errors import InvalidInput

#: Push services of Chrome, Edge, Opera, Samsung Internet and others (Firebase), Firefox, Safari, and Edge on Windows;
#: hosts below them too.
PUSH_HOSTS: Final = ("fcm.googleapis.com", "push.services.mozilla.com", "push.apple.com", "notify.windows.com")
#: RFC 8291, 3.1 and 3.2: an uncompressed point of P-256, and 16 random bytes.
_POINT_BYTES, _POINT_MARK, _SECRET_BYTES = 65, 4, 16


def is_push_service(address: str) -> bool:
    """Whether an address is that of a push service that may be called."""
    try:
        parts = urlsplit(address)
        host, _port = (parts.hostname or "").lower(), parts.port
    except ValueError:  # an open bracket, a port that is none
        return False
    if parts.username or parts.password or (parts.scheme != "https" and not settings().webhook_allow_private):
        return False
    return any(host == known or host.endswith(f".{known}") for known in (*PUSH_HOSTS, *settings().push_hosts))


def _push_service(address: str) -> str:
    if not is_push_service(address):
        raise PydanticCustomError("push_service", "This is not the address of a browser's push service")
    return address


def _bytes_of(value: str) -> bytes:
    try:
        return urlsafe_b64decode(value + "=" * (-len(value) % 4))
    except (binascii.Error, ValueError):
        return b""


def _point(value: str) -> str:
    point = _bytes_of(value)
    if len(point) != _POINT_BYTES or point[0] != _POINT_MARK:
        raise PydanticCustomError("p256dh", "This is not a public key of P-256")
    return value


def _secret(value: str) -> str:
    if len(_bytes_of(value)) != _SECRET_BYTES:
        raise PydanticCustomError("auth", "This is not a secret of 16 bytes")
    return value


Address = Annotated[
    str, StringConstraints(max_length=2_000, pattern=r"^https?://[!-~]+$"), AfterValidator(_push_service)
]
Encoded = Annotated[str, StringConstraints(max_length=100, pattern=r"^[A-Za-z0-9_-]+=*$")]
Token = Annotated[str, StringConstraints(min_length=8, max_length=2_000, pattern=r"^[!-~]+$")]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Keys(_Strict):
    """What a payload is encrypted with (RFC 8291)."""

    p256dh: Annotated[Encoded, AfterValidator(_point)]
    auth: Annotated[Encoded, AfterValidator(_secret)]


class Subscription(_Strict):
    """A browser's subscription, as ``PushSubscription.toJSON()`` writes it."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)  # browsers add expirationTime and others

    endpoint: Address
    keys: Keys


class AppToken(_Strict):
    """The registration token of the shop's app on one device."""

    token: Token


def read_subscription(*, address: str, keys: Mapping[str, str]) -> Subscription:
    """Return a web push subscription.

    Raises:
        InvalidInput: naming what is wrong: ``address``, ``p256dh`` or ``auth``.
    """
    try:
        return Subscription.model_validate({"endpoint": address, "keys": dict(keys)})
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = str(first["loc"][-1])
        raise InvalidInput(first["msg"], field="address" if place == "endpoint" else place) from None


def read_token(address: str) -> str:
    """Return an app's registration token.

    Raises:
        InvalidInput: when it cannot be one.
    """
    try:
        return AppToken.model_validate({"token": address}).token
    except ValidationError:
        raise InvalidInput("This is not a registration token.", field="address") from None
