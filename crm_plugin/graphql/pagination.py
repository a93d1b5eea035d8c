"""Relay connections by keyset: a page costs one query however far in it is, and rows that arrive do not shift it.

Lists of ours are newest first, by ``created_at`` and, among equals, ``id``; a cursor is those two values of its row,
opaque to clients. A list inside each row of a page, read for all of them at once, is ordered by its key. A list that
the shop keeps stays in the shop's order; a cursor is what names its row, and its place in case the row has gone.
Nothing is counted.
"""

from __future__ import annotations

import binascii
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeVar

import graphene
from django.db.models import Model, Q, QuerySet
from graphene.relay import PageInfo

from crm_plugin.errors import InvalidInput

M = TypeVar("M", bound=Model)
T = TypeVar("T")

#: The most that one page holds, as in Saleor.
PAGE_LIMIT = 100
_LONGEST_CURSOR = 300
_GREATEST_KEY = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Window:
    """Which page is asked for. ``is_backward``: the last rows before a place, instead of the first after it."""

    size: int
    is_backward: bool
    after: str | None
    before: str | None

    @classmethod
    def read(
        cls,
        *,
        first: int | None = None,
        last: int | None = None,
        after: str | None = None,
        before: str | None = None,
    ) -> Window:
        """Return the window that the arguments of a connection ask for.

        Raises:
            InvalidInput: naming the argument that is wrong.
        """
        if (first is None) == (last is None):
            raise InvalidInput("Give either `first` or `last`.", field="first")
        argument, size = ("last", last) if first is None else ("first", first)
        if size is None or not 1 <= size <= PAGE_LIMIT:
            raise InvalidInput(f"`{argument}` is between 1 and {PAGE_LIMIT}.", field=argument)
        return cls(size=size, is_backward=first is None, after=after, before=before)


def list_field(
    connection: type[graphene.relay.Connection], *, description: str, resolver: Any, **arguments: Any
) -> Any:
    """Return a field that pages through ``connection``."""
    return graphene.Field(
        connection,
        description=description,
        resolver=resolver,
        first=graphene.Int(description=f"The first rows of the list, at most {PAGE_LIMIT}."),
        after=graphene.String(description="Only rows after this cursor."),
        last=graphene.Int(description=f"The last rows of the list, at most {PAGE_LIMIT}."),
        before=graphene.String(description="Only rows before this cursor."),
        **arguments,
    )


def page_of_rows(
    connection: type[graphene.relay.Connection],
    rows: QuerySet[M],
    *,
    moment: str = "created_at",
    is_oldest_first: bool = False,
    **page: Any,
) -> Any:
    """Return the page of ``rows``, newest first by the column ``moment`` unless said otherwise, in one query."""
    window = Window.read(**page)
    behind, ahead = ("gt", "lt") if is_oldest_first else ("lt", "gt")
    if window.after is not None:
        rows = rows.filter(_beyond(behind, moment, *_decoded(window.after, "after", parse=_row_place)))
    if window.before is not None:
        rows = rows.filter(_beyond(ahead, moment, *_decoded(window.before, "before", parse=_row_place)))
    order = (moment, "id") if window.is_backward != is_oldest_first else (f"-{moment}", "-id")
    found = [(row, _row_cursor(row, moment)) for row in rows.order_by(*order)[: window.size + 1]]
    return _assemble(connection, found, window=window)


def _beyond(way: str, moment: str, at: datetime, pk: int) -> Q:
    # The first condition says nothing that the second does not; it is what PostgreSQL can use the index for.
    return Q((f"{moment}__{way}e", at)) & (Q((f"{moment}__{way}", at)) | Q((f"id__{way}", pk)))


def _row_cursor(row: Any, moment: str) -> str:
    return _encoded(getattr(row, moment).isoformat(), row.pk)


def _row_place(created_at: Any, pk: Any) -> tuple[datetime, int]:
    moment = datetime.fromisoformat(created_at)
    if moment.tzinfo is None or type(pk) is not int or not 0 < pk <= _GREATEST_KEY:
        raise ValueError
    return moment, pk


