"""Where a visit came from: what the landing address says (``utm_*``), else what the referrer says.

One rule, here and nowhere else; the storefront's script only tells both addresses.

====================================  ==================  ==========  =======================
landing address, referrer             source              medium      keyword
====================================  ==================  ==========  =======================
``?utm_source=…``                     utm_source          utm_medium  utm_term
a search engine                       its name            organic     what it says was searched
another site                          its host            referral
neither                               direct
the shop itself                       (no new touch)
====================================  ==================  ==========  =======================

``utm_medium``, ``utm_campaign`` and ``utm_term`` count without ``utm_source`` as well. Sources, media and keywords are
kept in lower case, so that ``Facebook`` and ``facebook`` are one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import parse_qs, urlsplit

#: The columns of ``Inflow`` are as long.
LENGTH: Final = 100
DIRECT: Final = "direct"
ORGANIC: Final = "organic"
REFERRAL: Final = "referral"

_COUNTRY = r"(?:com|[a-z]{2}|com?\.[a-z]{2})"
#: Hosts of search pages (without ``www.``), each with the parameters in which some still tell what was searched for.
_ENGINES: Final[tuple[tuple[str, re.Pattern[str], tuple[str, ...]], ...]] = tuple(
    (name, re.compile(hosts), parameters)
    for name, hosts, parameters in (
        ("google", rf"(?:m\.|images\.)?google\.{_COUNTRY}|com\.google\.android\.googlequicksearchbox", ("q",)),
        ("naver", r"(?:m\.)?search\.naver\.com", ("query",)),
        ("daum", r"(?:m\.)?search\.daum\.net", ("q",)),
        ("bing", r"(?:[a-z]{2}\.|m\.)?bing\.com", ("q",)),
        ("yahoo", rf"(?:[a-z]{{1,2}}\.)?search\.yahoo\.{_COUNTRY}", ("p",)),
        ("duckduckgo", r"(?:html\.|lite\.)?duckduckgo\.com", ("q",)),
        ("yandex", rf"(?:m\.)?yandex\.{_COUNTRY}|ya\.ru", ("text",)),
        ("baidu", r"(?:m\.)?baidu\.com", ("wd", "word")),
        ("ecosia", r"ecosia\.org", ("q",)),
        ("zum", r"(?:m\.)?search\.zum\.com", ("query",)),
        ("nate", r"(?:m\.)?search\.(?:daum\.)?nate\.com", ("q",)),
    )
)


def touch(url: str, referrer: str, *, own_hosts: Collection[str]) -> Mapping[str, str]:
    """Return source, medium, campaign, keyword and referrer of a visit, those that are known.

    Args:
        url: the landing address, absolute.
        referrer: the address that the visitor came from; empty or unreadable is none.
        own_hosts: hosts of the shop. Coming from there is no new touch: the answer is empty then.
    """
    told, host = _campaign(url), _host(referrer)
    if not host or host in {_host(url), *map(_bare, own_hosts)}:
        is_touch = bool(told) or not host
        return {"source": DIRECT} | told if is_touch else {}
    found = {} if "source" in told else _referred(host, referrer)
    return found | told | {"referrer": host}


def _campaign(url: str) -> dict[str, str]:
    words = _words(url)
    told = {
        "source": words.get("utm_source", "").lower(),
        "medium": words.get("utm_medium", "").lower(),
        "campaign": words.get("utm_campaign", ""),
        "keyword": words.get("utm_term", "").lower(),
    }
    return {name: value for name, value in told.items() if value}


def _referred(host: str, referrer: str) -> dict[str, str]:
    for name, hosts, parameters in _ENGINES:
        if hosts.fullmatch(host):
            words = _words(referrer)
            keyword = next((words[key] for key in parameters if words.get(key)), "").lower()
            return {"source": name, "medium": ORGANIC} | ({"keyword": keyword} if keyword else {})
    return {"source": host, "medium": REFERRAL}


def _words(url: str) -> dict[str, str]:
    """Return the first value of each parameter of an address, as text that a table can hold."""
    try:
        query = urlsplit(url).query
    except ValueError:
        return {}
    return {key: _clean(values[0]) for key, values in parse_qs(query, errors="replace").items()}


def _host(url: str) -> str:
    try:
        return _bare(_clean(urlsplit(url).hostname or ""))
    except ValueError:  # a bracket that is not closed
        return ""


def _bare(host: str) -> str:
    return host.lower().removeprefix("www.")


def _clean(text: str) -> str:
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(printable.split())[:LENGTH].strip()
