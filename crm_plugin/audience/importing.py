"""Importing a CSV file into a static list, in batches of lines.

A batch and the number of lines done are one transaction: an import that is killed goes on behind the last batch that
was committed, and one that runs shows how far it is. A dry run does exactly the same in a savepoint that is undone, so
that it finds what the import would find, and writes nothing but its findings.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from django.db import Error, transaction

from crm_plugin import clock, contacts, nudge, shop
from crm_plugin.audience import listfile
from crm_plugin.audience.listfile import Line
from crm_plugin.audience.lists import add_members, hold
from crm_plugin.audience.models import ImportState, ListImport
from crm_plugin.audience.patience import in_words, is_passing
from crm_plugin.contacts import ChangeSource, ChannelKind, Merge, Person

logger = logging.getLogger(__name__)

#: Lines done in one transaction.
BATCH: Final = 5_000
#: Refused lines that are kept; the others are only counted.
MAX_ERRORS: Final = 1_000
#: A file does not say when its people were seen: before anything else, so that no erasure is undone by it.
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class _Batch:
    """What became of some lines."""

    added: int = 0
    refused: dict[int, str] = field(default_factory=dict)


def start_import(pk: int, content: bytes, *, is_dry_run: bool = False) -> ListImport:
    """Take in a CSV file with the columns ``email`` and/or ``customer_id``; the people are put in in the background.

    New addresses become contacts without consent. Further columns are declared attributes, whose values are set; an
    empty cell leaves what was there.

    Args:
        pk: the static list.
        content: UTF-8 (with or without a byte order mark), UTF-16 with one, or CP949; at most 10 MB and 200,000 lines.
        is_dry_run: look at every line, write nothing.

    Raises:
        InvalidInput, NotFound: when the file cannot be read as a whole, or there is no such list; nothing is stored.
    """
    lines = listfile.read(content, kinds=_kinds())
    with transaction.atomic():
        segment = hold(pk)
        nudge.after_commit("crm.audience")
        return ListImport.objects.create(
            segment=segment,
            content=content,
            is_dry_run=is_dry_run,
            lines_count=len(lines),
            created_at=clock.now(),
        )


def import_step(*, on_merge: Callable[[Merge], None], limit: int = BATCH) -> int | None:
    """Do the next lines of the oldest open import that no other worker has. Must run in a transaction.

    Args:
        on_merge: called for contacts that turn out to be one person; other rooms have rows of theirs.
        limit: how many lines, at most.

    Returns:
        How many lines were done; None when no import is open.
    """
    rows = ListImport.objects.filter(finished_at=None).order_by("pk")
    row = rows.select_for_update(skip_locked=True).first()
    if row is None:
        return None
    try:
        with transaction.atomic():
            return _do(row, limit, on_merge)
    except Exception as error:
        if isinstance(error, Error) and is_passing(error):
            raise
        logger.exception("crm: an import failed", extra={"import": row.pk})
        row.refresh_from_db()
        row.errors = [*row.errors[: MAX_ERRORS - 1], {"line": 0, "message": in_words(error, seconds=0)}]
        _finish(row, ImportState.FAILED)
        row.save()
        return 0


def _do(row: ListImport, limit: int, on_merge: Callable[[Merge], None]) -> int:
    lines = listfile.read(bytes(row.content), kinds=_kinds())[row.done_count : row.done_count + limit]
    with transaction.atomic():
        batch = _enter(row.segment_id, lines, on_merge)
        if row.is_dry_run:
            transaction.set_rollback(True)
    row.state = ImportState.RUNNING
    row.done_count += len(lines)
    row.added_count += batch.added
    row.refused_count += len(batch.refused)
    row.errors = [*row.errors, *_shown(batch.refused)][:MAX_ERRORS]
    if row.done_count >= row.lines_count:
        _finish(row, ImportState.DONE)
    row.save()
    return len(lines)


def _finish(row: ListImport, state: ImportState) -> None:
    row.state, row.finished_at, row.content = state, clock.now(), b""


def _shown(refused: Mapping[int, str]) -> list[dict[str, Any]]:
    return [{"line": number, "message": refused[number]} for number in sorted(refused)]


def _enter(pk: int, lines: Sequence[Line], on_merge: Callable[[Merge], None]) -> _Batch:
    """Put the people of some lines into the list."""
    batch = _Batch(refused={line.number: line.problem for line in lines if line.problem})
    lines = [line for line in lines if not line.problem]
    emails = _emails_by_customer(lines)
    lines = _without(batch, lines, _strangers(lines, emails))
    lines = _without(batch, lines, _blocked(lines, emails))
    resolution = contacts.resolve([_person(line) for line in lines], seen_before=_LONG_AGO)
    for merge in resolution.merges:
        on_merge(merge)
    erased = [line for line in lines if _person(line) in resolution.dropped]
    lines = _without(batch, lines, {line.number: "This person asked to be forgotten." for line in erased})
    ids = _contacts_of(lines)
    lines = _without(batch, lines, {one.number: "Nobody is known by it." for one in lines if one.number not in ids})
    lines = _without(batch, lines, _set_values(lines, ids))
    batch.added = add_members(pk, [ids[line.number] for line in lines])
    return batch


def _kinds() -> dict[str, str]:
    return {one.name: one.kind for one in contacts.attributes()}


def _set_values(lines: Collection[Line], ids: Mapping[int, int]) -> dict[int, str]:
    """Set the attributes; return the lines whose values are not of their kind."""
    values = {ids[line.number]: line.values for line in lines if line.values}
    refused = contacts.set_attributes_of(values, source=ChangeSource.IMPORT) if values else {}
    return {line.number: refused[ids[line.number]].message for line in lines if ids[line.number] in refused}


def _without(batch: _Batch, lines: Iterable[Line], refused: Mapping[int, str]) -> list[Line]:
    batch.refused.update(refused)
    return [line for line in lines if line.number not in refused]


def _person(line: Line) -> Person:
    return Person(line.customer_id, line.email)


def _emails_by_customer(lines: Collection[Line]) -> dict[str, str]:
    """Return the addresses of the lines' customers, those whom we know and those whom only the shop knows."""
    wanted = {line.customer_id for line in lines if line.customer_id}
    rows = contacts.contacts().filter(customer_id__in=wanted).values_list("customer_id", "email")
    known = {key: email or "" for key, email in rows if key}
    missing = wanted - known.keys()
    accounts = shop.current().customers(missing) if missing else {}
    return known | {key: contacts.normalize_email(row.email) for key, row in accounts.items()}


