"""Links that know whose message they were in: signed tokens on the way out, and what they mean on the way back.

A token names a message by its public id, never a person, and holds for one purpose only. A click leads to a stored
``Link`` and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from html import unescape
from uuid import UUID

from django.db import connection
from liquid import Markup

from crm_plugin import ids
from crm_plugin.messaging.models import Link, Message
from crm_plugin.shop import FactKind

#: Tokens of ours are about 110 characters; anything longer is not looked at.
MAX_TOKEN = 200
#: Some releases of Django redirect to no longer address; such a one stands in the mail as it is.
MAX_URL = 2_048
CLICK, OPEN, UNSUBSCRIBE = "click", "open", "unsubscribe"

_PROJECT = f"""
UPDATE {Message._meta.db_table} AS m SET
    opened_at = LEAST(m.opened_at, v.opened_at), clicked_at = LEAST(m.clicked_at, v.clicked_at)
FROM (
    SELECT public_id, min(at) FILTER (WHERE kind = %s) AS opened_at, min(at) FILTER (WHERE kind = %s) AS clicked_at
    FROM unnest(%s::uuid[], %s::text[], %s::timestamptz[]) AS e (public_id, kind, at) GROUP BY public_id
) AS v
WHERE m.public_id = v.public_id
"""  # noqa: S608 - the table's own name


class Links:
    """The addresses of one message. What ``track`` has seen is collected in ``found``, to be stored before sending."""

    __slots__ = ("_base", "_found", "_made", "_message")

    def __init__(self, public_id: UUID, *, public_url: str, found: dict[str, str]) -> None:
        self._message = public_id.hex
        self._base = public_url
        self._found = found
        self._made: dict[str, str] = {}

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
            self._found[digest] = url
            self._made[url] = f"{self._base}click/{ids.sign(CLICK, f'{self._message}.{digest}')}/"
        return self._made[url]

    @property
    def open_url(self) -> str:
        """The address of the open pixel."""
        return f"{self._base}open/{ids.sign(OPEN, self._message)}.gif"

    @property
    def unsubscribe_url(self) -> str:
        """The address of the unsubscribe page, which is also the one-click endpoint."""
        return f"{self._base}unsubscribe/{ids.sign(UNSUBSCRIBE, self._message)}/"


@lru_cache(maxsize=4_096)
def link_digest(url: str) -> str:
    """Return the key of ``url`` among the stored links."""
    return sha256(url.encode()).hexdigest()[:32]


def store_links(found: Mapping[str, str]) -> None:
    """Make sure that every link exists, in one statement; sorted, so that two workers cannot block each other."""
    rows = [Link(digest=digest, url=found[digest]) for digest in sorted(found)]
    if rows:
        Link.objects.bulk_create(rows, ignore_conflicts=True)


@dataclass(frozen=True, slots=True)
class Addressee:
    """Whose message a token names, as far as the public endpoints need it."""

    public_id: UUID
    contact_id: int
    channel: str
    language: str
    is_erased: bool


def read_click(token: str) -> tuple[UUID, str] | None:
    """Return the message and the stored address that a click token stands for; None when it stands for nothing."""
    value = _read(CLICK, token)
    message, _, digest = value.partition(".")
    url = Link.objects.filter(pk=digest).values_list("url", flat=True).first() if digest else None
    return (UUID(message), url) if url is not None else None


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
    columns = ("contact_id", "channel", "language", "contact__erased_at")
    row = Message.objects.filter(public_id=public_id).values_list(*columns).first()
    return Addressee(public_id, row[0], row[1], row[2], row[3] is not None) if row else None


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
