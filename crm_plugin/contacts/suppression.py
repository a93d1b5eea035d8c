"""Suppression: addresses that must not be written to, whatever their owner once agreed to."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

from django.db.models import Count, QuerySet

from crm_plugin import clock
from crm_plugin.channel_kind import PHONE_CHANNELS, ChannelKind
from crm_plugin.contacts.blocks import digest_of
from crm_plugin.contacts.kept_key import keep_key
from crm_plugin.contacts.models import Suppression, SuppressionReason
from crm_plugin.contacts.people import normalize_email
from crm_plugin.contacts.phones import normalize_phone
from crm_plugin.contacts.touching import touch_address

#: Providers like to repeat the address in their answer; a suppression outlives the erasure of its owner.
_ADDRESS = re.compile(r"[^\s<>,;:'\"]+@[^\s<>,;:'\"]+")

#: Blocks that may come to an end by themselves (the person answers START): a reason that lasts takes their place.
_PASSING: Final = frozenset({SuppressionReason.STOP, SuppressionReason.SOFT_BOUNCES})


def suppress(address: str, *, channel: str, reason: str, detail: str = "") -> None:
    """Block an address on a channel. The first reason stays; an address that is none is passed over.

    Of two reasons the one that lasts stays: who answered STOP and whose number is dead is not written to after START.

    Args:
        address: as the provider gave it.
        channel: one of ``ChannelKind``.
        reason: one of ``SuppressionReason``.
        detail: what the provider said; addresses are taken out of it.
    """
    plain = _normalize(address, channel=channel)
    if not plain:
        return
    row = Suppression(
        channel=channel,
        address_digest=digest_of(plain),
        reason=reason,
        detail=_ADDRESS.sub("…", detail.replace("\0", ""))[:300],
        created_at=clock.now(),
    )
    Suppression.objects.bulk_create([row], ignore_conflicts=True)
    keep_key()
    if reason not in _PASSING:
        weaker = _rows(plain, channel=channel).filter(reason__in=_PASSING)
        weaker.update(reason=row.reason, detail=row.detail, created_at=row.created_at)
    touch_address(plain)


def suppression_of(address: str, *, channel: str) -> Suppression | None:
    """Return the block of an address, written in any way; None when there is none."""
    return _rows(_normalize(address, channel=channel), channel=channel).first()


def blocks_of(addresses: Collection[str], *, channel: str) -> QuerySet[Suppression]:
    """Return the blocks of these normalised addresses."""
    digests = [digest_of(address) for address in addresses]
    return Suppression.objects.filter(channel=channel, address_digest__in=digests)


def suppressions_by_reason() -> list[tuple[str, str, int]]:
    """Return how many addresses are blocked: channel, reason, count."""
    rows = Suppression.objects.values_list("channel", "reason").annotate(count=Count("pk"))
    return [tuple(row) for row in rows.order_by("channel", "reason")]


def lift_suppression(address: str, *, channel: str, only: str = "") -> bool:
    """Take the block off; return whether there was one.

    Args:
        address: written in any way.
        channel: one of ``ChannelKind``.
        only: the reason that the block must have to be lifted; empty: any.
    """
    plain = _normalize(address, channel=channel)
    blocks = _rows(plain, channel=channel)
    deleted, _ = (blocks.filter(reason=only) if only else blocks).delete()
    if deleted:
        touch_address(plain)
    return bool(deleted)


def suppressed(addresses: Collection[str], *, channel: str) -> Mapping[str, str]:
    """Return the blocked ones of these normalised addresses, with the reason."""
    by_digest = {digest_of(address): address for address in addresses if address}
    rows = Suppression.objects.filter(channel=channel, address_digest__in=by_digest)
    return {by_digest[digest]: reason for digest, reason in rows.values_list("address_digest", "reason")}


def _normalize(address: str, *, channel: str) -> str:
    if channel == ChannelKind.EMAIL:
        return normalize_email(address)
    # A number that cannot be read is blocked as it stands, such as a short code.
    return (normalize_phone(address) if channel in PHONE_CHANNELS else "") or address.strip()


def _rows(plain: str, *, channel: str) -> QuerySet[Suppression]:
    return Suppression.objects.filter(channel=channel, address_digest=digest_of(plain))
