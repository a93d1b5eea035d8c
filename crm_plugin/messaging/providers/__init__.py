"""Providers: who carries messages of several channels, each one's own words kept in its own files.

The channels ``sms`` and ``kakao`` hand out through an ``Exchange`` of providers (``exchange.py``); what a provider
tells later is read by ``read_receipts``. A new provider is its files here, one line in ``PROVIDERS`` and its settings.
Its SDK is imported when it is first needed: an operator installs only those that are used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Protocol

from django.http import HttpRequest

from crm_plugin import ids, shop
from crm_plugin.conf import settings
from crm_plugin.messaging.channels import ChannelDown, Envelope, Receipt
from crm_plugin.messaging.providers.refusals import Forged, UnknownProvider, Unreadable

if TYPE_CHECKING:
    from crm_plugin.messaging.receipts import Told


class Provider(Protocol):
    """One provider, over one connection that is opened when needed."""

    def open(self) -> None:
        """Make sure that everything is there that sending needs.

        Raises:
            ChannelDown: naming the setting that is missing.
        """

    def send(self, envelopes: Sequence[Envelope]) -> Sequence[Receipt]:
        """Hand messages over, at most the provider's batch; one receipt each, in their order.

        Raises:
            ChannelDown: when none was handed over, because of nothing in them.
        """

    def close(self) -> None:
        """Give the connection up; harmless when there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A provider as it is known before its code is loaded.

    Attributes:
        sender: where the class is that sends.
        reader: where the function is that reads what it tells later.
        batch_size: how many messages it takes at once.
        has_idempotency_key: whether a message that is offered twice is taken only once.
        is_keyed: it signs nothing, so the address that it is given holds a secret.
    """

    sender: str
    reader: str
    batch_size: int
    has_idempotency_key: bool = False
    is_keyed: bool = False


_HERE: Final = "crm_plugin.messaging.providers"
PROVIDERS: Final[Mapping[str, Listed]] = {
    # It takes 10,000; less is lost to doubt when the answer gets lost.
    "solapi": Listed(
        sender=f"{_HERE}.solapi:Solapi", reader=f"{_HERE}.solapi_receipts:read", batch_size=1_000, is_keyed=True
    ),
    # It has no batches; so many are sent side by side.
    "twilio": Listed(sender=f"{_HERE}.twilio:Twilio", reader=f"{_HERE}.twilio_receipts:read", batch_size=12),
    "gateway": Listed(
        sender=f"{_HERE}.gateway:Gateway",
        reader=f"{_HERE}.gateway_receipts:read",
        batch_size=100,
        has_idempotency_key=True,
    ),
}
#: Reads what any provider of e-mail tells, by its name.
_E_MAIL: Final = f"{_HERE}.esp_receipts:read_esp_receipts"


def get(name: str) -> Provider:
    """Return a provider that is not connected yet.

    Raises:
        ChannelDown: when its SDK is not installed.
    """
    try:
        made: Provider = _load(PROVIDERS[name].sender)()
    except ImportError as error:
        raise ChannelDown(f"The SDK of {name} is not installed: pip install crm_plugin[sms] ({error}).") from error
    return made


def provider_problems() -> list[str]:
    """Return why providers that the operator chose cannot be used: a missing setting, an SDK that is not installed."""
    conf = settings()
    names = dict.fromkeys((*(entry.split("=", 1)[1] for entry in conf.sms_providers), conf.kakao_provider))
    return [problem for name in names if name and (problem := _problem(name))]


def _problem(name: str) -> str:
    try:
        provider = get(name)
        provider.open()
    except ChannelDown as error:
        return str(error)
    provider.close()
    return ""


def receipts_key(name: str) -> str:
    """Return the secret by which a provider that signs nothing is known."""
    return ids.digest("receipts", name)[:32]


def receipts_url(name: str) -> str:
    """Return the address that a provider tells its receipts to; for one that signs nothing, with its secret."""
    is_keyed = name in PROVIDERS and PROVIDERS[name].is_keyed
    return f"{shop.current().operator().public_url}receipts/{name}/{f'?key={receipts_key(name)}' if is_keyed else ''}"


def read_receipts(name: str, request: HttpRequest) -> list[Told]:
    """Return what a provider's call tells, after making sure that it is the provider's.

    Raises:
        UnknownProvider: when there is none of this name, or it is not set up.
        Forged: when the call is not the provider's.
        Unreadable: when it makes no sense.
    """
    try:
        read = _load(PROVIDERS[name].reader) if name in PROVIDERS else partial(_load(_E_MAIL), name)
    except ImportError as error:
        raise UnknownProvider(name) from error
    told: list[Told] = read(request)
    return told


def _load(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


__all__ = [
    "PROVIDERS",
    "Forged",
    "Listed",
    "Provider",
    "UnknownProvider",
    "Unreadable",
    "get",
    "provider_problems",
    "read_receipts",
    "receipts_key",
    "receipts_url",
]
