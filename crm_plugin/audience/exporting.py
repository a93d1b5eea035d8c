"""Exporting the people of an audience as CSV: logged first, then read in chunks, safe to open in a spreadsheet.

Who is in is asked once, when the file is fetched; the rows are then read by contact, a chunk at a time, so that a file
of a million rows needs no more memory than their ids. On data that does not change there are as many rows as a preview
counts.
"""

from __future__ import annotations

import csv
import io
import re
from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from django.db import connection, transaction

from crm_plugin import clock, contacts
from crm_plugin.audience.compiler import compile
from crm_plugin.audience.models import Export
from crm_plugin.audience.rule import AudienceRule
from crm_plugin.contacts import Contact

#: A spreadsheet takes the file for UTF-8 only when it begins with this.
BOM: Final = "\ufeff".encode()

_CHUNK: Final = 1_000
_COLUMNS: Final = ("customer_id", "email", "first_name", "last_name", "language", "country", "orders_count")
_TIMES: Final = ("first_order_at", "last_order_at", "last_seen_at", "joined_at")
#: What makes a spreadsheet compute a cell (OWASP, CSV injection); the wide forms are those of East Asian keyboards.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - meant as they are
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?", re.ASCII)


@transaction.atomic
def start_export(what: AudienceRule, actor: str) -> Export:
    """Write the line of the log: whose data is asked for, and by whom. Nothing is read yet.

    Args:
        what: whom to export.
        actor: who asks, in words (``user:7``).
    """
    return Export.objects.create(what={"audience": what.to_json()}, actor=actor[:100], created_at=clock.now())


@transaction.atomic
def start_person_export(contact_ids: Collection[int], actor: str) -> Export:
    """Write into the log that a copy of all that is kept about one person is asked for. Nothing is read yet.

    Args:
        contact_ids: of the person; the log names nobody.
        actor: who asks, in words (``user:7``).
    """
    return Export.objects.create(what={"person": list(contact_ids)}, actor=actor[:100], created_at=clock.now())


def note_export(what: Mapping[str, Any], actor: str, *, rows_count: int) -> Export:
    """Write into the log that something else of people was handed out, all of it at once.

    Args:
        what: what it was, as JSON.
        actor: who asked, in words (``user:7``).
        rows_count: how many rows were handed out.
    """
    now = clock.now()
    return Export.objects.create(
        what=dict(what), actor=actor[:100], rows_count=rows_count, created_at=now, fetched_at=now
    )


def export_rows(export: Export) -> Iterator[list[str]]:
    """Return the rows of an export, the names of the columns first."""
    attributes = [row.name for row in contacts.attributes()]
    yield [*_COLUMNS, *_TIMES, *attributes]
    ids = _ids(AudienceRule.parse(export.what["audience"]))
    for start in range(0, len(ids), _CHUNK):
        rows = contacts.rows_of(ids[start : start + _CHUNK].tolist()).filter(erased_at=None)
        yield from (_row(row, attributes) for row in rows.order_by("pk"))


def csv_of(rows: Iterable[Sequence[str]], *, is_first: bool = False) -> bytes:
    """Return rows as CSV (RFC 4180) in UTF-8; no cell of them is a formula.

    Args:
        rows: the cells.
        is_first: these begin the file.
    """
    text = io.StringIO(newline="")
    csv.writer(text).writerows([_harmless(cell) for cell in row] for row in rows)
    return (BOM if is_first else b"") + text.getvalue().encode()


def _ids(rule: AudienceRule) -> array[int]:
    query = compile(rule)
    ids = array("q")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT contact_id FROM ({query.sql}) q ORDER BY contact_id", query.params)  # noqa: S608
        while found := cursor.fetchmany(_CHUNK):
            ids.extend(pk for (pk,) in found)
    return ids


def _row(contact: Contact, attributes: Sequence[str]) -> list[str]:
    times = [getattr(contact, name) for name in _TIMES]
    return [
        *(_text(getattr(contact, name)) for name in _COLUMNS),
        *(at.isoformat(timespec="seconds") if at else "" for at in times),
        *(_text(contact.attributes.get(name)) for name in attributes),
    ]


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case list():
            return "; ".join(map(str, value))
        case _:
            return str(value)


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) and not _NUMBER.fullmatch(cell) else cell
