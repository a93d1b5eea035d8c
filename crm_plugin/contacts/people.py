"""The words of identity: who a fact is about, and what became of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

MAX_EMAIL_LENGTH = 254

#: The name under which a storefront carries a browser's id: of the cookie, and of metadata of a cart or an order.
VISITOR_KEY = "crm_visitor"
_VISITOR_ID = re.compile(r"[A-Za-z0-9_-]{16,64}")


def clean_visitor_id(value: object) -> str:
    """Return the id of a browser as the storefront says it, or ``""`` when it is not one that our script makes."""
    return value if isinstance(value, str) and _VISITOR_ID.fullmatch(value) else ""


def normalize_email(value: str) -> str:
    """Return the address trimmed and in lower case, or ``""`` when it is not one that can be written to.

    The part before the @ must be ASCII: some letters outside it (the Kelvin sign, the long s) have an ASCII letter as
    their lower case, and would turn one person's address into another's.
    """
    email = value.strip()
    local, _, _ = email.rpartition("@")
    if not local.isascii() or not email.isprintable():
        return ""
    email = email.lower()
    try:
        validate_email(email)
    except ValidationError:
        return ""
    return email if len(email) <= MAX_EMAIL_LENGTH else ""


@dataclass(frozen=True, slots=True)
class Person:
    """Who a fact is about, as far as the shop knows. ``email`` is already normalised.

    ``visitor_id`` is the browser in which the person was seen; somebody of whom nothing else is known is a visitor.
    ``seen_at`` is when the shop saw the person under this identity (the latest, of several facts), ``first_seen_at``
    the earliest; they do not make two persons different.
    """

    customer_id: str = ""
    email: str = ""
    visitor_id: str = ""
    seen_at: datetime | None = field(default=None, compare=False)
    first_seen_at: datetime | None = field(default=None, compare=False)

    @property
    def is_named(self) -> bool:
        """Whether the shop knows more than a browser."""
        return bool(self.customer_id or self.email)


@dataclass(frozen=True, slots=True)
class Merge:
    """Two contacts turned out to be one person: everything of ``source_id`` belongs to ``target_id``."""

    source_id: int
    target_id: int


@dataclass(frozen=True, slots=True)
class Handover:
    """A browser that several people used. What it did before a batch belonged to ``owner_id``, if to anybody."""

    visitor_id: str
    owner_id: int | None


@dataclass(frozen=True, slots=True)
class Resolution:
    """What ``resolve`` found.

    Attributes:
        merges: contacts to merge, in this order: every room moves its rows, then ``contacts.absorb`` ends the source.
        dropped: people who were erased after they were seen, and have no contact because of it.
        erased_at: when people were erased, as far as that could matter to a fact of the batch; also of people who
            came back since and have a contact again. A fact from before that moment must not be recorded.
        handovers: browsers that changed hands within the batch: whose their nameless facts are depends on the time.
    """

    merges: tuple[Merge, ...] = ()
    dropped: frozenset[Person] = frozenset()
    erased_at: Mapping[Person, datetime] = field(default_factory=dict)
    handovers: tuple[Handover, ...] = ()
