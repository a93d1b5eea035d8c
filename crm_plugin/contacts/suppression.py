"""Suppression: addresses that must not be written to, whatever their owner once agreed to."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping

from django.conf import settings as django_settings

from crm_plugin import clock, ids
from crm_plugin.contacts.models import ChannelKind, Suppression
from crm_plugin.contacts.people import normalize_email
from crm_plugin.contacts.touching import touch_address

_NAMESPACE = "suppression"
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
    touch_address(plain)


def lift_suppression(address: str, *, channel: str) -> bool:
    """Take the block off; return whether there was one."""
    plain = _normalize(address, channel=channel)
    deleted, _ = Suppression.objects.filter(channel=channel, address_digest=_digest(plain)).delete()
    if deleted:
        touch_address(plain)
    return bool(deleted)


def suppressed(addresses: Collection[str], *, channel: str) -> Mapping[str, str]:
    """Return the blocked ones of these normalised addresses, with the reason."""
    by_digest = {_digest(address): address for address in addresses if address}
    rows = Suppression.objects.filter(channel=channel, address_digest__in=by_digest)
    return {by_digest[digest]: reason for digest, reason in rows.values_list("address_digest", "reason")}


def suppression_digest_sql(column: str, channel: str) -> tuple[str, list[bytes]]:
    """Return an SQL expression for the digest under which a suppression keeps an address, and its parameters.

    So that a statement can ask set-wise who is blocked. It is ``ids.digest("suppression", ...)``, an HMAC (RFC 2104)
    composed of PostgreSQL's own ``sha256``. The parameters are as secret as the key: they must not be logged.

    Args:
        column: the SQL of an address that is normalised already; never text from outside.
        channel: one of ``ChannelKind``.
    """
    address = column if channel == ChannelKind.EMAIL else f"btrim({column})"
    key = hashlib.sha256(f"crm.{_NAMESPACE}{django_settings.SECRET_KEY}".encode()).digest().ljust(64, b"\0")
    inner, outer = (bytes(byte ^ pad for byte in key) for pad in (0x36, 0x5C))
    sql = f"encode(sha256(%s::bytea || sha256(%s::bytea || convert_to({address}, 'UTF8'))), 'hex')"
    return sql, [outer, inner]


def _normalize(address: str, *, channel: str) -> str:
    return normalize_email(address) if channel == ChannelKind.EMAIL else address.strip()


def _digest(address: str) -> str:
    return ids.digest(_NAMESPACE, address)
