"""The sender's checklist: what mailbox providers ask of the domain that mails come from, and whether it is so.

Sources: Google's e-mail sender guidelines (support.google.com/a/answer/81126) and Yahoo's sender best practices
(senders.yahooinc.com/best-practices), both for bulk senders since February 2024; RFC 7208 (SPF), RFC 6376 and 8301
(DKIM), RFC 7489 (DMARC), RFC 7505 (null MX), RFC 8058 (one-click).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

import dns.resolver
from django.conf import settings as django_settings
from django.db.models import Count, Q

from crm_plugin import clock, merchant, shop
from crm_plugin.conf import settings
from crm_plugin.contacts import ChannelKind
from crm_plugin.merchant import Merchant
from crm_plugin.messaging.models import Message, MessageState
from crm_plugin.messaging.providers.esp import esp_set_up
from crm_plugin.messaging.sender_dns import Answers, Question, ascii_domain, look_up
from crm_plugin.messaging.sender_words import ADVICE, TITLES, Check, Words

#: Selectors that large providers and mail servers use; asked for besides those that the operator names.
COMMON_SELECTORS: Final = (
    "default", "google", "selector1", "selector2", "k1", "k2", "k3", "s1", "s2", "mail", "dkim", "pm", "resend",
    "mailjet", "brevo1", "brevo2", "krs", "mta", "smtp", "mandrill",
)  # fmt: skip
#: Their DMARC policies have mail refused that others send in their name.
FREE_MAILBOXES: Final = frozenset({
    "gmail.com", "googlemail.com", "yahoo.com", "ymail.com", "outlook.com", "hotmail.com", "live.com", "icloud.com",
    "me.com", "aol.com", "gmx.de", "gmx.net", "web.de", "naver.com", "hanmail.net", "daum.net", "kakao.com", "nate.com",
})  # fmt: skip
#: What an SPF record includes for a provider of Anymail whose envelope addresses lie in the sender's domain.
SPF_INCLUDES: Final = {
    "Amazon SES": "amazonses.com",
    "Brevo": "spf.brevo.com",
    "MailerSend": "_spf.mailersend.net",
    "Mailgun": "mailgun.org",
    "Mailjet": "spf.mailjet.com",
    "Mandrill": "spf.mandrillapp.com",
    "Postmark": "spf.mtasv.net",
    "Resend": "amazonses.com",
    "SendGrid": "sendgrid.net",
    "SparkPost": "sparkpostmail.com",
}
#: Complaints per hundred mails: what Gmail and Yahoo want, and from where they refuse mail.
GOOD_COMPLAINT_PERCENT: Final = 0.10
BAD_COMPLAINT_PERCENT: Final = 0.30
COMPLAINT_DAYS: Final = 30
#: RFC 7208 4.6.4: more lookups make a record void; here those of the record itself are counted.
_SPF_LOOKUPS: Final = 10
_SPF_TERM: Final = re.compile(r"^[+?~-]?(include:|a$|a[:/]|mx$|mx[:/]|ptr|exists:)|^redirect=", re.IGNORECASE)
#: How many domains above may hold the policy; a name of a hundred labels is no reason for a hundred questions.
_HIGHEST: Final = 7
#: A public key of RSA 2048 takes more than this in base64, one of 1024 less.
_LONG_KEY: Final = 300


class PointState(StrEnum):
    """Whether a point is in order."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Point:
    """One point of the checklist. ``found``: what was seen, in the words of the world (records, numbers)."""

    code: Check
    state: PointState
    found: str = ""

    @property
    def title(self) -> Words:
        """What it is about."""
        return TITLES[self.code]

    @property
    def advice(self) -> Words:
        """What to do; empty when it is in order."""
        return Words("", "") if self.state == PointState.OK else ADVICE[self.code]


@dataclass(frozen=True, slots=True)
class Record:
    """A DNS record to add, or to put in the place of the one there."""

    kind: str
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class SenderCheck:
    """The checklist of a domain; ``records`` are those that are missing and can be known."""

    domain: str
    points: tuple[Point, ...]
    records: tuple[Record, ...]


