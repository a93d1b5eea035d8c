"""The words of identity: who a fact is about, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

MAX_EMAIL_LENGTH = 254


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

    ``seen_at`` is when the shop saw the person under this identity (the latest, of several facts); it does not make
    two persons different.
    """

    customer_id: str = ""
    email: str = ""
    seen_at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Merge:
    """Two contacts turned out to be one person: everything of ``source_id`` belongs to ``target_id``."""

    source_id: int
    target_id: int


@dataclass(frozen=True, slots=True)
class Resolution:
    """What ``resolve`` found.

    Attributes:
        merges: contacts to merge, in this order: every room moves its rows, then ``contacts.absorb`` ends the source.
        dropped: people who were erased after they were seen, and have no contact because of it.
        erased_at: when people were erased, as far as that could matter to a fact of the batch; also of people who
            came back since and have a contact again. A fact from before that moment must not be recorded.
    """

    merges: tuple[Merge, ...] = ()
    dropped: frozenset[Person] = frozenset()
    erased_at: Mapping[Person, datetime] = field(default_factory=dict)