def _strangers(lines: Iterable[Line], emails: Mapping[str, str]) -> dict[int, str]:
    """Find the lines with a customer id that nobody knows."""
    return {
        line.number: "The shop has no customer with this id."
        for line in lines
        if line.customer_id and line.customer_id not in emails
    }


def _blocked(lines: Iterable[Line], emails: Mapping[str, str]) -> dict[int, str]:
    """Find the lines whose address must not be written to, as it is written or as the customer has it."""
    addresses = {line.number: {line.email, emails.get(line.customer_id, "")} - {""} for line in lines}
    blocked = contacts.suppressed({one for found in addresses.values() for one in found}, channel=ChannelKind.EMAIL)
    return {
        number: f"This address is blocked: {next(blocked[one] for one in sorted(found) if one in blocked)}."
        for number, found in addresses.items()
        if not found.isdisjoint(blocked)
    }


def _contacts_of(lines: Collection[Line]) -> dict[int, int]:
    """Return the contact of each line: by customer id first, else by e-mail."""
    customer_ids = {line.customer_id for line in lines if line.customer_id}
    emails = {line.email for line in lines if not line.customer_id}
    by_customer = dict(contacts.contacts().filter(customer_id__in=customer_ids).values_list("customer_id", "pk"))
    by_email = dict(contacts.contacts().filter(email__in=emails).values_list("email", "pk"))
    found = {
        line.number: by_customer.get(line.customer_id) if line.customer_id else by_email.get(line.email)
        for line in lines
    }
    return {number: pk for number, pk in found.items() if pk is not None}
