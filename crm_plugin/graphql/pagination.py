"""Relay connections by keyset: a page costs one query however far in it is, and rows that arrive do not shift it.

Lists of ours are newest first, by ``created_at`` and, among equals, ``id``; a list inside each row of a page, read for
all of them at once, is ordered by its key; one that the shop keeps stays in the shop's order, and its rows are found by
what names them, or by their place in case the row has gone. A cursor holds that, and which list it is of: one of
another list is refused, not read as a place in this one. It is opaque to clients. Nothing is counted.
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
from graphene.relay import Connection, PageInfo

from crm_plugin.errors import InvalidInput

M = TypeVar("M", bound=Model)
T = TypeVar("T")

#: The most that one page holds, as in Saleor.
PAGE_LIMIT = 100
#: With room for what names a row of the shop: its slugs have up to 255 characters.
_LONGEST_CURSOR = 1_000
_GREATEST_KEY = 2**63 - 1


class Page(Connection):
    """A page of a list: ``class CrmNotes(Page, node=CrmNote)``."""

    class Meta:
        abstract = True

    def __init_subclass__(cls, **options: Any) -> None:
        """Take what graphene takes in ``Meta`` as words beside the base."""
        super().__init_subclass__(**options)


@dataclass(frozen=True, slots=True)
class Window:
    """Which page of which list. ``is_backward``: the last rows before a place, instead of the first after it."""

    connection: type[Connection]
    size: int
    is_backward: bool
    after: str | None
    before: str | None

    @classmethod
    def read(
        cls,
        connection: type[Connection],
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
        return cls(connection, size=size, is_backward=first is None, after=after, before=before)


def list_field(connection: type[Connection], *, description: str, resolver: Any, **arguments: Any) -> Any:
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
    connection: type[Connection],
    rows: QuerySet[M],
    *,
    moment: str = "created_at",
    is_oldest_first: bool = False,
    **page: Any,
) -> Any:
    """Return the page of ``rows``, newest first by the column ``moment`` unless said otherwise, in one query."""
    window = Window.read(connection, **page)
    behind, ahead = ("gt", "lt") if is_oldest_first else ("lt", "gt")
    if (place := read_place(window, "after", parse=_row_place)) is not None:
        rows = rows.filter(_beyond(behind, moment, *place))
    if (place := read_place(window, "before", parse=_row_place)) is not None:
        rows = rows.filter(_beyond(ahead, moment, *place))
    order = (moment, "id") if window.is_backward != is_oldest_first else (f"-{moment}", "-id")
    read = rows.order_by(*order)[: window.size + 1]
    return _assemble(window, [(row, (getattr(row, moment).isoformat(), row.pk)) for row in read])


def _beyond(way: str, moment: str, at: datetime, pk: int) -> Q:
    # The first condition says nothing that the second does not; it is what PostgreSQL can use the index for.
    return Q((f"{moment}__{way}e", at)) & (Q((f"{moment}__{way}", at)) | Q((f"id__{way}", pk)))


def _row_place(created_at: Any, pk: Any) -> tuple[datetime, int]:
    moment = datetime.fromisoformat(created_at)
    if moment.tzinfo is None or type(pk) is not int or not 0 < pk <= _GREATEST_KEY:
        raise ValueError
    return moment, pk


def page_of_list(connection: type[Connection], items: Sequence[T], *, name: Callable[[T], str], **page: Any) -> Any:
    """Return the page of a list that the shop keeps and is short enough to be read whole, in its own order."""
    window = Window.read(connection, **page)
    names = [name(item) for item in items]
    start, stop = 0, len(items)
    if (known := read_place(window, "after", parse=_list_place)) is not None:
        place, found = known
        start = names.index(found) + 1 if found in names else place
    if (known := read_place(window, "before", parse=_list_place)) is not None:
        place, found = known
        stop = names.index(found) if found in names else place
    rows = [(items[place], (place, names[place])) for place in range(len(items))[start:stop]]
    return _assemble(window, (rows[::-1] if window.is_backward else rows)[: window.size + 1])


def _list_place(place: Any, name: Any) -> tuple[int, str]:
    if type(place) is not int or not 0 <= place <= _GREATEST_KEY or not isinstance(name, str):
        raise ValueError
    return place, name


def key_bounds(window: Window) -> tuple[int, int]:
    """Return between which two keys, both left out, the rows are of a list that is ordered by its key alone."""
    above, below = (read_place(window, argument, parse=_key_place) for argument in ("before", "after"))
    return above or 0, below or _GREATEST_KEY


def page_by_key(connection: type[Connection], read: Callable[..., Sequence[M]], **page: Any) -> Any:
    """Return the page of what ``read(above=, below=, limit=, is_backward=)`` returns, in the order of their keys."""
    window = Window.read(connection, **page)
    above, below = key_bounds(window)
    rows = read(above=above, below=below, limit=window.size + 1, is_backward=window.is_backward)
    return page_of_keys(rows, window=window)


def page_of_keys(rows: Sequence[M], *, window: Window) -> Any:
    """Return the page of ``rows``, which were read in the order of their keys: one row more when there are more."""
    return _assemble(window, [(row, ("key", row.pk)) for row in rows])


def _key_place(word: Any, pk: Any) -> int:
    if word != "key" or type(pk) is not int or not 0 < pk <= _GREATEST_KEY:
        raise ValueError
    return pk


def read_place(window: Window, argument: Literal["after", "before"], *, parse: Callable[[Any, Any], T]) -> T | None:
    """Return the place that a cursor stands for; None when there is none.

    ``parse`` gets the two values by which the list finds a row (of a list in one of several orders: the name of the
    order, and the values of the row), or anything that a client made up, for which it raises TypeError or ValueError.

    Raises:
        InvalidInput: when it is not a cursor of this list.
    """
    cursor: str | None = getattr(window, argument)
    if cursor is None:
        return None
    try:
        if len(cursor) > _LONGEST_CURSOR:
            raise ValueError
        of, first, second = json.loads(urlsafe_b64decode(cursor.encode()))
        if of != str(window.connection):
            raise ValueError
        return parse(first, second)
    except (binascii.Error, TypeError, ValueError, RecursionError):
        raise InvalidInput(
            f"`{argument}` is not a cursor of this list. Pass on `endCursor` or `startCursor` as you got it.",
            field=argument,
        ) from None


def page_of_places(rows: Sequence[M], *, window: Window, order: str, place: Callable[[M], list[int | str]]) -> Any:
    """Return the page of ``rows``, which were read in an order by its columns: one row more when there are more."""
    return _assemble(window, [(row, (order, place(row))) for row in rows])


def _assemble(window: Window, found: Sequence[tuple[Any, tuple[Any, Any]]]) -> Any:
    """Return the connection of one page; ``found`` has the rows with their places, one more when there are more."""
    has_more = len(found) > window.size
    connection = window.connection
    rows = [(row, _cursor(connection, place)) for row, place in found[: window.size]]
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


def _cursor(connection: type[Connection], place: tuple[Any, Any]) -> str:
    return urlsafe_b64encode(json.dumps([str(connection), *place]).encode()).decode()
