"""Suppression: addresses that must not be written to, whatever their owner once agreed to."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from crm_plugin import clock, ids
from crm_plugin.contacts.models import ChannelKind, Suppression
from crm_plugin.contacts.people import normalize_email

#: Providers like to repeat the address in their answer; a suppression outlives the erasure of its owner.
_ADDRESS = re.compile(r"[^\s<>,;:'\"]+@[^\s<>,;:'\"]+")


def suppress(address: str, *, channel: str, reason: str, detail: str = "") -> None:
    """Block an address on a channel. The first reason stays; an address that is none is passed over.

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
        address_digest=_digest(plain),
        reason=reason,
        detail=_ADDRESS.sub("…", detail.replace("\0", ""))[:300],
        created_at=clock.now(),
    )
    Suppression.objects.bulk_create([row], ignore_conflicts=True)


def lift_suppression(address: str, *, channel: str) -> bool:
    """Take the block off; return whether there was one."""
    digest = _digest(_normalize(address, channel=channel))
    deleted, _ = Suppression.objects.filter(channel=channel, address_digest=digest).delete()
    return bool(deleted)


def suppressed(addresses: Collection[str], *, channel: str) -> Mapping[str, str]:
    """Return the blocked ones of these normalised addresses, with the reason."""
    by_digest = {_digest(address): address for address in addresses if address}
    rows = Suppression.objects.filter(channel=channel, address_digest__in=by_digest)
    return {by_digest[digest]: reason for digest, reason in rows.values_list("address_digest", "reason")}


def _normalize(address: str, *, channel: str) -> str:
    return normalize_email(address) if channel == ChannelKind.EMAIL else address.strip()


def _digest(address: str) -> str:
    return ids.digest("suppression", address)
