"""Who loads a picture or follows a link: the person, a program that loads it for them, or one that looks for dangers.

What is seen of a request is its method, its ``User-Agent`` and when it came. Which networks such programs sit in is not
looked at: the lists change by the week, and the package fetches none (``docs/decisions/machines.md``).
"""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from django.core.cache import cache
from django.http import HttpRequest

from crm_plugin import clock
from crm_plugin.http.clients import AGENT_LENGTH, agent

#: Nobody reads a message and follows a link of it so soon after it was handed out.
FASTEST_SECONDS: Final = 2.0
#: Proxies that load when the person opens do so ahead of time only while the message comes in.
PREFETCH_SECONDS: Final = 10.0
#: Nobody follows two links of one message within so short a time.
BURST_SECONDS: Final = 2

#: Apple's Mail Privacy Protection loads every picture through a relay that names no device, opened or not.
_RELAY: Final = re.compile(r"Mozilla/5\.0")
#: These load a picture when the person opens the message (and now and then while it comes in), under their own name.
_PROXY: Final = re.compile(r"GoogleImageProxy|YahooMailProxy|YahooCacheSystem|NaverImageProxy", re.IGNORECASE)
#: Programs that try links out, by the names that they give themselves; crawlers in general are known to ``ua-parser``.
_SCANNER: Final = re.compile(
    r"barracuda|proofpoint|mimecast|messagelabs|symantec|trend ?micro|fireeye|ironport|sophos|zscaler|forcepoint"
    r"|fortinet|cloudmark|safelinks|bingpreview|googlebot|virustotal|urlscan|checkpoint|kaspersky|avanan|vade"
    r"|facebookexternalhit|whatsapp|kakaotalk-scrap|telegrambot|slackbot|discordbot",
    re.IGNORECASE,
)
#: Mail programs are no browsers and load pictures all the same; of them, only these are nobody.
_PROGRAM: Final = re.compile(
    r"bot\b|crawl|spider|preview|headless|scrap|curl/|wget/|python|go-http|java/|libwww|okhttp", re.IGNORECASE
)


class By(StrEnum):
    """Who did it."""

    PERSON = "person"
    PROXY = "proxy"
    SCANNER = "scanner"


def opener(request: HttpRequest, *, reached_at: datetime | None) -> By:
    """Return who loads the picture of a message.

    Args:
        request: for the picture.
        reached_at: when the message was handed out; None: it is on its way at this moment.
    """
    text = _agent_text(request)
    if request.method != "GET" or _SCANNER.search(text):
        return By.SCANNER
    if _RELAY.fullmatch(text) or (_PROXY.search(text) and _age(reached_at) < PREFETCH_SECONDS):
        return By.PROXY
    if not _PROXY.search(text) and _PROGRAM.search(text):
        return By.SCANNER
    return By.PERSON


def clicker(request: HttpRequest, *, public_id: UUID, link: str, reached_at: datetime | None) -> By:
    """Return who follows a link of a message.

    Args:
        request: for the link.
        public_id: the message.
        link: which of its links.
        reached_at: when the message was handed out; None: it is on its way at this moment.
    """
    is_burst = _is_burst(public_id, link)
    is_machine = request.method != "GET" or agent(request).is_bot or _SCANNER.search(_agent_text(request))
    return By.SCANNER if is_machine or is_burst or _age(reached_at) < FASTEST_SECONDS else By.PERSON


def _agent_text(request: HttpRequest) -> str:
    return str(request.META.get("HTTP_USER_AGENT", ""))[:AGENT_LENGTH].strip()


def _age(reached_at: datetime | None) -> float:
    return (clock.now() - reached_at).total_seconds() if reached_at else 0.0


def _is_burst(public_id: UUID, link: str) -> bool:
    """Return whether another link of the message was followed a moment ago. Without a cache, none was."""
    key = f"crm:clicked:{public_id.hex}"
    try:
        before = cache.get(key)
        cache.set(key, link, timeout=BURST_SECONDS)
    except Exception:  # noqa: BLE001 - a cache raises what its transport raises; the click is judged by the rest
        return False
    return before is not None and before != link
