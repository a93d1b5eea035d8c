"""One HTTP call of a webhook: to public addresses only, within a time, whatever the other side does.

``requests-hardened`` (Saleor's own) resolves the name once, refuses private addresses and connects to the very address
that it looked at, so that a name which answers differently the second time gains nothing. Added here: only global
addresses, a limit for the whole answer, no proxy or password from the environment.
"""

from __future__ import annotations

import base64
import hmac
import ipaddress
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests_hardened.ip_filter import InvalidIPAddress
from requests_hardened.ip_filter_adapter import IPFilterAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError

from crm_plugin.conf import settings

#: For connecting, for each silence, and for the whole answer.
TIMEOUT_SECONDS: Final = 10.0
#: Of an answer; more is not read.
MAX_ANSWER_BYTES: Final = 64 * 1024
_MAX_DETAIL: Final = 300
_FIRST_FREE_PORT: Final = 1025
_GIVEN_OUT: Final = ipaddress.ip_network("2000::/3")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a call.

    Attributes:
        status: of the answer; None when there was none.
        detail: what went wrong, for people; empty when nothing did.
        retry_after: what the receiver asked for, as it wrote it.
        is_refused: we may not call there at all; trying again changes nothing.
        is_unreached: no connection came about, so nothing was told.
        body: of a good answer, where the caller wants to read it.
    """

    status: int | None
    detail: str = ""
    retry_after: str = ""
    is_refused: bool = False
    is_unreached: bool = False
    body: bytes = b""

    @property
    def is_good(self) -> bool:
        """Whether the receiver took it."""
        return self.status is not None and 200 <= self.status < 300


def signature(secret: str, *, call_id: str, timestamp: int, body: bytes) -> str:
    """Return the signature of a call with one secret (Standard Webhooks 1.0, "Symmetric signatures")."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = hmac.digest(key, f"{call_id}.{timestamp}.".encode() + body, "sha256")
    return f"v1,{base64.b64encode(signed).decode()}"


def headers_of(call_id: str, body: bytes, *, at: datetime, secrets: Sequence[str]) -> dict[str, str]:
    """Return the headers by which the receiver knows the call; one signature for each secret."""
    timestamp = int(at.timestamp())
    signed = (signature(secret, call_id=call_id, timestamp=timestamp, body=body) for secret in secrets)
    return {
        "content-type": "application/json",
        "user-agent": "crm_plugin webhooks",
        "accept-encoding": "identity",
        "webhook-id": call_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signed),
    }


def post(
    url: str, body: bytes, headers: Mapping[str, str], *, is_read: bool = False, is_operators: bool = False
) -> Answer:
    """Make the call; never raises.

    Args:
        url: where.
        body: what.
        headers: in lower case.
        is_read: a good answer's body is wanted, ``MAX_ANSWER_BYTES`` of it.
        is_operators: the address is the operator's own setting, so it may be inside the network.
    """
    started = time.monotonic()
    is_anywhere = is_operators or settings().webhook_allow_private
    try:
        if not is_anywhere and (problem := _problem(url)):
            return Answer(None, problem, is_refused=True)
        return _post(url, body, headers, is_read=is_read, is_anywhere=is_anywhere)
    except InvalidIPAddress as error:
        return Answer(None, f"{error} is not a public address; it is not called.", is_refused=True)
    except Exception as error:  # noqa: BLE001 - whatever is wrong over there, the queue goes on
        if time.monotonic() - started >= TIMEOUT_SECONDS:
            return Answer(None, f"No answer within {TIMEOUT_SECONDS:g} seconds.", is_unreached=never_met(error))
        return Answer(None, f"{type(error).__name__}: {error}"[:_MAX_DETAIL], is_unreached=never_met(error))


