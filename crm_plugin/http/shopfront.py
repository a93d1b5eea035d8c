"""What the collect endpoint must know of the shop on every request, without asking the shop on every request."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from crm_plugin import shop
from crm_plugin.conf import settings

#: A new sales channel or another public address is noticed after so long, by each process.
CACHE_SECONDS: Final = 10.0
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Shopfront:
    """Origins whose pages may report behaviour, the hosts of these, and the sales channels, the default one first."""

    origins: frozenset[str]
    hosts: frozenset[str]
    channels: tuple[str, ...]


_cached: tuple[float, shop.Shop, tuple[str, ...], Shopfront] | None = None


def load() -> Shopfront:
    """Return what is known of the shop, at most ``CACHE_SECONDS`` old."""
    global _cached  # noqa: PLW0603 - one small value per process, replaced as a whole
    now, current, more = time.monotonic(), shop.current(), settings().collect_origins
    if _cached is None or now >= _cached[0] or (_cached[1], _cached[2]) != (current, more):
        _cached = (now + CACHE_SECONDS, current, more, _read(current, more))
    return _cached[3]


def forget() -> None:
    """Ask the shop anew the next time."""
    global _cached  # noqa: PLW0603 - as above
    _cached = None


def origin_of(url: str) -> str:
    """Return the origin of an address as a browser writes it; empty when it has none."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        host = host if host.isascii() else host.encode("idna").decode()
    except ValueError:  # no port, an open bracket, or a name that cannot be one
        return ""
    if parts.scheme not in _DEFAULT_PORTS or not host:
        return ""
    host = f"[{host}]" if ":" in host else host
    is_usual = port in (None, _DEFAULT_PORTS[parts.scheme])
    return f"{parts.scheme}://{host}" + ("" if is_usual else f":{port}")


def _read(current: shop.Shop, more: tuple[str, ...]) -> Shopfront:
    urls = (current.identity().url, current.operator().public_url, *more)
    origins = frozenset(filter(None, map(origin_of, urls)))
    hosts = frozenset(urlsplit(origin).hostname or "" for origin in origins)
    return Shopfront(origins, hosts, tuple(channel.slug for channel in current.channels()))