def check_sender(*, resolver: dns.resolver.Resolver | None = None) -> SenderCheck:
    """Return the checklist of the merchant's sender address. Takes seconds when name servers do not answer.

    Args:
        resolver: whom to ask; the machine's own when not given.
    """
    us = merchant.load()
    written = us.sender_email.rpartition("@")[2]
    domain = ascii_domain(written) if written else ""
    points: list[Point] = []
    records: list[Record] = []
    if domain:
        answers = look_up(list(_questions(domain)), resolver=resolver)
        points += _domain_points(domain, answers)
        records += _missing(domain, answers)
    else:
        points.append(Point(Check.DOMAIN, PointState.FAILED, us.sender_email))
    return SenderCheck(domain, (*points, *_other_points(us)), tuple(records))


def _selectors() -> tuple[str, ...]:
    return tuple(dict.fromkeys((*settings().dkim_selectors, *COMMON_SELECTORS)))


def _parents(domain: str) -> list[str]:
    """Return the domains above, without the top one: a DMARC policy there holds for those below."""
    labels = domain.split(".")
    return [".".join(labels[at:]) for at in range(1, len(labels) - 1)][-_HIGHEST:]


def _questions(domain: str) -> Iterator[Question]:
    yield "TXT", domain
    yield from (("TXT", f"_dmarc.{name}") for name in (domain, *_parents(domain)))
    yield from ((kind, domain) for kind in ("MX", "A", "AAAA"))
    yield from (("TXT", f"{selector}._domainkey.{domain}") for selector in _selectors())


def _domain_points(domain: str, answers: Answers) -> list[Point]:
    dkim = _dkim(domain, answers)
    return [
        Point(Check.DOMAIN, PointState.OK, domain),
        _spf(answers[("TXT", domain)]),
        dkim,
        _dmarc(domain, answers),
        _alignment(domain, dkim),
        _mx(domain, answers),
    ]


def _spf(found: tuple[str, ...] | None) -> Point:
    if found is None:
        return Point(Check.SPF, PointState.UNKNOWN)
    records = _spf_records(found)
    words = " | ".join(records)
    if len(records) != 1:  # several make SPF fail (RFC 7208 4.5)
        return Point(Check.SPF, PointState.FAILED, words)
    terms = records[0].lower().split()
    is_open = bool({"+all", "all", "?all"} & set(terms))
    is_long = sum(bool(_SPF_TERM.match(term)) for term in terms) > _SPF_LOOKUPS
    return Point(Check.SPF, PointState.WARNING if is_open or is_long else PointState.OK, words)


def _spf_records(found: tuple[str, ...]) -> list[str]:
    return sorted(text for text in found if text.lower().split(" ")[0] == "v=spf1")


def _dkim(domain: str, answers: Answers) -> Point:
    found = {one: answers[("TXT", f"{one}._domainkey.{domain}")] for one in _selectors()}
    keys = {one: key for one, texts in found.items() for text in texts or () if (key := _key(text)) is not None}
    valid = {one: key for one, key in keys.items() if key}
    if valid:
        is_short = all(len(key) < _LONG_KEY and not _is_small(found[one] or ()) for one, key in valid.items())
        return Point(Check.DKIM, PointState.WARNING if is_short else PointState.OK, ", ".join(valid))
    if any(texts is None for texts in found.values()):
        return Point(Check.DKIM, PointState.UNKNOWN)
    # Any name may be a selector: only what the operator says can be missing.
    state = PointState.FAILED if settings().dkim_selectors or keys else PointState.UNKNOWN
    return Point(Check.DKIM, state, ", ".join(f"{one}: p=" for one in keys))


def _key(text: str) -> str | None:
    """Return the public key in a DKIM record, empty when it was taken back (RFC 6376 3.6.1); None: it is no such."""
    tags = _tags(text)
    if "p" not in tags or tags.get("v", "DKIM1") != "DKIM1":
        return None
    return re.sub(r"\s", "", tags["p"])


def _is_small(texts: tuple[str, ...]) -> bool:
    """Whether the key is of a kind whose short keys are strong (RFC 8463)."""
    return any(_tags(text).get("k") == "ed25519" for text in texts)


def _tags(text: str) -> dict[str, str]:
    parts = (part.partition("=") for part in text.split(";"))
    return {name.strip(): value.strip() for name, _, value in parts if name.strip()}