def wait_asked_for(retry_after: str, *, now: datetime) -> timedelta:
    """Return how long the receiver asks to be left alone (RFC 9110, 10.2.3); none when it cannot be read."""
    if retry_after.isascii() and retry_after.isdigit():
        return timedelta(seconds=min(int(retry_after[:9]), 10**8))
    try:
        at = parsedate_to_datetime(retry_after)
    except ValueError:
        return timedelta()
    return max(at - now, timedelta()) if at.tzinfo else timedelta()


def _problem(url: str) -> str:
    """Return why nothing is called at the address at all; empty when it may be."""
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        return "Only https is called."
    if parts.port not in (None, 443) and parts.port < _FIRST_FREE_PORT:
        return f"Port {parts.port} is not called; 443 and those above 1024 are."
    return ""


def never_met(error: BaseException | None) -> bool:
    """Return whether the call failed before anything was transmitted."""
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.SSLError):
        return True
    reason = getattr(error.args[0], "reason", None) if error is not None and error.args else None
    is_nobody = isinstance(reason, NewConnectionError) or isinstance(getattr(error, "__cause__", None), socket.gaierror)
    return isinstance(error, requests.ConnectionError) and is_nobody


def _post(url: str, body: bytes, headers: Mapping[str, str], *, is_read: bool, is_anywhere: bool) -> Answer:
    with requests.Session() as session:
        session.trust_env = False  # no proxy, no .netrc
        session.mount("https://", _adapter(is_https=True, is_anywhere=is_anywhere))
        session.mount("http://", _adapter(is_https=False, is_anywhere=is_anywhere))
        with session.post(
            url, data=body, headers=headers, timeout=TIMEOUT_SECONDS, allow_redirects=False, stream=True
        ) as response:
            status, asked = response.status_code, response.headers.get("retry-after", "")
            is_good = 200 <= status < 300
            detail = "" if is_good else f"Answered {status}. {_beginning(response)}".strip()
            content = response.raw.read(MAX_ANSWER_BYTES + 1, decode_content=False) if is_good and is_read else b""
    return Answer(status, detail, asked, body=content)


def _beginning(response: requests.Response) -> str:
    try:
        read = response.raw.read(MAX_ANSWER_BYTES, decode_content=False)
    except Exception:  # noqa: BLE001 - the status is known; what else it would have said does not matter
        return ""
    return " ".join(bytes(read).decode("utf-8", "replace").split())[:_MAX_DETAIL]


class _InTime:
    """A connection that is cut when the whole answer takes too long: a byte now and then is no silence."""

    sock: Any
    _alarm: threading.Timer | None = None

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]  # of the connection that this is mixed into
        self._alarm = threading.Timer(TIMEOUT_SECONDS, _cut, [self.sock])
        self._alarm.daemon = True
        self._alarm.start()

    def close(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        super().close()  # type: ignore[misc]


def _cut(sock: socket.socket) -> None:
    try:
        # Below TLS: its own goodbye would wait for the other side.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
    except OSError:
        return  # closed already


class _Connection(_InTime, HTTPConnection):
    pass


class _TLSConnection(_InTime, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


class _Cutting(HTTPAdapter):
    """Opens connections that are cut in time."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}


class _PublicOnly(_Cutting, IPFilterAdapter):  # type: ignore[misc]  # a package without type hints
    """Looks the address up, and opens connections to it only if anybody in the world could."""

    def build_connection_pool_key_attributes(self, *args: Any, **kwargs: Any) -> Any:
        host_params, pool_kwargs = super().build_connection_pool_key_attributes(*args, **kwargs)
        address = ipaddress.ip_address(host_params["host"].strip("[]"))
        # Of IPv6 only this part was ever given to anybody (RFC 4291, 2.4): not "::127.0.0.1", not site-local.
        if not address.is_global or (address.version == 6 and address not in _GIVEN_OUT):
            raise InvalidIPAddress(address)
        return host_params, pool_kwargs


def _adapter(*, is_https: bool, is_anywhere: bool) -> HTTPAdapter:
    if is_anywhere:
        return _Cutting()
    return _PublicOnly(is_https_proto=is_https)  # type: ignore[call-arg]  # of the package without type hints
