"""Who asks: the address of a client behind the operator's proxies, its browser, and how much it may still tell."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from ipaddress import IPv6Address, ip_address
from typing import Final

from django.core.cache import cache
from django.http import HttpRequest
from ua_parser import parse_device, parse_user_agent

from crm_plugin import clock
from crm_plugin.conf import settings

#: No browser's name is longer; what is behind is not parsed.
AGENT_LENGTH: Final = 512
FAMILY_LENGTH: Final = 40
#: Different browsers remembered by a process; parsing one takes a hundred times as long as looking it up.
KNOWN_AGENTS: Final = 4_096
WINDOW_SECONDS: Final = 60
#: An IPv6 subscriber has at least all addresses of such a network.
IPV6_NETWORK_BITS: Final = 64

#: ``ua-parser`` knows crawlers as devices of this family; these are programs that it takes for browsers.
_SPIDER: Final = "Spider"
_BROWSER: Final = re.compile(r"(Mozilla|Opera)/\d")
_PROGRAM: Final = re.compile(
    r"headless|phantomjs|puppeteer|playwright|selenium|webdriver|lighthouse|pagespeed|gtmetrix|pingdom|ptst/"
    r"|preview|pagerenderer|unfurl|link.?expand|bot\b|crawl|spider|scrap|slurp|monitor",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Agent:
    """What a ``User-Agent`` says: the browser's family (``Chrome Mobile``), and whether no person is behind it."""

    family: str
    is_bot: bool


def agent(request: HttpRequest) -> Agent:
    """Return the browser of a request."""
    return _read(request.META.get("HTTP_USER_AGENT", "")[:AGENT_LENGTH])


@lru_cache(maxsize=KNOWN_AGENTS)
def _read(text: str) -> Agent:
    if not _BROWSER.match(text) or _PROGRAM.search(text):
        return Agent("", is_bot=True)
    device, browser = parse_device(text), parse_user_agent(text)
    is_bot = device is not None and device.family == _SPIDER
    return Agent(browser.family[:FAMILY_LENGTH] if browser else "", is_bot=is_bot)


def address(request: HttpRequest) -> str:
    """Return the client's address as far as the operator's own proxies vouch for it.

    Each proxy appends the address that it was asked from, so the n-th from the right was written by the outermost of n;
    whatever stands further left is the client's own word.
    """
    direct = str(request.META.get("REMOTE_ADDR", ""))
    proxies = settings().proxies
    told = [part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
    return _network(told[-proxies] if 0 < proxies <= len(told) else direct) or _network(direct) or direct


def _network(text: str) -> str:
    """Return an address without port, of IPv6 the network; empty when it is none."""
    host = text.partition("]")[0].lstrip("[") if text.startswith("[") else text
    host = host.partition(":")[0] if host.count(":") == 1 else host
    try:
        found = ip_address(host)
    except ValueError:
        return ""
    if not isinstance(found, IPv6Address):
        return str(found)
    inner = found.ipv4_mapped
    return str(inner) if inner else f"{int(found) >> (128 - IPV6_NETWORK_BITS):x}/{IPV6_NETWORK_BITS}"


def spend(client: str, events: int) -> int:
    """Count ``events`` of a client in this minute; return after how many seconds it may go on, 0 when it may now.

    Kept in Django's cache under a digest of the address; when that is away, everybody may.
    """
    second = int(clock.now().timestamp())
    window, passed = divmod(second, WINDOW_SECONDS)
    key = f"crm:collect:{window}:{sha256(client.encode()).hexdigest()[:32]}"
    return WINDOW_SECONDS - passed if _add(key, events) > settings().collect_events_per_minute else 0


def _add(key: str, events: int) -> int:
    try:
        try:
            return int(cache.incr(key, events))
        except ValueError:  # the first of this minute; another process may be as fast
            cache.add(key, 0, timeout=2 * WINDOW_SECONDS)
            return int(cache.incr(key, events))
    except Exception:  # noqa: BLE001 - a cache raises what its transport raises; a shop without one still collects
        return 0
