"""That goods arrived: Saleor has no such state, so a carrier's app writes it into metadata as ``delivered``.

On the order or on a fulfilment, public metadata: a date or a time (``2026-11-22``, ISO 8601), or any word that means
yes.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from crm_plugin import clock

KEY: Final = "delivered"
_NO: Final = frozenset({"", "0", "false", "no", "null", "none"})


def delivered_at(metadata: Any, *, otherwise: datetime | None = None) -> datetime | None:
    """Return when the goods arrived, as metadata says; None when it does not, or they are only expected.

    Args:
        metadata: of an order or a fulfilment.
        otherwise: the time when it only says that they did; the present when left out.
    """
    value = str(metadata.get(KEY) or "").strip() if isinstance(metadata, dict) else ""
    if value.lower() in _NO:
        return None
    at = _time(value) or otherwise or clock.now()
    return at if at <= clock.now() else None


def _time(value: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
