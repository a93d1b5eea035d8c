"""Links that know whose message they were in: signed tokens on the way out, and what they mean on the way back.

A token names a message by its public id, never a person, and holds for one purpose only. A click leads to a stored
``Link`` and nowhere else.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from hashlib import sha256
from html import unescape
from typing import Final
from uuid import UUID

from django.db import connection
from liquid import Markup

from crm_plugin import clock, ids
from crm_plugin.messaging.models import Link, Message, ShortLink
from crm_plugin.shop import FactKind

#: Tokens of ours are about 110 characters; anything longer is not looked at.
MAX_TOKEN = 200
#: Some releases of Django redirect to no longer address; such a one stands in the mail as it is.
MAX_URL = 2_048
CLICK, OPEN, UNSUBSCRIBE, PREFERENCES = "click", "open", "unsubscribe", "preferences"
#: 62 ** 10 codes: nobody finds one by trying.
CODE_LENGTH = 10
_LETTERS = string.ascii_letters + string.digits
#: When a link was last used is known to this: it is written once a day at most, however many messages have it.
USED_WITHIN: Final = timedelta(days=1)

_USE: Final = """
UPDATE crm_plugin_link SET used_at = %(now)s WHERE digest = ANY(ARRAY(
    SELECT digest FROM crm_plugin_link WHERE digest = ANY(%(digests)s) AND used_at < %(until)s
    ORDER BY digest FOR UPDATE))
"""

_PROJECT = f"""
UPDATE {Message._meta.db_table} AS m SET
    opened_at = LEAST(m.opened_at, v.opened_at), clicked_at = LEAST(m.clicked_at, v.clicked_at)
