"""What arguments of the API stand for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from crm_plugin import contacts, ids, shop
from crm_plugin.contacts import Contact
from crm_plugin.errors import InvalidInput
from crm_plugin.shop import Actor, ProductRef

_GREATEST_KEY = 2**63 - 1
#: Of a caller who was never heard of: no row has this key.
NOBODY = 0


def row_key(kind: str, value: str, *, field: str) -> int:
    """Return the key of a row of ours from its Relay id.

    Raises:
        InvalidInput: when ``value`` is not the id of a ``kind``.
    """
    key = ids.from_global(kind, value, field=field)
    if not (key.isascii() and key.isdecimal()) or int(key) > _GREATEST_KEY:
        raise InvalidInput(f"{value!r} is not the id of a {kind}.", field=field, code="GRAPHQL_ERROR")
    return int(key)


def key_or_none(kind: str, value: str | None, *, field: str) -> int | None:
    """Return the key of a row of ours that an argument may name; None when it does not."""
    return None if value is None else row_key(kind, value, field=field)


def contact_named(value: str, *, field: str) -> Contact:
    """Return the contact of a Relay id.

    Raises:
        InvalidInput: when there is none, or the person was erased.
    """
    found = contacts.contacts().filter(pk=row_key("CrmContact", value, field=field), erased_at=None).first()
    if found is None:
        raise InvalidInput("There is no such contact.", field=field, code="NOT_FOUND")
    return found


def product_named(product_id: str, variant_id: str | None = None, channel: str | None = None) -> ProductRef:
    """Return what the arguments `productId`, `variantId` and `channel` name; without a channel, in the default one.

    Raises:
        InvalidInput: when one of them is no such id, or there is no such channel.
    """
    slug = channel_named(channel)
    return ProductRef(
        product_id=ids.from_global("Product", product_id, field="product_id"),
        shop_channel=slug,
        variant_id="" if variant_id is None else ids.from_global("ProductVariant", variant_id, field="variant_id"),
    )


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