def page_of_list(
    connection: type[graphene.relay.Connection], items: Sequence[T], *, name: Callable[[T], str], **page: Any
) -> Any:
    """Return the page of a list that the shop keeps and is short enough to be read whole, in its own order."""
    window = Window.read(**page)
    names = [name(item) for item in items]
    start, stop = 0, len(items)
    if window.after is not None:
        place, found = _decoded(window.after, "after", parse=_list_place)
        start = names.index(found) + 1 if found in names else place
    if window.before is not None:
        place, found = _decoded(window.before, "before", parse=_list_place)
        stop = names.index(found) if found in names else place
    rows = [(items[place], _encoded(place, names[place])) for place in range(len(items))[start:stop]]
    return _assemble(connection, (rows[::-1] if window.is_backward else rows)[: window.size + 1], window=window)


def _list_place(place: Any, name: Any) -> tuple[int, str]:
    if type(place) is not int or not 0 <= place <= _GREATEST_KEY or not isinstance(name, str):
        raise ValueError
    return place, name


def key_bounds(window: Window) -> tuple[int, int]:
    """Return between which two keys, both left out, the rows are of a list that is ordered by its key alone."""
    above = 0 if window.before is None else _decoded(window.before, "before", parse=_key_place)
    below = _GREATEST_KEY if window.after is None else _decoded(window.after, "after", parse=_key_place)
    return above, below


def page_of_keys(connection: type[graphene.relay.Connection], rows: Sequence[M], *, window: Window) -> Any:
    """Return the page of ``rows``, which were read in the order of their keys: one row more when there are more."""
    return _assemble(connection, [(row, _encoded("key", row.pk)) for row in rows], window=window)


def _key_place(word: Any, pk: Any) -> int:
    if word != "key" or type(pk) is not int or not 0 < pk <= _GREATEST_KEY:
        raise ValueError
    return pk


def read_place(window: Window, argument: Literal["after", "before"], *, parse: Callable[[Any, Any], T]) -> T | None:
    """Return the place that a cursor of a list in one of several orders stands for; None when there is none.

    ``parse`` gets the name of the order and the values of the row, as ``page_of_places`` wrote them, or anything else
    that a client made up, for which it raises TypeError or ValueError.
    """
    cursor = getattr(window, argument)
    return None if cursor is None else _decoded(cursor, argument, parse=parse)


def page_of_places(
    connection: type[graphene.relay.Connection],
    rows: Sequence[M],
    *,
    window: Window,
    order: str,
    place: Callable[[M], list[int | str]],
) -> Any:
    """Return the page of ``rows``, which were read in an order by its columns: one row more when there are more."""
    return _assemble(connection, [(row, _encoded(order, place(row))) for row in rows], window=window)


def _encoded(*place: int | str | list[int | str]) -> str:
    return urlsafe_b64encode(json.dumps(place).encode()).decode()


def _decoded(cursor: str, argument: str, *, parse: Callable[[Any, Any], T]) -> T:
    """Return the place that a cursor stands for; ``parse`` raises when it is not one of such a list."""
    try:
        if len(cursor) > _LONGEST_CURSOR:
            raise ValueError
        first, second = json.loads(urlsafe_b64decode(cursor.encode()))
        return parse(first, second)
    except (binascii.Error, TypeError, ValueError, RecursionError):
        raise InvalidInput(
            f"`{argument}` is not a cursor of this list. Pass on `endCursor` or `startCursor` as you got it.",
            field=argument,
        ) from None


def _assemble(connection: type[graphene.relay.Connection], found: Sequence[tuple[Any, str]], *, window: Window) -> Any:
    """Return the connection of one page; ``found`` has one row more than the page when there are more."""
    has_more = len(found) > window.size
    rows = list(found[: window.size])
    if window.is_backward:
        rows.reverse()
    return connection(
        edges=[connection.Edge(node=row, cursor=cursor) for row, cursor in rows],
        page_info=PageInfo(
            has_next_page=window.before is not None or (has_more and not window.is_backward),
            has_previous_page=window.after is not None or (has_more and window.is_backward),
            start_cursor=rows[0][1] if rows else None,
            end_cursor=rows[-1][1] if rows else None,
        ),
    )