FROM (
    SELECT public_id, min(at) FILTER (WHERE kind = %s) AS opened_at, min(at) FILTER (WHERE kind = %s) AS clicked_at
    FROM unnest(%s::uuid[], %s::text[], %s::timestamptz[]) AS e (public_id, kind, at) GROUP BY public_id
) AS v
WHERE m.public_id = v.public_id
"""  # noqa: S608 - the table's own name


@dataclass(slots=True)
class Found:
    """The links that messages contain: addresses by digest, and of short ones the message and the digest by code."""

    links: dict[str, str] = field(default_factory=dict)
    codes: dict[str, tuple[str, str]] = field(default_factory=dict)


class Links:
    """The addresses of one message. What ``track`` has seen is collected in ``found``, to be stored before sending."""

    def __init__(self, public_id: UUID, *, public_url: str, found: Found, is_short: bool = False) -> None:
        self._message = public_id.hex
        self._base = public_url
        self._found = found
        self._made: dict[str, str] = {}
        self._short = is_short

    def track(self, value: object) -> str:
        """Return the address that counts the click; what is not a web address is returned as it is, or dropped."""
        # Captured Liquid is markup: its values were escaped on their way into it.
        url = (unescape(value) if isinstance(value, Markup) else str(value)).strip()
        if not url.startswith(("http://", "https://")):
            return url if url.startswith(("mailto:", "tel:")) else ""
        if len(url) > MAX_URL:
            return url
        if url not in self._made:
            digest = link_digest(url)
            self._found.links[digest] = url
            self._made[url] = self._short_url(digest) if self._short else self._click_url(digest)
        return self._made[url]

    def _click_url(self, digest: str) -> str:
        return f"{self._base}click/{ids.sign(CLICK, f'{self._message}.{digest}')}/"

    def _short_url(self, digest: str) -> str:
        number = int(ids.digest("short_link", f"{self._message}.{digest}"), 16)
        code = "".join(_LETTERS[number // len(_LETTERS) ** place % len(_LETTERS)] for place in range(CODE_LENGTH))
        self._found.codes[code] = (self._message, digest)
        return f"{self._base}l/{code}/"

    @cached_property
    def open_url(self) -> str:
        """The address of the open pixel."""
        return f"{self._base}open/{ids.sign(OPEN, self._message)}.gif"

    @cached_property
    def unsubscribe_url(self) -> str:
        """The address of the unsubscribe page, which is also the one-click endpoint."""
        return f"{self._base}unsubscribe/{ids.sign(UNSUBSCRIBE, self._message)}/"

    @cached_property
    def preferences_url(self) -> str:
        """The address of the preference centre."""
        return f"{self._base}preferences/{ids.sign(PREFERENCES, self._message)}/"


@lru_cache(maxsize=4_096)
def link_digest(url: str) -> str:
    """Return the key of ``url`` among the stored links."""
    return sha256(url.encode()).hexdigest()[:32]


def store_links(found: Found) -> None:
    """Make sure that every link exists and is kept; sorted, so that two workers cannot block each other.

    One that is there is marked as used first: housekeeping has deleted it by then, and it is made again, or will not.
    """
    if found.links:
        now, digests = clock.now(), sorted(found.links)
        with connection.cursor() as cursor:
            cursor.execute(_USE, {"now": now, "until": now - USED_WITHIN, "digests": digests})
        rows = [Link(digest=digest, url=found.links[digest], used_at=now) for digest in digests]
        Link.objects.bulk_create(rows, ignore_conflicts=True)
    if found.codes:
        codes = [
            ShortLink(code=code, message_public_id=UUID(message), link_id=digest, created_at=clock.now())
            for code, (message, digest) in sorted(found.codes.items())
        ]
        ShortLink.objects.bulk_create(codes, ignore_conflicts=True)


@dataclass(frozen=True, slots=True)
class Addressee:
    """Whose message a token names, as far as the public endpoints need it.

    ``reached_at`` is when the message arrived, as far as a provider said so, else when it was handed out; None while
    it is on its way.
    """

    public_id: UUID
    contact_id: int
    channel: str
    language: str
    is_erased: bool
    reached_at: datetime | None = None


def read_click(token: str) -> tuple[UUID, str] | None:
    """Return the message and the stored address that a click token stands for; None when it stands for nothing."""
    value = _read(CLICK, token)
    message, _, digest = value.partition(".")
    url = Link.objects.filter(pk=digest).values_list("url", flat=True).first() if digest else None
    return (UUID(message), url) if url is not None else None


def read_short(code: str) -> tuple[UUID, str] | None:
    """Return the message and the stored address of a short link; None when there is none."""
    if len(code) != CODE_LENGTH or not code.isascii() or not code.isalnum():
        return None
    row = ShortLink.objects.filter(pk=code).values_list("message_public_id", "link__url").first()
    return (row[0], row[1]) if row else None


def read_preferences(token: str) -> UUID | None:
    """Return the message that the link of a preference centre stood in; None when it was forged."""
    value = _read(PREFERENCES, token)
    return UUID(value) if value else None


def read_open(token: str) -> UUID | None:
    """Return the message that an open token stands for; None when it was forged."""
    value = _read(OPEN, token)
    return UUID(value) if value else None


def read_unsubscribe(token: str) -> UUID | None:
    """Return the message that an unsubscribe token stands for; None when it was forged."""
    value = _read(UNSUBSCRIBE, token)
    return UUID(value) if value else None


def addressee(public_id: UUID) -> Addressee | None:
    """Return whose message it is; None when the message does not exist (any more)."""
    columns = ("contact_id", "channel", "language", "contact__erased_at", "delivered_at", "finished_at")
    row = Message.objects.filter(public_id=public_id).values_list(*columns).first()
    return Addressee(public_id, row[0], row[1], row[2], row[3] is not None, row[4] or row[5]) if row else None


def note_machine(public_id: UUID) -> None:
    """Write that a program, not the person, loaded something of the message, if it is the first one."""
    Message.objects.filter(public_id=public_id, machine_opened_at__isnull=True).update(machine_opened_at=clock.now())


def _read(purpose: str, token: str) -> str:
    return (ids.unsign(purpose, token) or "") if len(token) <= MAX_TOKEN else ""


@dataclass(frozen=True, slots=True)
class Tracked:
    """One opening or click, as the activity stream tells it."""

    public_id: UUID
    kind: FactKind
    occurred_at: datetime


def project_tracking(events: Sequence[Tracked]) -> None:
    """Write when messages were first opened and clicked; the same event twice changes nothing."""
    if not events:
        return
    columns = ([e.public_id for e in events], [str(e.kind) for e in events], [e.occurred_at for e in events])
    with connection.cursor() as cursor:
        cursor.execute(_PROJECT, [FactKind.MESSAGE_OPENED.value, FactKind.MESSAGE_CLICKED.value, *columns])
