"""The file of an export, to whoever has the signed link: once, within five minutes of asking for it.

People or products are a CSV file, all that is kept about one person is a JSON file.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import islice
from typing import Final, TypeVar

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from crm_plugin import audience, clock, persons, shop
from crm_plugin.audience import Export
from crm_plugin.errors import CRMError
from crm_plugin.http.doors import not_found, public

#: Rows read, written and sent on at once.
_ROWS: Final = 1_000
_TYPES: Final = {"csv": "text/csv; charset=utf-8", "json": "application/json"}

_Rows = Iterator[Sequence[str]]
T = TypeVar("T")


@public("GET")
def export(request: HttpRequest, token: str) -> HttpResponseBase:
    """Send the file the first time; that it was fetched is in the log before the first byte leaves."""
    read = audience.read_export_link(token)
    if read is None:
        return not_found()
    pk, expires_at = read
    found = audience.claim_export(pk) if clock.now() < expires_at else None
    if found is None:
        return _gone("This link has been used, or is older than five minutes. Export again.")
    try:
        chunks, kind = (_person(found), "json") if "person" in found.what else (_table(found), "csv")
    except CRMError as error:
        return _gone(f"This can no longer be exported: {error}")
    return StreamingHttpResponse(
        _one_at_a_time(chunks) if isinstance(request, ASGIRequest) else chunks,
        content_type=_TYPES[kind],
        headers={"Content-Disposition": f'attachment; filename="crm-export-{pk}.{kind}"'},
    )


def _gone(message: str) -> HttpResponse:
    return HttpResponse(f"{message}\n", status=410, content_type="text/plain; charset=utf-8")


def _person(export: Export) -> Iterator[bytes]:
    copy = persons.Copy(export.what["person"])
    lines = iter(copy)
    while piece := _piece(lines):
        yield "".join(piece).encode()
    with shop.current().writable():
        audience.finish_export(export.pk, copy.rows_count)


def _table(export: Export) -> Iterator[bytes]:
    rows = audience.product_rows(export) if "products" in export.what else audience.export_rows(export)
    return _chunks(export.pk, _piece(rows), rows)


def _piece(rows: Iterator[T]) -> list[T]:
    """Read the next rows inside the shop's permission, which ends with the view, before most of them are read."""
    with shop.current().writable():
        return list(islice(rows, _ROWS))


def _chunks(pk: int, piece: list[Sequence[str]], rows: _Rows) -> Iterator[bytes]:
    count = -1  # the names of the columns are no row
    while piece:
        yield audience.csv_of(piece, is_first=count < 0)
        count += len(piece)
        piece = _piece(rows)
    with shop.current().writable():
        audience.finish_export(pk, count)


async def _one_at_a_time(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Hand on each chunk as it is made: of a plain iterator, Django would first collect the whole file."""
    while (chunk := await sync_to_async(lambda: next(chunks, None))()) is not None:
        yield chunk