def _dmarc(domain: str, answers: Answers) -> Point:
    for name in (domain, *_parents(domain)):
        found = answers[("TXT", f"_dmarc.{name}")]
        if found is None:
            return Point(Check.DMARC, PointState.UNKNOWN)
        policies = [text for text in found if _tags(text).get("v") == "DMARC1"]
        if policies:
            is_good = len(policies) == 1 and _tags(policies[0]).get("p") in {"none", "quarantine", "reject"}
            return Point(Check.DMARC, PointState.OK if is_good else PointState.FAILED, " | ".join(policies))
    return Point(Check.DMARC, PointState.FAILED)


def _alignment(domain: str, dkim: Point) -> Point:
    """A signature of the very domain of the sender address is aligned in DMARC's strict mode too."""
    if domain in FREE_MAILBOXES:
        return Point(Check.ALIGNMENT, PointState.FAILED, domain)
    is_signed = dkim.state in (PointState.OK, PointState.WARNING)
    state = PointState.OK if is_signed else dkim.state
    return Point(Check.ALIGNMENT, state, f"From: {domain}; DKIM: {domain}" if is_signed else f"From: {domain}")


def _mx(domain: str, answers: Answers) -> Point:
    found = answers[("MX", domain)]
    if found is None:
        return Point(Check.MX, PointState.UNKNOWN)
    hosts = [host for host in found if host not in {"", "."}]
    if found:  # one that is "." says that the domain takes no mail
        return Point(Check.MX, PointState.OK if hosts else PointState.FAILED, ", ".join(sorted(hosts)))
    addresses = [*(answers[("A", domain)] or ()), *(answers[("AAAA", domain)] or ())]
    return Point(Check.MX, PointState.WARNING if addresses else PointState.FAILED, ", ".join(addresses))


def _missing(domain: str, answers: Answers) -> Iterator[Record]:
    texts = answers[("TXT", domain)]
    if texts is not None and _spf(texts).state == PointState.FAILED:
        yield Record("TXT", domain, _spf_to_add(_spf_records(texts)))
    if _dmarc(domain, answers).state == PointState.FAILED:
        yield Record("TXT", f"_dmarc.{domain}", f"v=DMARC1; p=none; rua=mailto:dmarc@{domain}")


def _spf_to_add(there: list[str]) -> str:
    """Return one record that says what those there say, and names the provider."""
    terms = [term for record in there for term in record.split()[1:] if not term.lower().endswith("all")]
    include = SPF_INCLUDES.get(esp_set_up())
    host = django_settings.EMAIL_HOST
    ours = f"include:{include}" if include else f"a:{host}" if "." in host and host != "127.0.0.1" else "mx"
    return " ".join(["v=spf1", *dict.fromkeys((*terms, ours)), "~all"])


def _other_points(us: Merchant) -> list[Point]:
    url = shop.current().operator().public_url
    is_https = url.startswith("https://")
    return [
        Point(Check.ONE_CLICK, PointState.OK if is_https else PointState.FAILED, "" if is_https else url),
        Point(Check.VISIBLE_LINK, PointState.OK),
        Point(
            Check.POSTAL_ADDRESS,
            PointState.OK if us.postal_address.strip() else PointState.FAILED,
            us.postal_address,
        ),
        _complaints(),
        Point(Check.TLS, PointState.UNKNOWN),
    ]


def _complaints() -> Point:
    """Count what is in the table; mailbox providers that tell nobody of complaints (Gmail) are not in it."""
    mails = Message.objects.filter(
        channel=ChannelKind.EMAIL,
        state=MessageState.SENT,
        created_at__gte=clock.now() - timedelta(days=COMPLAINT_DAYS),
    )
    count = mails.aggregate(sent=Count("pk"), complaints=Count("pk", filter=Q(complained_at__isnull=False)))
    if not count["sent"]:
        return Point(Check.COMPLAINT_RATE, PointState.UNKNOWN, "0 / 0")
    percent = 100 * count["complaints"] / count["sent"]
    state = PointState.OK
    if percent >= GOOD_COMPLAINT_PERCENT:
        state = PointState.FAILED if percent >= BAD_COMPLAINT_PERCENT else PointState.WARNING
    return Point(Check.COMPLAINT_RATE, state, f"{count['complaints']} / {count['sent']} = {percent:.2f} %")


__all__ = ["Point", "PointState", "Record", "SenderCheck", "check_sender"]
