"""Questions to the domain name system: all at once, and never longer than a few seconds."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.ANY.TXT import TXT

#: For one question, repetitions over other name servers included. They are all asked side by side.
LIFETIME_SECONDS: Final = 4.0
_THREADS: Final = 64

_HOST_NAME: Final = re.compile(r"[a-z0-9._-]+")

#: A kind of record and a name.
Question = tuple[str, str]
#: The records as text; None: nobody answered in time, or the answer was broken.
Answers = Mapping[Question, tuple[str, ...] | None]


def ascii_domain(domain: str) -> str:
    """Return a domain as name servers know it: ``bücher.example`` is ``xn--bcher-kva.example``; empty: it is none."""
    try:
        name = dns.name.from_text(domain.strip().rstrip("."), idna_codec=dns.name.IDNA_2008_UTS_46)
    except (dns.exception.DNSException, UnicodeError):
        return ""
    text = name.to_text(omit_final_dot=True).lower()
    return text if "." in text and _HOST_NAME.fullmatch(text) else ""


def look_up(questions: Collection[Question], *, resolver: dns.resolver.Resolver | None = None) -> Answers:
    """Return the records that are asked for; a name without such a record has none."""
    asked = list(dict.fromkeys(questions))
    try:
        resolver = resolver or dns.resolver.get_default_resolver()
    except dns.exception.DNSException:  # this machine knows no name server
        return dict.fromkeys(asked)
    with ThreadPoolExecutor(max_workers=min(_THREADS, len(asked) or 1)) as threads:
        return dict(zip(asked, threads.map(lambda one: _records(resolver, *one), asked), strict=True))


def _records(resolver: dns.resolver.Resolver, kind: str, name: str) -> tuple[str, ...] | None:
    try:
        answer = resolver.resolve(name, kind, lifetime=LIFETIME_SECONDS, search=False, raise_on_no_answer=False)
    except dns.resolver.NXDOMAIN:
        return ()
    except (dns.exception.DNSException, OSError, UnicodeError):
        return None
    return tuple(_text(record) for record in answer.rrset or ())


def _text(record: object) -> str:
    match record:
        case TXT():
            return b"".join(record.strings).decode("utf-8", "replace")
        case MX():
            return str(record.exchange.to_text(omit_final_dot=True))
        case _:
            return str(record)


__all__ = ["Answers", "Question", "ascii_domain", "look_up"]
