"""What arguments of the API stand for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from crm_plugin import ids, shop
from crm_plugin.errors import InvalidInput
from crm_plugin.shop import Actor

_GREATEST_KEY = 2**63 - 1


def row_key(kind: str, value: str, *, field: str) -> int:
    """Return the key of a row of ours from its Relay id.

    Raises:
        InvalidInput: when ``value`` is not the id of a ``kind``.
    """
    key = ids.from_global(kind, value, field=field)
    if not (key.isascii() and key.isdecimal()) or int(key) > _GREATEST_KEY:
        raise InvalidInput(f"{value!r} is not the id of a {kind}.", field=field, code="GRAPHQL_ERROR")
    return int(key)


def channel_named(slug: str | None) -> str:
    """Return the slug of a sales channel of the shop; when none is named that of its default one, empty without one.

    Raises:
        InvalidInput: when the shop has no such channel.
    """
    channels = [known.slug for known in shop.current().channels()]
    if slug is None:
        return channels[0] if channels else ""
    if slug not in channels:
        raise InvalidInput(f"There is no channel {slug!r}.", field="channel", code="NOT_FOUND")
    return slug


def refuse_naive(values: Mapping[str, datetime | None], fields: Iterable[str]) -> None:
    """Refuse a moment that does not say in which zone it is.

    Raises:
        InvalidInput: naming the field.
    """
    for field in fields:
        moment = values.get(field)
        if moment is not None and moment.tzinfo is None:
            raise InvalidInput("Give the moment with its offset from UTC, such as 2027-01-31T09:00:00Z.", field=field)


def name_of(actor: Actor) -> str:
    """Return the caller in words, for logs: ``app:5``, ``user:7``."""
    return f"app:{actor.app_id}" if actor.app_id else f"user:{actor.customer_id}"
