"""The link to an exported file: signed, for a few minutes, and for one fetch (the log says whether that was).

The link is the permission: it was given to somebody who may, and may be opened where they are not known (a download in
a new window carries no token of Saleor).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from crm_plugin import clock, ids, shop
from crm_plugin.audience.models import Export

LIFETIME: Final = timedelta(minutes=5)
_PURPOSE: Final = "export"
#: Tokens of ours are about 75 characters; anything longer is not looked at.
_MAX_TOKEN: Final = 150


def export_link(export: Export) -> tuple[str, datetime]:
    """Return the address of the file, and until when it leads there."""
    expires_at = (clock.now() + LIFETIME).replace(microsecond=0)
    token = ids.sign(_PURPOSE, f"{export.pk}.{int(expires_at.timestamp())}")
    ending = "json" if "person" in export.what else "csv"
    return f"{shop.current().operator().public_url}export/{token}.{ending}", expires_at


def read_export_link(token: str) -> tuple[int, datetime] | None:
    """Return which export a token is for and until when it holds; None when it is not one of ours."""
    value = ids.unsign(_PURPOSE, token) if len(token) <= _MAX_TOKEN else None
    if value is None:
        return None
    pk, _, until = value.partition(".")
    return int(pk), datetime.fromtimestamp(int(until), UTC)


def claim_export(pk: int) -> Export | None:
    """Note that the file is being fetched; None when it was before, or there is no such export."""
    is_first = Export.objects.filter(pk=pk, fetched_at=None).update(fetched_at=clock.now())
    return Export.objects.get(pk=pk) if is_first else None


def finish_export(pk: int, rows_count: int) -> None:
    """Note that the file was sent to its end."""
    Export.objects.filter(pk=pk).update(rows_count=rows_count)
