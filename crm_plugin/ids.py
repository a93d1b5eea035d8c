"""Identifiers: Relay ids, signed tokens, digests that stand in for a person, and many keys for one statement.

Relay ids have the form that Saleor uses (base64 of ``Type:pk``, GraphQL Global Object Identification).
Tokens are Django's signed values under a salt for each purpose, so one cannot be played as another.
"""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode, b64encode
from collections.abc import Iterable
from functools import lru_cache

from django.conf import settings as django_settings
from django.core import signing
from django.utils.crypto import salted_hmac

from crm_plugin.conf import settings
from crm_plugin.errors import InvalidInput


def to_global(kind: str, pk: int | str) -> str:
    """Return the Relay id of ``pk``."""
    return b64encode(f"{kind}:{pk}".encode()).decode()


def from_global(kind: str, value: str, *, field: str = "id") -> str:
    """Return the pk inside a Relay id of ``kind``.

    Raises:
        InvalidInput: when ``value`` is not a Relay id or names another type.
    """
    try:
        found, _, pk = b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        found, pk = "", ""
    if found != kind or not pk or "\0" in pk:
        raise InvalidInput(f"{value!r} is not the id of a {kind}.", field=field, code="GRAPHQL_ERROR")
    return pk


def key() -> str:
    """Return the key of every link and digest: ``CRM_SECRET_KEY``, else Django's ``SECRET_KEY``."""
    return settings().secret_key.get_secret_value() or django_settings.SECRET_KEY


def sign(purpose: str, value: str) -> str:
    """Return ``value`` with a signature that only holds for ``purpose``, as ``django.core.signing.Signer`` makes it."""
    signature = signing.b64_encode(_authenticated(f"crm.{purpose}signer", value).digest()).decode()
    return f"{value}:{signature}"


def unsign(purpose: str, token: str) -> str | None:
    """Return the signed value, or None when the token was forged, cut or meant for another purpose.

    Links in mails outlive a key: those of Django's present and former keys hold too, so that nobody loses the way out
    of mails they have already (15 USC 7704(a)(3): 30 days) when ``CRM_SECRET_KEY`` is set or ``SECRET_KEY`` changes.
    """
    older = [django_settings.SECRET_KEY, *django_settings.SECRET_KEY_FALLBACKS]
    try:
        return signing.Signer(key=key(), fallback_keys=older, salt=f"crm.{purpose}").unsign(token)
    except signing.BadSignature:
        return None


def digest(namespace: str, value: str) -> str:
    """Return a keyed digest (HMAC-SHA256, hex) by which a value is recognised without being kept."""
    return _authenticated(f"crm.{namespace}", value).hexdigest()


def _authenticated(salt: str, value: str) -> hmac.HMAC:
    """Return what ``salted_hmac`` does, at a fifth of its cost: a mail has seven signatures and two digests."""
    made = _keyed(salt, key()).copy()
    made.update(value.encode())
    return made


@lru_cache(maxsize=64)
def _keyed(salt: str, secret: str) -> hmac.HMAC:
    return salted_hmac(salt, "", secret=secret, algorithm="sha256")


def array(keys: Iterable[int]) -> str:
    """Return keys as the text of a PostgreSQL array: written once, it is cheap to put into every statement."""
    return f"{{{','.join(map(str, keys))}}}"
