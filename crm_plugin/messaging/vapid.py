"""VAPID (RFC 8292): the keys by which push services know this shop. The private one is the operator's setting.

``py_vapid`` is an extra (``push``), so it is imported when it is needed.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from crm_plugin.conf import settings

_PEM: Final = "-----BEGIN"


class NotSetUp(Exception):
    """Web push cannot be used; the message says what to do."""


@lru_cache(maxsize=4)
def _read(private_key: str) -> Any:
    from py_vapid import Vapid02, VapidException  # noqa: PLC0415 - see the docstring above

    try:
        if _PEM in private_key:
            return Vapid02.from_pem(private_key.strip().encode())
        return Vapid02.from_string(private_key.strip())
    except (binascii.Error, TypeError, ValueError, VapidException) as error:
        raise NotSetUp("CRM_VAPID_PRIVATE_KEY is no private key; `manage.py crm vapid-keys` makes one.") from error


def load() -> Any:
    """Return the operator's key as ``py_vapid`` has it.

    Raises:
        NotSetUp: when there is none, or what is needed is not installed.
    """
    key = settings().vapid_private_key.get_secret_value()
    if not key:
        raise NotSetUp("CRM_VAPID_PRIVATE_KEY is not set; `manage.py crm vapid-keys` makes one.")
    try:
        return _read(key)
    except ImportError as error:
        raise NotSetUp("Web push is not installed: pip install 'crm_plugin[push]'.") from error


def sign(key: Any, *, audience: str, expires: int) -> Mapping[str, str]:
    """Return the headers that say to a push service who calls (RFC 8292, 2).

    Raises:
        NotSetUp: when nobody is named whom the push service could write to.
    """
    from py_vapid import VapidException  # noqa: PLC0415 - see the docstring above

    claims = {"aud": audience, "exp": expires, "sub": settings().vapid_subject}
    try:
        return dict(key.sign(claims))
    except VapidException as error:
        raise NotSetUp("CRM_VAPID_SUBJECT is not set to an address such as mailto:push@shop.example.") from error


def vapid_public_key() -> str:
    """Return what browsers need to subscribe (``applicationServerKey``); empty when web push is not set up."""
    try:
        return _public(load())
    except NotSetUp:
        return ""


def make_vapid_keys() -> tuple[str, str]:
    """Make a new pair; return the private key, as the setting takes it, and the public one.

    Raises:
        ImportError: when web push is not installed.
    """
    from py_vapid import Vapid02  # noqa: PLC0415 - see the docstring above

    made = Vapid02()
    made.generate_keys()
    number = made.private_key.private_numbers().private_value
    return _encoded(number.to_bytes(32, "big")), _public(made)


def _public(vapid: Any) -> str:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - comes with the extra

    point = vapid.public_key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    return _encoded(point)


def _encoded(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()
